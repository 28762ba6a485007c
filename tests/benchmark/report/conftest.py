"""Runs with everything that a report shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.metrics import Evaluator
from benchmark.runs.outputs import read_previews, read_scores, write_curves, write_scores

MakeRun = Callable[..., Path]

LOG = """epoch,step,loss,learning_rate,images_per_s,data_wait_s,seconds
1,3,24.6,0.001,8.5,0.001,3.5
2,6,12.4,0.0001,9.3,0.002,6.7
"""


@pytest.fixture
def make_whole_run(make_scored_run: MakeRun, tmp_path: Path) -> MakeRun:
    """A function that writes a run with scores, previews, curves, a log and, for some images, the files."""

    def make(name: str, **kwargs: object) -> Path:
        directory = make_scored_run(name, **kwargs)
        previews, rows = read_previews(directory), read_scores(directory)
        evaluator = Evaluator(protocols=("exact",))
        evaluator.update(
            previews.maps,
            previews.masks,
            labels=np.array([row.label for row in rows]),
            image_scores=np.array([row.score for row in rows], np.float32),
            classes=[row.class_name for row in rows],
            groups=[row.groups for row in rows],
        )
        write_curves(directory, evaluator.curves())
        photo = tmp_path / "photo.png"
        Image.fromarray(np.arange(40 * 60 * 3, dtype=np.uint32).reshape(40, 60, 3).astype(np.uint8)).save(
            photo
        )
        write_scores(directory, [dataclasses.replace(row, image=str(photo)) for row in rows])
        (directory / "train_log.csv").write_text(LOG)
        return directory

    return make
