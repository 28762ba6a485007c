"""From options, settings and files to configurations."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmark.config import to_plain
from benchmark.training.request import configs
from cocoad.errors import InputError


def test_without_options_the_paper_recipe_runs_on_split_0() -> None:
    (config,) = configs({"method": "invad"})
    assert (config.split, config.image_size, config.seed, config.weights) == (0, 256, 42, "imagenet")
    assert (config.recipe.epochs, config.recipe.batch_size, config.recipe.precision) == (100, 32, "32-true")
    assert config.recipe.scaled_learning_rate == pytest.approx(4e-3)


def test_the_fast_preset_is_ten_epochs_in_bf16() -> None:
    (config,) = configs({"method": "invad", "preset": "fast"})
    assert (config.recipe.epochs, config.recipe.precision) == (10, "bf16-mixed")


def test_settings_override_options_which_override_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    (written,) = configs({"method": "invad", "epochs": 7, "seed": 1, "batch_size": 8})
    file.write_text(yaml.safe_dump(to_plain(written)))
    settings = ["recipe.betas=[0.5, 0.9]", "options.blocks=3", "seed=3", "recipe.learning_rate=1e-4"]
    (config,) = configs({"seed": 2, "batch_size": 4}, settings=settings, file=file)
    assert (config.recipe.epochs, config.recipe.batch_size, config.seed) == (7, 4, 3)
    assert config.recipe.betas == (0.5, 0.9)
    assert config.recipe.learning_rate == 1e-4
    assert config.method_options == {"blocks": 3}


def test_a_saved_configuration_runs_again_as_it_was(tmp_path: Path) -> None:
    (written,) = configs({"method": "invad-lite", "classes": ("a", "b")}, settings=["recipe.epochs=3"])
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(to_plain(written)))
    assert configs({}, file=file) == [written]


def test_all_splits_are_four_configurations() -> None:
    assert [config.split for config in configs({"method": "invad"}, splits="all")] == [0, 1, 2, 3]
    assert [config.split for config in configs({"method": "invad"}, splits="0,2")] == [0, 2]


@pytest.mark.parametrize(
    ("options", "more", "message"),
    [
        ({}, {}, "which method"),
        ({"method": "nonsense"}, {}, "no method 'nonsense': there are invad"),
        ({"method": "invad"}, {"splits": "4"}, "no split '4'"),
        ({"method": "invad"}, {"settings": ["recipe.epoch=1"]}, "no field recipe.epoch: there are epochs"),
        ({"method": "invad"}, {"settings": ["recipe.epochs=-1"]}, "`int` >= 0"),
        ({"method": "invad"}, {"settings": ["epochs"]}, "write recipe.NAME=VALUE"),
        ({"method": "invad"}, {"settings": ["image_size=100000"]}, "<= 4096"),
        ({"method": "invad"}, {"settings": ["recipe.optimizer=lion"]}, "Invalid enum value"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(options: dict, more: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError) as error:
        configs(options, **more)
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["method: [", "- a list", "nonsense: 1\nmethod: invad"])
def test_a_file_that_is_no_configuration_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=r"x\.yaml"):
        configs({}, file=tmp_path / "x.yaml")
