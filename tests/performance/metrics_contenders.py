"""Times one way of scoring a test set; prints seconds, of processors too, peak memory and metrics as JSON.

``python metrics_contenders.py make FOLDER IMAGES`` makes the set, and ``... cocoad FOLDER`` (or usual, or
anomalib) scores it. Each contender runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

SIZE, BATCH = 256, 32


def make(folder: Path, images: int) -> None:
    """Write smooth maps (float32) and COCO-like masks (bool): half the images have one to four polygons."""
    import cv2

    rng = np.random.default_rng(0)
    maps = np.lib.format.open_memmap(folder / "maps.npy", "w+", np.float32, (images, SIZE, SIZE))
    masks = np.lib.format.open_memmap(folder / "masks.npy", "w+", np.bool_, (images, SIZE, SIZE))
    for index in range(images):
        noise = cv2.GaussianBlur(rng.gamma(2, 0.3, (SIZE, SIZE)).astype(np.float32), (0, 0), 4)
        shape = np.zeros((SIZE, SIZE), np.uint8)
        for _ in range(int(rng.integers(1, 5)) if index % 2 else 0):
            points = (rng.integers(20, SIZE - 20, 2) + rng.normal(0, 25, (7, 2))).astype(np.int32)
            cv2.fillPoly(shape, [cv2.convexHull(points)], 1)
        masks[index] = shape > 0
        maps[index] = noise + 0.2 * cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 6)


def cocoad(maps: Any, masks: Any) -> dict[str, float]:
    """All eleven metrics, both protocols, in batches."""
    from benchmark.metrics import Evaluator

    evaluator = Evaluator()
    for start in range(0, len(maps), BATCH):
        evaluator.update(maps[start : start + BATCH], masks[start : start + BATCH])
    exact, ader = (evaluator.compute().metrics[name] for name in ("exact", "ader"))
    return {**exact, "aupro_100": ader["aupro"]}


def usual(maps: Any, masks: Any) -> dict[str, float]:
    """What evaluation scripts do: scikit-learn on all pixels, and 100 thresholds times all regions."""
    from scipy import ndimage
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

    maps, masks = np.asarray(maps), np.asarray(masks)
    values: dict[str, float] = {}
    levels = {"image": (masks.any((1, 2)), maps.max((1, 2))), "pixel": (masks.ravel(), maps.ravel())}
    for level, (labels, scores) in levels.items():
        values[f"{level}_auroc"] = float(roc_auc_score(labels, scores))
        values[f"{level}_ap"] = float(average_precision_score(labels, scores))
        precision, recall, _ = precision_recall_curve(labels, scores)
        values[f"{level}_f1_max"] = float(np.max(2 * precision * recall / (precision + recall + 1e-12)))
    regions = []  # labelled once, which is kinder than what many scripts do: once per threshold
    for index, mask in enumerate(masks):
        labels, number = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [(index, *np.nonzero(labels == region)) for region in range(1, number + 1)]
    low, high = float(maps.min()), float(maps.max())
    points = []
    for step in range(100):
        above = maps > low + step * (high - low) / 100
        overlap = np.mean([above[region].mean() for region in regions])
        points.append((float((above & ~masks).sum()) / float((~masks).sum()), float(overlap)))
    fpr, pro = np.array([point for point in points if point[0] < 0.3][::-1]).T
    values["aupro_100"] = float(np.trapezoid(pro, fpr) / (fpr[-1] - fpr[0]))
    return values


def anomalib(maps: Any, masks: Any) -> dict[str, float]:
    """anomalib's image and pixel AUROC and F1-max, and AUPRO, updated in batches."""
    import torch
    from anomalib.metrics.aupro import _AUPRO
    from anomalib.metrics.f1_score import _F1Max
    from torchmetrics.classification import BinaryAUROC

    metrics = {
        "image_auroc": BinaryAUROC(),
        "image_f1_max": _F1Max(),
        "pixel_auroc": BinaryAUROC(),
        "pixel_f1_max": _F1Max(),
        "aupro": _AUPRO(),
    }
    for start in range(0, len(maps), BATCH):
        scores = torch.from_numpy(np.array(maps[start : start + BATCH]))
        truth = torch.from_numpy(np.array(masks[start : start + BATCH]))
        for name, metric in metrics.items():
            if name.startswith("image"):
                metric.update(scores.amax((1, 2)), truth.any(2).any(1).int())
            elif name == "aupro":
                metric.update(scores, truth.int())
            else:
                metric.update(scores.flatten(), truth.flatten().int())
    return {name: float(metric.compute()) for name, metric in metrics.items()}


if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    if name == "make":
        make(folder, int(sys.argv[3]))
    else:
        given = [np.load(folder / f"{kind}.npy", mmap_mode="r") for kind in ("maps", "masks")]
        contender = {"cocoad": cocoad, "usual": usual, "anomalib": anomalib}[name]
        contender(given[0][:2], given[1][:2])  # warms up: imports are nobody's speed
        begin, worked = time.perf_counter(), time.process_time()
        metrics = contender(*given)
        seconds, processor = time.perf_counter() - begin, time.process_time() - worked
        status = Path("/proc/self/status").read_text()  # getrusage counts in what the parent had
        peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) << 10
        print(
            json.dumps({"seconds": seconds, "processor": processor, "peak_bytes": peak, "metrics": metrics})
        )
