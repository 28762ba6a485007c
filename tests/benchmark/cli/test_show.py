"""``bench show``: one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner

from benchmark.cli import bench
from cocoad.base.errors import InputError


def test_it_prints_identity_metrics_groups_costs_and_environment(make_run: Any) -> None:
    metrics = {"ader": {"image_auroc": 0.625, "mad": None}}
    run = make_run(
        "a",
        "rd",
        0.5,
        per_group={"category:person": metrics},
        per_class={"tile": metrics, "screw": metrics},
        undefined={"ader/mad": "no normal pixel"},
        flags=["outlier-pixel"],
    )
    result = CliRunner().invoke(bench, ["show", str(run)])
    assert result.exit_code == 0, result.output
    for words in (
        "rd on wide_resnet50_2.racm_in1k, weights imagenet",
        "coco-ad, split 0 at 256 px (30 train, 10 + 20 test)",
        "no normal pixel",
        "outlier-pixel",
        "cost Train (min)",
        "environment.packages.torch",
        "category:person",
        "screw",
        "62.5",
    ):
        assert words in result.stdout, words


def test_a_folder_without_a_finished_run_is_said_to_be_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(bench, ["show", str(tmp_path)])
    assert isinstance(result.exception, InputError)
    assert "holds no finished run" in str(result.exception)
