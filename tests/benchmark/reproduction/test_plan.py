"""Plans of reproduction: those of the package, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.config import Settings
from benchmark.methods.registry import method_class
from benchmark.reproduction.plan import PLANS, figures, plan_names, read_plan
from benchmark.reproduction.runs import chosen, request
from benchmark.sweep.plan import _config
from cocoad.base.errors import InputError


@pytest.mark.parametrize("name", plan_names())
def test_a_plan_of_the_package_has_figures_for_each_target_and_runs_that_can_be_made(name: str) -> None:
    plan = read_plan(name)
    assert all(figures(plan, target) for target in plan.targets)
    assert all(method_class(target.method) for target in plan.targets)
    targets, parts = chosen(plan, [], [])
    for entry in request(plan, targets, parts, Path("data"), Settings()).entries:
        assert _config(entry).image_size == plan.image_size


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("setting: together", "setting: apart", "setting"),
        ("log: mvtec_ad", "log: none", "no log 'none'"),
        ("published: patchcore", "published: patchwork", "the log has no method 'patchwork'"),
        ("name: patchcore,", "name: ../out,", "name"),
        ("title:", "titel:", "titel"),
        ("[image_auroc, pixel_auroc, aupro]", "[image_auroc, beauty]", "beauty"),
    ],
)
def test_a_wrong_plan_is_one_line_that_names_file_and_field(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text((PLANS / "mvtec-ad.yaml").read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        read_plan(str(file))
    assert str(file) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_plan_names_those_there_are() -> None:
    with pytest.raises(InputError, match="coco-ad, mvtec-ad, mvtec-ad-by-class"):
        read_plan("mvtec")


def test_some_methods_and_classes_can_be_chosen_and_others_are_refused() -> None:
    plan = read_plan("mvtec-ad-by-class")
    assert [target.name for target in chosen(plan, ["padim"], [])[0]] == ["padim"]
    targets, parts = chosen(plan, ["padim-resnet18", "padim"], ["screw", "bottle"])
    assert [target.name for target in targets] == ["padim", "padim-resnet18"]
    assert parts == ["bottle", "screw"]
    asked = request(plan, targets, parts, Path("mvtec"), Settings({"weights": "random"}))
    assert [entry.name for entry in asked.entries] == [
        f"{target}_{part}" for target in ("padim", "padim-resnet18") for part in ("bottle", "screw")
    ]
    with pytest.raises(InputError, match="no class 'spoon' in this plan"):
        chosen(plan, [], ["spoon"])
