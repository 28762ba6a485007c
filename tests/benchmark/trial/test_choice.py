"""Which method is recommended, and in what words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.runs.collect import Run
from benchmark.runs.outputs import write_scores
from benchmark.runs.record import Cost, read_record
from benchmark.trial.choice import choose
from cocoad.base.errors import InputError

MakeRun = Any


def scored(
    make: MakeRun, name: str, signal: float, auroc: float | None, speed: float, images: int = 60
) -> Run:
    directory: Path = make(
        name, signal=signal, images=images, exact=auroc, score=auroc, cost=Cost(test_images_per_s=speed)
    )
    return Run(directory, read_record(directory))


def test_the_one_that_the_bootstrap_finds_better_is_chosen_although_it_is_slower(
    make_scored_run: MakeRun,
) -> None:
    good, bad = scored(make_scored_run, "a", 6.0, 0.99, 5), scored(make_scored_run, "b", 0.0, 0.5, 50)
    found = choose([bad, good])
    assert found.chosen is good
    assert any(line.startswith("a is better than b on these images (a − b: +") for line in found.reasons)


def test_of_those_that_are_not_told_apart_the_fastest_is_chosen(make_scored_run: MakeRun) -> None:
    slow, fast = scored(make_scored_run, "a", 2.0, 0.91, 5), scored(make_scored_run, "b", 2.0, 0.90, 50)
    found = choose([slow, fast])
    assert found.chosen is fast
    assert any(line.startswith("These images are too few to tell a and b apart") for line in found.reasons)
    assert (
        "b is as good as far as these images can tell, and the fastest of those: 50 images/s against 5."
        in (found.reasons)
    )
    assert "More test images" in found.reasons[-1]


def test_speed_does_not_make_up_for_a_score_that_is_far_off(make_scored_run: MakeRun) -> None:
    slow, fast = scored(make_scored_run, "a", 2.0, 0.9, 5), scored(make_scored_run, "b", 2.0, 0.8, 50)
    assert choose([slow, fast]).chosen is slow


def test_a_handful_of_images_decides_nothing(make_scored_run: MakeRun) -> None:
    runs = [
        scored(make_scored_run, "a", 6.0, 0.99, 5, images=9),
        scored(make_scored_run, "b", 0.0, 0.5, 50, images=9),
    ]
    found = choose(runs)
    assert any(line.startswith("Too few data to tell a and b apart") for line in found.reasons)


def test_without_both_kinds_of_images_there_is_nothing_to_choose_by(make_scored_run: MakeRun) -> None:
    run = scored(make_scored_run, "a", 1.0, None, 5)
    write_scores(run.directory, [])
    with pytest.raises(InputError, match="nothing to choose by"):
        choose([run])
