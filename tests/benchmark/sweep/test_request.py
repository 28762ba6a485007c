"""What a sweep was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
    found = asked(methods="invad, rd,invad", splits="all", seeds="0,1,0", datasets=[Path("a"), Path("b")])
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
    assert rd.options == {"image_size": 64, "weights": "random"}
    assert invad.options == {"image_size": 64, "weights": "random", "epochs": 4, "batch_size": 8}
    assert invad.settings == ("options.backbone_layers=3", "recipe.weight_decay=0.1")
    assert patchcore.name == "patchcore-4k"
    assert patchcore.options == {"image_size": 128, "weights": "random"}
    assert patchcore.settings[-1] == "options.memory_bank=4000"
    assert (found.datasets, found.splits, found.seeds) == ((Path("coco-ad"), Path("tiles")), (0, 2), (0, 1))


def test_the_command_line_overrides_a_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    options = {"epochs": 1, "weights": None}
    found = asked(plan=tmp_path / "plan.yaml", splits="1", seeds="7", datasets=[Path("c")], options=options)
    assert (found.datasets, found.splits, found.seeds) == ((Path("c"),), (1,), (7,))
    assert [entry.options["epochs"] for entry in found.entries] == [1, 1, 1]
    assert found.entries[2].options["weights"] == "random"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "give either --methods a,b or --plan FILE"),
        ({"methods": "a", "plan": Path("plan.yaml")}, "give either --methods a,b or --plan FILE"),
        ({"methods": "a,,b"}, "--methods a,,b: write names"),
        ({"methods": "a", "splits": "4"}, "no split '4': there are 0, 1, 2, 3 and all"),
        ({"methods": "a", "splits": "x"}, "no split 'x': there are 0, 1, 2, 3 and all"),
        ({"methods": "a", "seeds": "1,"}, "--seeds 1,: write numbers"),
        ({"methods": "a", "seeds": "-1"}, "--seeds: a list is no list of whole numbers from 0"),
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
        ("", "write NAME: VALUE lines, not nothing"),
        ("- rd", "write NAME: VALUE lines, not a list"),
        ("methods: [rd", "not YAML"),
        ("methods: !!python/object/apply:os.system ['true']", "not YAML"),
        ("[" * 5000, "not YAML"),
        ("\x00\x01", "not YAML"),
        ("seeds: [1]", "methods: write a list of at least one, not nothing"),
        ("methods: []", "methods: write a list of at least one"),
        ("methods: rd", "methods: write a list of at least one, not 'rd'"),
        ("method: [rd]", "no field 'method': there are methods, datasets"),
        ("methods: [3]", "methods[0]: write NAME: VALUE lines, not 3"),
        ("methods: [{epochs: 3}]", "methods[0].method: write a name, not nothing"),
        ("methods: [rd, {method: rd, epoch: 3}]", "methods[1]: no field 'epoch': there are"),
        ("methods: [{method: rd, seed: 3}]", "no field 'seed' (give splits, seeds and datasets at the top)"),
        ("methods: [{method: rd, name: ../rd}]", "methods[0].name: '../rd' is no name of a folder"),
        ("methods: [{method: rd, options: 3}]", "methods[0].options: write NAME: VALUE lines, not 3"),
        ("methods: [{method: rd, options: &a {x: *a}}]", "methods[0].options.x: not a plain value"),
        ("methods: [{method: rd, options: {x: 2020-01-01}}]", "methods[0].options.x: not a plain value"),
        ("methods: [rd]\ndefaults: [a]", "defaults: write NAME: VALUE lines"),
        ("methods: [rd]\ndatasets: [3]", "datasets: write a name, not 3"),
        ("methods: [rd]\nsplits: [0, 9]", "splits: there are 0, 1, 2, 3 and all"),
        ("methods: [rd]\nsplits: [[0]]", "splits: there are 0, 1, 2, 3 and all"),
        ("methods: [rd]\nseeds: [0, yes]", "seeds: a list is no list of whole numbers"),
        ("methods: [rd]\nseeds: [0, 1.5]", "seeds: a list is no list of whole numbers"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        read_plan(tmp_path / "plan.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "plan.yaml"))
    assert "\n" not in str(error.value)
