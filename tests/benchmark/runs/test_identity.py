"""What a run is, told without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.config import RunConfig, from_plain, to_plain
from benchmark.facts import Facts
from benchmark.methods.facts import BUILT_IN, INVAD
from benchmark.methods.registry import facts_of, method_class
from benchmark.runs import identity
from benchmark.runs.identity import (
    check_finished,
    recorded_preset,
    resolved,
    run_directory,
    supported_precision,
)
from benchmark.runs.record import read_record
from cocoad.base.errors import InputError

CONFIG = RunConfig("invad", Path("tiles"), split=None)


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_processor_trains_in_bf16_only_if_it_computes_in_it(
    native: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "has_native_bf16", lambda: native)
    assert supported_precision("bf16-mixed", "cpu") == expected
    assert supported_precision("16-mixed", "cpu") == "32-true"
    assert supported_precision("16-mixed", "cuda") == "16-mixed"


def test_the_methods_own_backbone_and_number_of_epochs_are_filled_in() -> None:
    assert resolved(CONFIG, INVAD).backbone == "wide_resnet50_2.racm_in1k"
    assert resolved(replace(CONFIG, backbone="resnet18"), INVAD).backbone == "resnet18"
    fixed = Facts("a test", {"paper": CONFIG.recipe}, fixed_epochs=3, training="own")
    assert resolved(CONFIG, fixed).recipe.epochs == 3


def test_a_run_of_some_classes_is_named_by_them(tmp_path: Path) -> None:
    def name(*classes: str) -> str:
        return run_directory(replace(CONFIG, classes=classes), "tiles", tmp_path).name

    assert name() == "invad_tiles_seed-42"
    assert name("bottle") == "invad_tiles_bottle_seed-42"
    assert name("wood", "bottle") == name("bottle", "wood") == "invad_tiles_bottle+wood_seed-42"
    many = name(*(f"class-{number}" for number in range(30)))
    assert many.startswith("invad_tiles_30-classes-")
    assert name("a/b") != name("a-b")
    assert "/" not in name("a/b")


def test_a_preset_is_recorded_as_long_as_nothing_of_its_recipe_was_changed() -> None:
    paper = replace(CONFIG, recipe=INVAD.presets["paper"])
    assert recorded_preset(paper, INVAD) == "paper"
    here = replace(paper, recipe=replace(paper.recipe, precision="bf16-mixed"))
    assert recorded_preset(here, INVAD) == "paper"
    for change in ({"epochs": 10}, {"learning_rate": 0.5}, {"batch_size": 8}):
        assert recorded_preset(replace(paper, recipe=replace(paper.recipe, **change)), INVAD) is None
    fast = replace(CONFIG, preset="fast", recipe=INVAD.presets["fast"])
    assert recorded_preset(fast, INVAD) == "fast"
    longer = replace(paper, recipe=INVAD.recipe("paper", "MVTec AD"))
    assert longer.recipe.epochs == 300
    assert recorded_preset(longer, INVAD, "MVTec AD") == "paper"
    assert recorded_preset(longer, INVAD, None) is None


def test_a_finished_run_of_another_version_of_the_method_is_no_run_of_this_one(make_run: Any) -> None:
    about = {"config": to_plain(CONFIG), "dataset": {"hash": "a"}, "method_info": {"version": 1}}
    record = read_record(make_run("a", **about))
    check_finished(Path("runs/a"), record, CONFIG, INVAD, "a")
    with pytest.raises(InputError, match=r"another version of the method \(1, here 2\): give --overwrite"):
        check_finished(Path("runs/a"), record, CONFIG, replace(INVAD, version=2), "a")


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_facts_of_a_name_are_those_of_its_class(name: str) -> None:
    assert method_class(name).facts is facts_of(name)


def test_runs_methods_and_a_sweep_are_known_without_torch() -> None:
    code = """
import sys
sys.modules["torch"] = None
import benchmark.runs.identity, benchmark.sweep.plan, benchmark.sweep.request
from benchmark.methods.catalogue import catalogue
assert any(row.name == "anomalib:Padim" for row in catalogue())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_of_ones_own_stands_in_place_of_method_and_dataset(tmp_path: Path) -> None:
    named = replace(CONFIG, name="baseline", split=2, seed=7)
    assert run_directory(named, "tiles", tmp_path) == tmp_path / "baseline_split-2_seed-7"
    with pytest.raises(InputError, match="name"):
        from_plain({"method": "rd", "dataset": "x", "name": "../up"}, "options")
