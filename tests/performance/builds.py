"""The toolkit at COCO's size: building beside the straightforward builder, and what reads a build beside building."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from table import Bench, Cost, Row, command, tool

from cocoad.coco.partition import SPLITS
from cocoad.dataset.manifest import read_dataset, read_split
from cocoad.dataset.masks import mask_digest, read_mask_png
from cocoad.sample import draw_annotations

REFERENCE = Path(__file__).with_name("reference_builder.py")
TRAIN, VAL = 118_287, 5_000  # images of COCO 2017
LONGEST = {"verify": 2.0, "verify --deep": 2.0, "check": 2.0, "stats": 2.0}  # times the build
MOST_MB = 1000


def measure(bench: Bench) -> Iterator[Row]:
    """Build, verify, check and count a dataset of ``share`` times COCO's number of images, without pixels."""
    root = bench.work / "coco"
    draw_annotations(root, train=round(TRAIN * bench.share), val=round(VAL * bench.share))
    ours, theirs = bench.work / "ours", bench.work / "theirs"

    def build() -> Cost:
        shutil.rmtree(ours, ignore_errors=True)
        return tool("cocoad", "build", "--allow-missing-images", "--coco-root", root, "--out", ours)

    def straightforward() -> Cost:
        shutil.rmtree(theirs, ignore_errors=True)
        return command(sys.executable, REFERENCE, root, theirs)

    built, other = bench.turns(build, straightforward)
    _assert_same(ours, theirs)
    size = f"{round(TRAIN * bench.share) + round(VAL * bench.share):,} images"
    wanted = 5 if bench.by != "clock" else 6 if bench.busy else 10
    yield bench.faster(f"`cocoad build`, {size}", built, other, wanted, "pycocotools, same bytes")
    peaks = [built.peak_mb or 0.0]
    for name, limit in LONGEST.items():
        words = [*name.split(), root if name == "check" else ours]
        (cost,) = bench.turns(lambda words=words: tool("cocoad", *words, codes=(0, 1)))  # type: ignore[misc]
        peaks.append(cost.peak_mb or 0.0)
        yield bench.dearer(f"`cocoad {name}`", cost, built, limit, "the build")
    peak = max(peaks)
    told = f"{other.peak_mb or 0:,.0f} MB (pycocotools, the build)"
    yield Row("memory of the dearest of these", f"{peak:,.0f} MB", told, peak, MOST_MB, unit="MB")


def _assert_same(ours: Path, theirs: Path) -> None:
    """The split files are equal to the byte, so are their masks' pixels, and all that can be of the manifests."""
    one, other = read_dataset(ours), read_dataset(theirs)
    assert (one.splits, one.inputs) == (other.splits, other.inputs)
    for split in SPLITS:
        assert (ours / f"split_{split}.json").read_bytes() == (theirs / f"split_{split}.json").read_bytes()
        for sample in read_split(theirs, split).test:
            if sample.mask is not None:
                for built in (ours, theirs):
                    assert mask_digest(read_mask_png(built / sample.mask)) == sample.mask_sha256
