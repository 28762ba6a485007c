"""Numbers do not drift: a small run of every method, from drawing a COCO to the record, beside what it gave before.

Where a method's scores were meant to change, raise its version in its facts and write the file anew:
``COCOAD_WRITE_GOLDEN=1 pytest tests/benchmark/test_golden_runs.py -p no:xdist``.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmark.config import RunConfig
from benchmark.methods.registry import facts_of, method_class, names
from benchmark.runs.record import read_record
from benchmark.testing import Subject
from benchmark.training.runner import run
from cocoad.build.builder import build_dataset
from cocoad.sample import draw_sample

GOLDEN = Path(__file__).with_name("golden_runs.json")
METRICS = ("image_auroc", "pixel_auroc", "pixel_ap", "aupro", "mad")
# Kernels of other processors round differently, and training carries that on; a changed formula moves more.
TOLERANCE = 0.01


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
        recipe=replace(facts_of(name).presets["paper"], epochs=1, iterations=None, batch_size=4),
        device="cpu",
        workers=0,
        use_cache=False,
    )
    record = read_record(run(config, tmp_path))
    found = {
        "version": record.method.version,
        "pixels": record.dataset.pipeline,
        **{metric: record.metrics["ader"][metric] for metric in METRICS},
    }
    known = json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {}
    if os.environ.get("COCOAD_WRITE_GOLDEN"):
        known[name] = {
            key: round(value, 5) if isinstance(value, float) else value for key, value in found.items()
        }
        GOLDEN.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    assert found == pytest.approx(known[name], abs=TOLERANCE), (
        f"the scores of {name} changed: raise its version, or find out why"
    )
