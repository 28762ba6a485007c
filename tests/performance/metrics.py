"""The evaluation engine beside a sort of the same pixels, the usual way and anomalib's metrics."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import metrics_contenders as contenders
import numpy as np
from table import Bench, Cost, Row, here

from benchmark.metrics import Evaluator

TEST_IMAGES = 4952  # of COCO-AD
COMPARED = 0.04  # of them, with the usual ways, which take minutes and gigabytes for all
APART = 1e-3
GPU = "make performance WITH='--only metrics'"


def measure(bench: Bench) -> Iterator[Row]:
    """Score the maps of a test set of ``share`` times COCO-AD's size: 256×256, all metrics, both protocols."""
    images = max(32, round(TEST_IMAGES * bench.share))
    maps, masks = _made(bench.work / "maps", images)
    signed, pixels = maps - np.float32(0.6), maps.size
    sides = bench.turns(
        lambda: here(lambda: contenders.cocoad(maps, masks)),
        lambda: here(lambda: contenders.cocoad(signed, masks)),
        lambda: here(lambda: np.sort(maps, axis=None)),
        lambda: here(lambda: np.sort(signed, axis=None)),
        lambda: here(lambda: _grouped(maps, masks)),
    )
    positive, both, sort, signed_sort, groups = sides
    size = f"{images:,} maps of 256×256"
    yield bench.dearer(
        f"metrics, {size}, non-negative", positive, sort, 0.4, f"np.sort of {pixels / 1e6:.0f} M"
    )
    yield bench.dearer(f"metrics, {size}, scores of both signs", both, signed_sort, 1.0, "np.sort")
    yield bench.dearer(f"metrics, {size}, 23 groups at once", groups, positive, 1.5, "no groups")
    yield from _beside_others(bench)
    yield _on_a_gpu()


def _made(folder: Path, images: int) -> tuple[Any, Any]:
    folder.mkdir()
    contenders.make(folder, images)
    maps, masks = (np.load(folder / f"{kind}.npy") for kind in ("maps", "masks"))
    return maps, masks


def _grouped(maps: Any, masks: Any) -> None:
    """Score in 20 categories and 3 sizes; an image is in one of each."""
    evaluator = Evaluator()
    for start in range(0, len(maps), contenders.BATCH):
        chosen = slice(start, start + contenders.BATCH)
        groups = [(f"category:{at % 20}", f"size:{at % 3}") for at in range(start, start + len(maps[chosen]))]
        evaluator.update(maps[chosen], masks[chosen], groups=groups)
    evaluator.compute()


def _beside_others(bench: Bench) -> Iterator[Row]:
    """Each way in a process of its own, so that its peak memory is its own."""
    images = max(200, round(TEST_IMAGES * bench.share * COMPARED))
    folder = bench.work / "few"
    _made(folder, images)
    ours = [_contender("cocoad", folder) for _ in range(bench.rounds)]
    best, values = min(ours, key=lambda one: bench.seconds(one[0]))
    for name, wanted in (("usual", 80), ("anomalib", 40)):
        if name == "anomalib" and find_spec("anomalib") is None:
            yield Row(f"metrics, {images} maps", "", name, None, wanted, True, "pip install anomalib")
            continue
        theirs, others = _contender(name, folder)
        apart = max(abs(value - values[metric]) for metric, value in others.items())
        assert apart < APART, f"{name} differs by {apart}"
        yield bench.faster(
            f"metrics, {images} maps", best, theirs, wanted, {"usual": "scikit-learn"}.get(name, name),
            f"values at most {apart:.0e} apart",
        )  # fmt: skip


def _contender(name: str, folder: Path) -> tuple[Cost, dict[str, float]]:
    command = [sys.executable, contenders.__file__, name, str(folder)]
    said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return Cost(said["seconds"], said["processor"], said["peak_bytes"] / 1e6), said["metrics"]


def _on_a_gpu() -> Row:
    import torch

    what = f"metrics, {TEST_IMAGES:,} maps on a GPU"
    if not torch.cuda.is_available():
        return Row(what, "", "–", None, 1, note=f"`{GPU}`", unit="s")
    masks = torch.zeros((TEST_IMAGES, 256, 256), dtype=torch.bool, device="cuda")
    masks[1::2, 60:150, 80:170] = True
    maps = torch.rand(masks.shape, device="cuda") + 0.3 * masks

    def score() -> None:
        evaluator = Evaluator()
        for start in range(0, len(maps), 128):
            evaluator.update(maps[start : start + 128], masks[start : start + 128])
        evaluator.compute()
        torch.cuda.synchronize()

    score()  # warms up
    seconds = here(score).clock
    return Row(what, f"{seconds:.2f} s", "–", seconds, 1, unit="s")
