"""Recomputing a dataset from the annotations, image by image, without the builder: `cocoad verify --deep`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cocoad.base.errors import InputError
from cocoad.base.files import inside
from cocoad.base.images import image_size
from cocoad.base.processes import each_of
from cocoad.coco.annotations import Annotations, read_annotations
from cocoad.coco.outlines import rasterize
from cocoad.dataset.images import Images
from cocoad.dataset.manifest import DATASET_FILE, BuildOptions
from cocoad.dataset.masks import mask_digest, read_mask_png
from cocoad.verify.checks import Advance
from cocoad.verify.findings import Findings
from cocoad.verify.views import DatasetView, SampleView, SplitView

# Of the border's pixels: up to 0.021 was measured between OpenCV 4.10 and 4.11, 0.078 and more between the two
# rasterisers.
BORDER_SHARE = 0.05


def check_against_annotations(
    view: DatasetView,
    annotations: Mapping[str, Path],
    images: Images,
    findings: Findings,
    advance: Advance,
) -> None:
    """Compare every sample, label, category and mask with what the annotations give by the rules of COCO-AD.

    Args:
        annotations: the annotation files of ``train`` and ``val``.
    """
    options = view.manifest.options if view.manifest else BuildOptions()
    own = view.partitions.sha256 is not None
    train, val = (
        _Truth(_read(annotations[part], part, own), part + ("" if own else "2017"), options)
        for part in ("train", "val")
    )
    for truth in (train, val):
        if truth.annotations.categories != view.partitions.categories:
            detail = f"its categories are not those of {truth.annotations.name}"
            findings.add("partition-wrong", DATASET_FILE, detail=detail)
    if view.manifest is None:
        _compare_sizes(view, (train, val), images, findings)
    _ = val.rows  # before there are processes, each of which would make its own
    for split in view.splits:
        held_out = view.held_out(split.split)
        wanted = {i for i in train.members() if not train.categories[i] & held_out}
        _compare_members(split, "train", split.train, wanted, findings)
        _compare_members(split, "test", split.test, val.members(), findings)
        for truth, samples in ((train, split.train), (val, split.test)):
            foreign = [sample.id for sample in samples if truth.denies(sample)]
            findings.add_all("deep-image", split.where, foreign)
        known = [sample for sample in split.test if sample.id in val.categories]
        problems = each_of(known, functools.partial(_problems, view.directory, val, held_out))
        for sample, found in zip(known, problems, strict=True):
            for code, detail in found:
                findings.add(code, split.where, sample.id, detail)
        advance()


def _compare_sizes(
    view: DatasetView, truths: tuple[_Truth, _Truth], images: Images, findings: Findings
) -> None:
    """Compare images with the sizes in the annotations, where the dataset itself records none."""
    for number, truth in enumerate(truths):
        samples = {s.id: s for split in view.splits for s in (split.train, split.test)[number]}
        for ident, sample in sorted(samples.items()):
            if ident not in truth.sizes:
                continue
            with contextlib.suppress(InputError):  # which check_images has said
                width, height = image_size(images.path(sample.image))
                if (height, width) != truth.sizes[ident]:
                    recorded = f"{truth.sizes[ident][1]}×{truth.sizes[ident][0]}"
                    findings.add("image-size", "images", ident, f"{width}×{height}, annotated {recorded}")


def _read(path: Path, part: str, own: bool) -> Annotations:
    folder = part if own else f"{part}2017"
    return read_annotations(path, segmentations=part == "val", folder=folder, own_categories=own)


class _Truth:
    """What an annotation file says of each image, under a build's options."""

    def __init__(self, annotations: Annotations, folder: str, options: BuildOptions) -> None:
        self.annotations, self.options = annotations, options
        idents: list[int] = annotations.image_ids.tolist()
        names = zip(idents, annotations.file_names.tolist(), strict=True)
        self.images = {ident: f"{folder}/{name}" for ident, name in names}
        sides = zip(annotations.heights.tolist(), annotations.widths.tolist(), strict=True)
        self.sizes: dict[int, tuple[int, int]] = dict(zip(idents, sides, strict=True))
        self.category_of: list[int] = annotations.annotation_category_ids.tolist()  # by annotation
        self.image_of: list[int] = annotations.annotation_image_ids.tolist()
        counted = ~annotations.annotation_is_crowd | (options.crowd == "include")
        self.counted: list[int] = np.flatnonzero(counted).tolist()
        self.categories: dict[int, set[int]] = {ident: set() for ident in self.sizes}
        for row in self.counted:
            self.categories[self.image_of[row]].add(self.category_of[row])

    @functools.cached_property
    def rows(self) -> dict[int, list[int]]:
        """The annotations of each image."""
        found: dict[int, list[int]] = {ident: [] for ident in self.sizes}
        for row in self.counted:
            found[self.image_of[row]].append(row)
        return found

    def denies(self, sample: SampleView) -> bool:
        """Say whether the annotations give another file, or another size, for a sample's id."""
        image = self.images.get(sample.id)
        if image is None:
            return False  # there is no such image at all, which `_compare_members` says
        size = self.sizes[sample.id] if sample.height is None else (sample.height, sample.width)
        same = f"/{sample.image}".endswith(f"/{image}")  # the official layout may have folders before it
        return not same or size != self.sizes[sample.id]

    def members(self) -> set[int]:
        """Return the ids of the images that are in the benchmark at all."""
        return {i for i, found in self.categories.items() if found or self.options.unannotated == "normal"}

    def mask(self, image: int, held_out: set[int]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """Draw an image's mask, uint8 (H, W), 0 or 1; raise InputError when an annotation cannot be drawn."""
        drawn = [row for row in self.rows[image] if self.category_of[row] in held_out]
        shapes = [self.annotations.outline(row) for row in drawn]
        return rasterize(shapes, *self.sizes[image], self.options.rasterizer)


def _compare_members(
    split: SplitView, part: str, samples: list[SampleView], wanted: set[int], findings: Findings
) -> None:
    listed = {sample.id for sample in samples}
    findings.add_all("deep-sample-missing", f"{split.where} {part}", sorted(wanted - listed))
    findings.add_all("deep-sample-extra", f"{split.where} {part}", sorted(listed - wanted))


def _problems(directory: Path, val: _Truth, held_out: set[int], sample: SampleView) -> list[tuple[str, str]]:
    """Return the code and the detail of each thing in which a test sample differs from the annotations."""
    present = val.categories[sample.id] & held_out
    if sample.label != bool(present):
        return [("deep-label", f"it says {sample.label}, held out are {sorted(present)}")]
    found = []
    if sample.categories is not None and set(sample.categories) != present:
        found.append(("deep-categories", f"it says {sample.categories}, not {sorted(present)}"))
    if sample.mask is not None and (problem := _mask_problem(directory, val, held_out, sample, sample.mask)):
        found.append(problem)
    return found


def _mask_problem(
    directory: Path, val: _Truth, held_out: set[int], sample: SampleView, mask: str
) -> tuple[str, str] | None:
    try:
        truth = val.mask(sample.id, held_out) > 0
    except InputError as error:
        return "deep-undrawable", str(error)
    if sample.mask_sha256 == mask_digest(truth):
        return None  # check_masks holds the file to it
    height, width = val.sizes[sample.id]
    try:
        stored = read_mask_png(inside(directory, mask), (width, height))
    except InputError:
        return None  # check_masks has said so
    if stored.shape != truth.shape:
        return "deep-mask", f"its size is {stored.shape}, not {truth.shape}"
    if differing := int((stored != truth).sum()):
        code = "deep-mask-border" if _only_the_border(stored, truth) else "deep-mask"
        return code, f"{differing} pixels differ"
    return None


def _only_the_border(stored: NDArray[np.bool_], truth: NDArray[np.bool_]) -> bool:
    """Say whether two masks differ next to the outline alone, and in few of the pixels there."""
    square, mask = np.ones((3, 3), np.uint8), truth.astype(np.uint8)
    border = cv2.dilate(mask, square) != cv2.erode(mask, square)
    differing = stored != truth
    return not (differing & ~border).any() and differing.sum() <= BORDER_SHARE * border.sum()
