"""Numbers do not drift: a small run of every method, from drawing a COCO to the record, beside what it gave before.

Where a method's scores were meant to change, raise its version in its facts and write the file anew:
``COCOAD_WRITE_GOLDEN=1 pytest tests/benchmark/test_golden_runs.py -p no:xdist``.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.config import RunConfig
from benchmark.methods.registry import facts_of, method_class, names
from benchmark.runs.record import TRAIN_LOG_FILE, read_record
from benchmark.testing import Subject
from benchmark.training.runner import run
from cocoad.build.builder import build_dataset
from cocoad.sample import draw_sample

GOLDEN = Path(__file__).with_name("golden_runs.json")
METRICS = ("image_auroc", "pixel_auroc", "pixel_ap", "aupro", "mad")
# Kernels of other processors and other decoders round differently. A low rate keeps a training from carrying that
# on; what is changed about the training shows in the loss.
SHORT: dict[str, Any] = {
    "epochs": 1, "iterations": None, "batch_size": 4, "learning_rate": 1e-5, "learning_rate_batch": None,
    "warmup_iterations": 0,
}  # fmt: skip
TOLERANCE, LOSS_TOLERANCE = 0.05, 0.01  # of metrics, absolute; of a loss, relative


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("golden")
    draw_sample(root / "coco", train=24, val=24, size=96, seed=0)
    build_dataset(root / "coco", root / "coco-ad", splits=[0])
    return root / "coco-ad"


@pytest.mark.parametrize("name", names())
def test_a_small_run_gives_what_it_gave_before(name: str, dataset: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    subject = Subject(method_class(name))
    config = RunConfig(
        method=name,
        dataset=dataset,
        image_size=subject.sizes[0],
        backbone=subject.small_backbone,
        weights="random",
        recipe=replace(facts_of(name).presets["paper"], **SHORT),
        device="cpu",
        workers=0,
        use_cache=False,
    )
    directory = run(config, tmp_path)
    record = read_record(directory)
    found = {
        "version": record.method.version,
        "pixels": record.dataset.pipeline,
        **{metric: record.metrics["ader"][metric] for metric in METRICS},
    }
    if facts_of(name).training == "gradient":
        with (directory / TRAIN_LOG_FILE).open() as log:
            found["loss"] = float(list(csv.DictReader(log))[-1]["loss"])
    known = json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {}
    if os.environ.get("COCOAD_WRITE_GOLDEN"):
        known[name] = {
            key: round(value, 5) if isinstance(value, float) else value for key, value in found.items()
        }
        GOLDEN.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    loss, known_loss = found.pop("loss", 0.0), known[name].pop("loss", 0.0)
    assert loss == pytest.approx(known_loss, rel=LOSS_TOLERANCE), f"the loss of {name} changed"
    assert found == pytest.approx(known[name], abs=TOLERANCE), (
        f"the scores of {name} changed: raise its version, or find out why"
    )
