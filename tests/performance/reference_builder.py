"""The straightforward builder: pycocotools' COCO class, one split after the other, OpenCV's PNG writer.

Its output is the same as `cocoad build`'s but for the encoding of PNG files, whose pixels are equal. It is
the measure of speed and, being written the obvious way, as a second opinion on the result.

    python tests/performance/reference_builder.py COCO_ROOT OUT
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from pycocotools.coco import COCO

from cocoad import __version__
from cocoad.base.files import sha256_file
from cocoad.coco.partition import SPLITS, partition
from cocoad.dataset.manifest import (
    BuildOptions,
    DatasetManifest,
    InputFile,
    SplitManifest,
    SplitSummary,
    TestSample,
    TrainSample,
    encode,
    mask_path,
)


def build(root: Path, out: Path) -> None:
    """Build all splits with the default options."""
    parts: tuple[Literal["train"], Literal["val"]] = ("train", "val")
    paths = {part: root / "annotations" / f"instances_{part}2017.json" for part in parts}
    train, val = COCO(paths["train"]), COCO(paths["val"])
    inputs = {k: InputFile(path.name, path.stat().st_size, sha256_file(path)) for k, path in paths.items()}
    summaries = {str(split): build_split(train, val, split, out) for split in SPLITS}
    manifest = DatasetManifest("cocoad-dataset", 1, __version__, BuildOptions(), inputs, summaries, [])
    (out / "dataset.json").write_bytes(encode(manifest))


def build_split(train: COCO, val: COCO, split: int, out: Path) -> SplitSummary:
    """Build one split."""
    held_out = {category.id for category in partition(split).held_out}
    (out / mask_path(split, 0)).parent.mkdir(parents=True)
    normal = []
    for image_id in sorted(train.getImgIds()):
        annotations = train.loadAnns(train.getAnnIds(image_id))
        if annotations and not any(a["category_id"] in held_out for a in annotations):
            image = train.imgs[image_id]
            normal.append(
                TrainSample(image_id, f"train2017/{image['file_name']}", image["width"], image["height"])
            )
    test = []
    for image_id in sorted(val.getImgIds()):
        annotations = val.loadAnns(val.getAnnIds(image_id))
        if not annotations:
            continue
        image = val.imgs[image_id]
        fields = image_id, f"val2017/{image['file_name']}", image["width"], image["height"]
        anomalous = [a for a in annotations if a["category_id"] in held_out]
        if not anomalous:
            test.append(TestSample(*fields, 0))
            continue
        mask = np.zeros((image["height"], image["width"]), np.uint8)
        for annotation in anomalous:
            draw(val, annotation, mask)
        path = mask_path(split, image_id)
        cv2.imwrite(str(out / path), mask)
        digest = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
        present = tuple(sorted({a["category_id"] for a in anomalous}))
        test.append(TestSample(*fields, 1, path, digest, present, int((mask > 0).sum())))
    manifest = SplitManifest("cocoad-split", 1, split, list(partition(split).held_out), normal, test)
    data = encode(manifest)
    (out / f"split_{split}.json").write_bytes(data)
    labels = [sample.label for sample in test]
    official = partition(split).official
    counts = len(normal), labels.count(0), labels.count(1)
    equal = counts == (official.train_normal, official.test_normal, official.test_anomalous)
    return SplitSummary(*counts, equal, hashlib.sha256(data).hexdigest())


def draw(coco: COCO, annotation: dict[str, Any], mask: np.ndarray[Any, Any]) -> None:
    """Draw one annotation as the published benchmark does."""
    if isinstance(annotation["segmentation"], list):
        for ring in annotation["segmentation"]:
            cv2.fillPoly(mask, [np.array(ring).reshape(-1, 2).astype(np.int32)], 255)
    else:
        mask[coco.annToMask(annotation) > 0] = 255


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
