"""From options, settings and files to configurations."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image

from benchmark.config import RunConfig, to_plain
from benchmark.methods.facts import BUILT_IN
from benchmark.training.request import configs, of_each_class, run_all
from cocoad.base.errors import InputError


def test_without_options_the_paper_recipe_runs_on_split_0() -> None:
    (config,) = configs({"method": "invad"})
    assert (config.split, config.image_size, config.seed, config.weights) == (0, 256, 42, "imagenet")
    assert (config.recipe.epochs, config.recipe.batch_size, config.recipe.precision) == (100, 32, "32-true")
    assert config.recipe.scaled_learning_rate == pytest.approx(4e-3)


def test_a_method_has_an_image_size_of_its_own_that_an_option_or_a_file_overrides(tmp_path: Path) -> None:
    (own,) = configs({"method": "anomalydino"})
    (given,) = configs({"method": "anomalydino", "image_size": 224})
    (tmp_path / "config.yaml").write_text("method: anomalydino\nimage_size: 448\n")
    (read,) = configs({}, file=tmp_path / "config.yaml")
    assert [config.image_size for config in (own, given, read)] == [252, 224, 448]


def test_the_fast_preset_is_ten_epochs_in_bf16() -> None:
    (config,) = configs({"method": "invad", "preset": "fast"})
    assert (config.recipe.epochs, config.recipe.precision) == (10, "bf16-mixed")


def test_settings_override_options_which_override_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    (written,) = configs({"method": "padim", "epochs": 7, "seed": 1, "batch_size": 8})
    file.write_text(yaml.safe_dump(to_plain(written)))
    settings = ["recipe.betas=[0.5, 0.9]", "options.dimensions=3", "seed=3", "recipe.learning_rate=1e-4"]
    (config,) = configs({"seed": 2, "batch_size": 4}, settings=settings, file=file)
    assert (config.recipe.epochs, config.recipe.batch_size, config.seed) == (7, 4, 3)
    assert config.recipe.betas == (0.5, 0.9)
    assert config.recipe.learning_rate == 1e-4
    assert config.method_options == {"dimensions": 3}


def test_a_saved_configuration_runs_again_as_it_was(tmp_path: Path) -> None:
    (written,) = configs({"method": "invad-lite", "classes": ("a", "b")}, settings=["recipe.epochs=3"])
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(to_plain(written)))
    assert configs({}, file=file) == [written]


def test_a_preset_is_the_same_as_an_option_and_as_a_setting() -> None:
    assert configs({"method": "rd"}, settings=["preset=fast"]) == configs({"method": "rd", "preset": "fast"})


def test_a_method_without_a_fast_preset_takes_the_papers_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where, facts = BUILT_IN["invad"]
    monkeypatch.setitem(BUILT_IN, "invad", (where, replace(facts, presets={"paper": facts.presets["paper"]})))
    assert configs({"method": "invad", "preset": "fast"}) == configs({"method": "invad"})
    assert capsys.readouterr().err == "note: invad has no preset fast: paper is taken, and recorded\n"


def test_all_splits_are_four_configurations() -> None:
    assert [config.split for config in configs({"method": "invad"}, splits=(0, 1, 2, 3))] == [0, 1, 2, 3]
    assert [config.split for config in configs({"method": "invad"}, splits=(0, 2))] == [0, 2]


@pytest.mark.parametrize(
    ("options", "more", "message"),
    [
        ({}, {}, "which method"),
        ({"method": "nonsense"}, {}, "no method 'nonsense': there are invad"),
        ({"method": "invad"}, {"settings": ["recipe.epoch=1"]}, "no field recipe.epoch: there are epochs"),
        ({"method": "invad"}, {"settings": ["recipe.epochs=-1"]}, "`int` >= 0"),
        ({"method": "invad"}, {"settings": ["epochs"]}, "write recipe.NAME=VALUE"),
        ({"method": "invad"}, {"settings": ["image_size=100000"]}, "<= 4096"),
        ({"method": "invad"}, {"settings": ["recipe.optimizer=lion"]}, "Invalid enum value"),
        ({"method": "invad"}, {"settings": ["recipe.betas=[2, 3]"]}, "< 1.0 - at `$.recipe.betas[0]`"),
        (
            {"method": "invad"},
            {"settings": ["recipe.weight_decay=-1"]},
            ">= 0.0 - at `$.recipe.weight_decay`",
        ),
        ({"method": "invad"}, {"settings": ["recipe.decay_factor=0"]}, "> 0.0 - at `$.recipe.decay_factor`"),
        ({"method": "invad"}, {"settings": ["recipe=5", "recipe.epochs=1"]}, "got `int` - at `$.recipe`"),
        ({"method": "invad"}, {"settings": ["device=foo"]}, "Invalid enum value 'foo' - at `$.device`"),
        ({"method": "invad"}, {"settings": ["workers=-1"]}, ">= 0 - at `$.workers`"),
        ({"method": "invad"}, {"settings": ["dataset=5"]}, "Expected `Path`, got `int`"),
        ({"method": "invad"}, {"settings": ["seed=2020-13-45"]}, "Expected `int`, got `str`"),
        ({"method": "invad", "seed": 10**20}, {}, "<= 9223372036854775807 - at `$.seed`"),
        ({"method": "invad", "seed": -1}, {}, ">= 0 - at `$.seed`"),
        ({"method": "invad"}, {"settings": ["options.name=x"]}, "no 'name': there are none"),
        (
            {"method": "patchcore"},
            {"settings": ["options.backbone=x"]},
            "no 'backbone': that is --backbone",
        ),
        ({"method": "patchcore"}, {"settings": ["options.memory_bank=7.5"]}, "Expected `int`, got `float`"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(options: dict, more: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError) as error:
        configs(options, **more)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "method: [",
        "- a list",
        "nonsense: 1\nmethod: invad",
        "method: invad\nseed: 2020-13-45",
        "method: invad\nuse_cache: !!bool maybe",
        'method: invad\ndevice: "\\ud800"',
        "method: invad\nrecipe: fast",
        "method: invad\nrecipe: null",
        "method: invad\npreset: [a]",
        "method: invad\nmethod_options: [1]",
        "[" * 5000,
    ],
)
def test_a_file_that_is_no_configuration_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=r"x\.yaml"):
        configs({"epochs": 1}, settings=["options.a=1"], file=tmp_path / "x.yaml")


def test_a_dataset_without_splits_is_trained_on_once(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    planned = [config(split=split) for split in (0, 1)]
    said = list(run_all(planned, tmp_path / "runs", overwrite=True))
    assert [line.split(":")[0] for line in said] == [f"{tmp_path}/runs/tiny_tiles_seed-42", "next"]


def test_a_metric_that_is_not_defined_is_a_dash(
    config: Callable[..., RunConfig], tiles: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tiles / "test" / "square")
    line, _ = run_all([config()], tmp_path / "runs", overwrite=False)
    assert "image_auroc –, pixel_auroc –, aupro –, mad – (ader, percent)" in line


def test_one_model_per_class_is_a_configuration_of_each_class(tmp_path: Path) -> None:
    for name in ("screw", "wood"):
        for part in ("train/good", "test/good"):
            folder = tmp_path / "many" / name / part
            folder.mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(folder / "0.png")
    planned = configs({"method": "mean-image", "dataset": tmp_path / "many"}, splits=(0, 1))
    assert [config.classes for config in of_each_class(planned)] == [("screw",), ("wood",)]
    some = configs({"method": "mean-image", "dataset": tmp_path / "many", "classes": ["wood"]})
    assert [config.classes for config in of_each_class(some)] == [("wood",)]


@pytest.mark.parametrize(
    ("method", "preset", "classes", "epochs", "said"),
    [
        (
            "invad",
            "paper",
            ["bottle", "screw"],
            300,
            "preset paper on MVTec AD: 300 epochs, as its published rows",
        ),
        ("invad", "paper", ["tiles"], 100, ""),
        ("rd", "paper", ["bottle"], 100, ""),
        ("invad-lite", "fast", ["bottle"], 10, "preset fast holds up on COCO-AD; on MVTec AD"),
        ("padim", "fast", ["bottle"], 1, ""),
    ],
)
def test_a_preset_knows_the_dataset(
    method: str,
    preset: str,
    classes: list[str],
    epochs: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in classes:
        for part in ("train/good", "test/good"):
            folder = tmp_path / "data" / name / part
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(folder / "0.png")
    (config,) = configs({"method": method, "preset": preset, "dataset": tmp_path / "data"})
    assert config.recipe.epochs == epochs
    told = capsys.readouterr().err
    assert said in told if said else not told
    (config,) = configs({"method": method, "preset": preset, "dataset": tmp_path / "data", "epochs": 7})
    assert config.recipe.epochs == 7
    assert not capsys.readouterr().err
