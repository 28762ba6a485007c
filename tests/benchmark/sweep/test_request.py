"""What a sweep was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.config import Settings
from benchmark.sweep.request import read_plan, request
from cocoad.base.errors import InputError

PLAN = """
defaults: {image_size: 64, weights: random, options: {backbone_layers: 3}}
methods:
  - rd
  - {method: invad-lite, epochs: 4, recipe: {weight_decay: 0.1, batch_size: 8}}
  - {method: patchcore, name: patchcore-4k, image_size: 128, options: {memory_bank: 4000}}
datasets: [coco-ad, tiles]
splits: [0, 2]
seeds: [0, 1]
"""


def asked(**changes: Any) -> Any:
    return request(**({"methods": None, "plan": None, "options": {}} | changes))


def test_options_make_a_grid() -> None:
    found = asked(
        methods="invad, rd,invad", splits=(0, 1, 2, 3), seeds="0,1,0", datasets=[Path("a"), Path("b")]
    )
    assert [entry.method for entry in found.entries] == ["invad", "rd"]
    assert found.splits == (0, 1, 2, 3)
    assert found.seeds == (0, 1)
    assert found.datasets == (Path("a"), Path("b"))


def test_without_options_it_is_split_0_of_coco_ad_with_seed_42() -> None:
    found = asked(methods="invad")
    assert (found.datasets, found.splits, found.seeds) == ((Path("coco-ad"),), (0,), (42,))


def test_a_plan_gives_each_method_its_settings_over_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    found = read_plan(tmp_path / "plan.yaml")
    rd, invad, patchcore = found.entries
    common = {"image_size": 64, "weights": "random"}
    assert rd.settings == Settings(common, {}, {"backbone_layers": 3})
    recipe = {"epochs": 4, "batch_size": 8, "weight_decay": 0.1}
    assert invad.settings == Settings(common, recipe, {"backbone_layers": 3})
    assert patchcore.name == "patchcore-4k"
    assert patchcore.settings.fields == {"image_size": 128, "weights": "random"}
    assert patchcore.settings.options == {"backbone_layers": 3, "memory_bank": 4000}
    assert (found.datasets, found.splits, found.seeds) == ((Path("coco-ad"), Path("tiles")), (0, 2), (0, 1))


def test_the_command_line_overrides_a_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    options = {"epochs": 1, "weights": None}
    found = asked(plan=tmp_path / "plan.yaml", splits=(1,), seeds="7", datasets=[Path("c")], options=options)
    assert (found.datasets, found.splits, found.seeds) == ((Path("c"),), (1,), (7,))
    assert [entry.settings.recipe["epochs"] for entry in found.entries] == [1, 1, 1]
    assert found.entries[2].settings.fields["weights"] == "random"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "give either --methods a,b or --plan FILE"),
        ({"methods": "a", "plan": Path("plan.yaml")}, "give either --methods a,b or --plan FILE"),
        ({"methods": "a,,b"}, "--methods a,,b: write names"),
        ({"methods": "a", "seeds": "1,"}, "--seeds 1,: write numbers"),
        ({"methods": "a", "seeds": "-1"}, "--seeds -1: write numbers"),
        ({"plan": Path("absent.yaml")}, "absent.yaml: No such file"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        asked(**changes)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected `object`, got `null`"),
        ("- rd", "Expected `object`, got `array`"),
        ("methods: [rd", "not YAML"),
        ("methods: !!python/object/apply:os.system ['true']", "not YAML"),
        ("methods: [!!bool maybe]", "not YAML"),
        ('methods: ["\\ud800"]', "not YAML"),
        ("[" * 5000, "not YAML"),
        ("\x00\x01", "not YAML"),
        (
            "a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"c{n}: &c{n} [*b, *b]\n" for n in range(30000)),
            "more than",
        ),
        ("seeds: [1]", "missing required field `methods`"),
        ("methods: []", "length >= 1 - at `$.methods`"),
        ("methods: rd", "Expected `array`, got `str` - at `$.methods`"),
        ("method: [rd]", "unknown field `method`"),
        ("methods: [3]", "Expected `str | object`, got `int` - at `$.methods[0]`"),
        ("methods: [{epochs: 3}]", "missing required field `method` - at `$.methods[0]`"),
        ("methods: [rd, {method: rd, epoch: 3}]", "unknown field `epoch` - at `$.methods[1]`"),
        ("methods: [{method: rd, seed: 3}]", "unknown field `seed` - at `$.methods[0]`"),
        ("methods: [{method: rd, epochs: many}]", "Expected `int`, got `str` - at `$.methods[0].epochs`"),
        ("methods: [{method: rd, name: ../rd}]", "matching regex"),
        ("methods: [{method: rd, options: 3}]", "Expected `object`, got `int` - at `$.methods[0].options`"),
        ("methods: [{method: rd, recipe: {epoch: 3}}]", "unknown field `epoch` - at `$.methods[0].recipe`"),
        ("methods: [{method: rd, options: &a {x: *a}}]", "not YAML: more than 100,000 values"),
        ("methods: [{method: rd, options: {x: 2020-01-01}}]", "not a plain value: a date"),
        ("methods: [rd]\ndefaults: [a]", "Expected `object | null`, got `array` - at `$.defaults`"),
        ("methods: [rd]\ndatasets: [3]", "Expected `str`, got `int` - at `$.datasets[0]`"),
        ("methods: [rd]\nsplits: [0, -1]", "Expected `int` >= 0 - at `$.splits[1]`"),
        ("methods: [rd]\nsplits: [[0]]", "Expected `int`, got `array` - at `$.splits[0]`"),
        ("methods: [rd]\nseeds: [0, yes]", "Expected `int`, got `bool` - at `$.seeds[1]`"),
        ("methods: [rd]\nseeds: [0, 1.5]", "Expected `int`, got `float` - at `$.seeds[1]`"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        read_plan(tmp_path / "plan.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "plan.yaml"))
    assert "\n" not in str(error.value)


def test_a_plan_or_the_command_line_asks_for_one_model_per_class(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("methods: [rd]\nper_class: true\n")
    assert request(methods=None, plan=file, options={}).per_class
    assert request(methods="rd", plan=None, options={}, per_class=True).per_class
    assert not request(methods="rd", plan=None, options={}).per_class
