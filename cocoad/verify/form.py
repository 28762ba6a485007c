"""The checks of what a dataset's layout fixes: which splits there are, their order, and where things lie."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from pathlib import PurePosixPath

from cocoad.coco.own import digest
from cocoad.coco.partition import SPLITS
from cocoad.dataset.manifest import DATASET_FILE, mask_path
from cocoad.dataset.official import UNFINISHED, mask_folder, meta_file
from cocoad.verify.findings import Findings
from cocoad.verify.views import DatasetView, SampleView, SplitView

_SPLIT = re.compile(r"(?:split_|val2017_mask_ad_20_)([0-9]{1,3})(?:\.json)?")


def check_splits(view: DatasetView, findings: Findings, official: bool) -> None:
    """No split is there in part, and with ``official`` none of COCO-AD's is absent."""
    listed = {split.split for split in view.splits}
    if view.manifest is not None:
        listed |= set(map(int, view.manifest.splits))
        found = [*view.directory.glob("split_*.json"), *view.directory.glob("masks/split_*")]
    else:
        found = [view.directory / mask_folder(split) for split in SPLITS]
        if (view.directory / UNFINISHED).exists():
            findings.add("split-missing", "all splits", detail="the export was not finished: repeat it")
        listed |= {split for split in SPLITS if (view.directory / meta_file(split)).is_file()}
    for path in sorted(path for path in found if path.exists()):
        number = _SPLIT.fullmatch(path.name)
        if number and int(number[1]) not in listed:
            findings.add("split-unlisted", path.relative_to(view.directory).as_posix())
    if view.partitions.sha256 is None and (absent := sorted(set(SPLITS) - listed)):
        names = ", ".join(map(str, absent))
        if official:
            findings.add("split-missing", "all splits", detail=f"COCO-AD has split {names} too")
        elif view.manifest is None:
            findings.add("splits-absent", "all splits", detail=f"there is no split {names}")


def check_samples(view: DatasetView, split: SplitView, findings: Findings) -> None:
    """A split's samples ascend, and images and masks lie where the layout has them."""
    for part, samples in (("train", split.train), ("val", split.test)):
        if view.manifest is not None:
            ids = [sample.id for sample in samples]
            out_of_order = [after for before, after in pairwise(ids) if after < before]
            findings.add_all("sample-order", split.where, out_of_order)
        folder = None if view.manifest is None else part + ("2017" if view.partitions.sha256 is None else "")
        misplaced = [sample.id for sample in samples if not _is_plain(sample.image, folder)]
        findings.add_all("image-misplaced", split.where, misplaced)
    of_mask: dict[str, list[int]] = defaultdict(list)
    for sample in split.test:
        if sample.mask:
            of_mask[PurePosixPath(sample.mask).as_posix()].append(sample.id)
    if view.manifest is not None:
        misplaced = [s.id for s in split.test if s.mask and s.mask != mask_path(split.split, s.id)]
    else:
        misplaced = sorted({ident for ids in of_mask.values() if len(ids) > 1 for ident in ids})
    findings.add_all("mask-misplaced", split.where, misplaced)


def _is_plain(image: str, folder: str | None) -> bool:
    """Say whether a path is spelled as its parts are, and begins with ``folder``; whether it is safe, others say."""
    first, *_ = parts = image.split("/")
    if first == "" and len(parts) > 1:  # from the root on
        parts = parts[1:]
    return "" not in parts and "." not in parts and folder in (None, first)


def check_ids(view: DatasetView, findings: Findings) -> None:
    """In all splits an id of a part is of one file of one size, as far as the layout says."""
    for part in ("train", "test"):
        first: dict[int, SampleView] = {}
        differing: set[int] = set()
        for split in view.splits:
            for sample in split.train if part == "train" else split.test:
                known = first.setdefault(sample.id, sample)
                if (known.image, known.width, known.height) != (sample.image, sample.width, sample.height):
                    differing.add(sample.id)
        findings.add_all("id-two-images", f"{part} of all splits", sorted(differing))


def check_own_partition(view: DatasetView, findings: Findings) -> None:
    """A partition of one's own has the hash of what it says."""
    own = None if view.manifest is None else view.manifest.partition
    if own is None:
        return
    partitions = view.partitions
    if digest(partitions.categories, list(partitions.splits)) != own.sha256:
        findings.add(
            "partition-wrong", DATASET_FILE, detail=f"the hash of {own.name} is not that of its splits"
        )
