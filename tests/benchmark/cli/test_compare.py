"""``bench compare`` as a person types it."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from benchmark.cli import bench


def call(*words: object) -> Any:
    return CliRunner().invoke(bench, ["compare", *map(str, words), "--samples", "200"])


def test_it_says_which_run_is_better_on_what(make_scored_run: Any) -> None:
    weak, strong = make_scored_run("a", 0.3), make_scored_run("b", 3.0, seed=2)
    result = call(weak, strong)
    assert result.exit_code == 0, result.output
    assert "B is better on 11 of 11 metrics, A on 0" in result.stdout
    assert "64×64 previews" in result.stdout
    assert "category:person" in result.stdout
    assert "not the seed of training" in result.stdout


def test_json_has_every_difference_overall_and_by_group(make_scored_run: Any) -> None:
    weak, strong = make_scored_run("a", 0.3, score=0.25), make_scored_run("b", 3.0, seed=2)
    found = json.loads(call(weak, strong, "--json").stdout)
    metric = found["overall"]["metrics"]["mad"]
    assert (metric["a"], metric["b"], metric["better"]) == (0.25, 0.5, "B")
    assert 0 < metric["low"] < metric["difference"] < metric["high"] < 1
    assert found["groups"]["category:car"]["anomalous_images"] == 20


def test_runs_that_cannot_be_compared_are_refused(make_scored_run: Any) -> None:
    a, b = make_scored_run("a"), make_scored_run("b", dataset={"hash": "f" * 64})
    result = call(a, b)
    assert "cannot be compared: different versions of the dataset" in str(result.exception)
