"""The checks that need nothing but the dataset itself and its images."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path, PurePosixPath

import numpy as np

from cocoad.base.errors import InputError
from cocoad.base.files import hash_all, inside, is_file, sha256_file
from cocoad.base.images import image_size
from cocoad.base.processes import each_of
from cocoad.check.images import look_at_all, same_files
from cocoad.coco.partition import SPLITS, Category, partition
from cocoad.dataset.images import Images
from cocoad.dataset.manifest import (
    DATASET_FILE,
    HINT_FILE,
    BuildOptions,
    DatasetManifest,
    label_contradictions,
    split_file,
)
from cocoad.dataset.masks import mask_digest, read_mask_file
from cocoad.dataset.official import mask_folder
from cocoad.verify.findings import Findings
from cocoad.verify.views import DatasetView, SampleView, SplitView

Advance = Callable[[], None]  # called once per image or mask checked


def check_partition(view: DatasetView, findings: Findings) -> None:
    """Each split holds out its own categories and lists each image once; all splits test on the same images."""
    for split in view.splits:
        expected_categories = view.partitions.splits[split.split].held_out
        pairs = () if split.held_out is None else zip_longest(split.held_out, expected_categories)
        for found, expected in pairs:
            if found != expected:
                detail = f"{_named(found)} is where {_named(expected)} should be"
                findings.add("partition-wrong", split.where, detail=detail)
        for samples in (split.train, split.test):
            repeated = [
                ident for ident, times in Counter(sample.id for sample in samples).items() if times > 1
            ]
            findings.add_all("sample-duplicate", split.where, repeated)
        tested = {sample.image for sample in split.test}
        in_both = [sample.id for sample in split.train if sample.image in tested]
        findings.add_all("train-in-test", split.where, in_both)
        ids = {sample.id for sample in split.test}
        shared = [s.id for s in split.train if s.id in ids and s.image not in tested]
        findings.add_all("id-in-both", split.where, shared)
    _check_across_splits(view, findings)


def _named(category: Category | None) -> str:
    return "nothing" if category is None else f"{category.id} {category.name!r}"


def check_not_empty(split: SplitView, findings: Findings) -> None:
    """A split has images to train on and to test on, anomalous ones among them."""
    anomalous = [sample for sample in split.test if sample.label]
    kinds = {"training": split.train, "test": split.test, "anomalous test": anomalous}
    if absent := [kind for kind, samples in kinds.items() if not samples]:
        findings.add("split-empty", split.where, detail=f"it has no {absent[0]} image")


def _check_across_splits(view: DatasetView, findings: Findings) -> None:
    if not view.splits:
        return
    tests = [{sample.id for sample in split.test} for split in view.splits]
    common, union = set.intersection(*tests), set.union(*tests)
    findings.add_all("test-sets-differ", "all splits", sorted(union - common))
    options = view.manifest.options if view.manifest else None
    own = view.partitions.sha256 is not None  # which may hold out what it likes
    complete = not own and {split.split for split in view.splits} == set(SPLITS)
    by_the_rules = options is None or (options.unannotated == "exclude" and options.crowd == "include")
    if complete and by_the_rules:
        anomalous = {sample.id for split in view.splits for sample in split.test if sample.label}
        findings.add_all("never-held-out", "test", sorted(common - anomalous))
        trains = [{sample.id for sample in split.train} for split in view.splits]
        everywhere: set[int] = set.intersection(*trains)
        findings.add_all("never-held-out", "train", sorted(everywhere))


def check_labels(view: DatasetView, split: SplitView, findings: Findings) -> None:
    """A test image is anomalous exactly when it has a mask, and held-out categories of this split."""
    findings.add_all("train-anomalous", split.where, [s.id for s in split.train if s.label or s.mask])
    held_out = view.held_out(split.split)
    labels: dict[str, set[int]] = defaultdict(set)
    for sample in split.test:
        labels[sample.image].add(sample.label)
        if problem := next(label_contradictions(sample, held_out), None):
            findings.add("label-contradicts", split.where, sample.id, problem)
    two = {image for image, found in labels.items() if len(found) > 1}
    findings.add_all("file-two-labels", split.where, [s.id for s in split.test if s.image in two])


def check_images(view: DatasetView, images: Images, findings: Findings, advance: Advance) -> None:
    """Every image is there, whole to its end, and of the recorded size; none is both trained on and tested on."""
    every = (s for split in view.splits for s in (*split.train, *split.test))
    samples = {(s.image, s.width, s.height, s.image_sha256): s for s in every}
    allowed = view.manifest is not None and view.manifest.options.allow_missing_images
    wanted: list[tuple[SampleView, Path]] = []
    for sample in samples.values():
        try:
            wanted.append((sample, images.path(sample.image)))
        except InputError as error:
            findings.add("path-unsafe", "images", sample.id, str(error))
    sizes = [(s.width, s.height) if s.width is not None and s.height is not None else None for s, _ in wanted]
    paths = [path for _, path in wanted]
    looked = look_at_all(list(zip(paths, sizes, strict=True)), False, advance)
    there: dict[str, Path] = {}
    whole: list[tuple[SampleView, Path]] = []
    for (sample, path), problem in zip(wanted, looked, strict=True):
        if problem is None or problem[0] != "image-missing":
            there[sample.image] = path
        if problem is None:
            whole.append((sample, path))
            continue
        code = "image-absent" if problem[0] == "image-missing" and allowed else problem[0]
        findings.add(code, "images", sample.id, problem[1])
    _check_hashes(whole, findings)
    _check_same_files(view, same_files(there.items()), findings)


def _check_hashes(whole: Sequence[tuple[SampleView, Path]], findings: Findings) -> None:
    """Each image has the recorded hash, where the build recorded them."""
    recorded = {sample.image: sample for sample, _ in whole if sample.image_sha256 is not None}
    if not recorded:
        return
    unhashed = sorted({sample.id for sample, _ in whole if sample.image_sha256 is None})
    findings.add_all("image-unhashed", "images", unhashed)
    digests = dict(hash_all([(sample.image, path) for sample, path in whole if sample.image in recorded]))
    for sample, path in whole:
        if sample.image_sha256 is not None and digests[sample.image] != sample.image_sha256:
            findings.add("image-changed", "images", sample.id, str(path))


def _check_same_files(view: DatasetView, groups: list[list[str]], findings: Findings) -> None:
    """No image to train on is, byte for byte, one to test on."""
    group_of = {image: number for number, group in enumerate(groups) for image in group}
    for split in view.splits:
        tested = {group_of[s.image]: s.image for s in split.test if s.image in group_of}
        for sample in split.train:
            twin = tested.get(group_of.get(sample.image, -1))
            if twin is not None and twin != sample.image:
                findings.add(
                    "train-in-test", split.where, sample.id, f"{sample.image} and {twin} are one file"
                )


def check_masks(view: DatasetView, images: Images | None, findings: Findings, advance: Advance) -> None:
    """Every mask is there, bilevel, of its image's size, not empty unless it was built so, and as it was built."""
    for split in view.splits:
        masked = [sample for sample in split.test if sample.mask]
        problems = each_of(masked, lambda sample: _mask_problem(view.directory, images, sample), advance)
        for sample, problem in zip(masked, problems, strict=True):
            if problem:
                findings.add(problem[0], split.where, sample.id, problem[1])


def _mask_problem(directory: Path, images: Images | None, sample: SampleView) -> tuple[str, str] | None:
    assert sample.mask is not None
    try:
        path = inside(directory, sample.mask)
    except InputError as error:
        return "path-unsafe", str(error)
    if not is_file(path):
        return "mask-missing", sample.mask
    expected = _expected_size(images, sample)
    try:
        mode, gray = read_mask_file(path, expected)
    except InputError as error:
        return "mask-unreadable", str(error)
    if mode not in ("1", "L"):
        return "mask-not-bilevel", f"{sample.mask} is of Pillow's mode {mode}"
    mask = gray > 0
    size, pixels = (mask.shape[1], mask.shape[0]), int(np.count_nonzero(mask))
    if mode == "L" and np.count_nonzero(gray == 255) != pixels:
        return "mask-not-bilevel", sample.mask
    if expected is not None and size != expected:
        return "mask-size", f"{size[0]}×{size[1]}, its image is {expected[0]}×{expected[1]}"
    if pixels == 0 and sample.anomalous_pixels != 0:
        return "mask-empty", sample.mask
    if sample.anomalous_pixels is not None and pixels != sample.anomalous_pixels:
        return "mask-area", f"{pixels} pixels, recorded {sample.anomalous_pixels}"
    if sample.mask_sha256 is not None and mask_digest(mask) != sample.mask_sha256:
        return "mask-changed", sample.mask
    return None if pixels else ("mask-blank", sample.mask)


def _expected_size(images: Images | None, sample: SampleView) -> tuple[int, int] | None:
    """Return an image's (width, height) as recorded or by its header; None where neither can be had."""
    if sample.width is not None and sample.height is not None:
        return sample.width, sample.height
    if images is None:
        return None
    try:
        return image_size(images.path(sample.image))
    except InputError:
        return None


def check_inputs(manifest: DatasetManifest, annotations: Mapping[str, Path], findings: Findings) -> None:
    """The annotation files (by part, train and val) are still those that the dataset was built from."""
    for part, recorded in manifest.inputs.items():
        path = annotations[part]
        if not path.is_file():
            findings.add("input-unchecked", recorded.name, detail=f"there is no {path}")
        elif path.stat().st_size != recorded.bytes or sha256_file(path) != recorded.sha256:
            findings.add("input-changed", recorded.name, detail=str(path))


def check_stray_files(view: DatasetView, findings: Findings) -> None:
    """Nothing lies in the dataset that does not belong to it; of a split that cannot be read nobody knows."""
    expected = {sample.mask for split in view.splits for sample in split.test if sample.mask}
    if view.manifest is not None:
        roots = [view.directory]
        expected |= {DATASET_FILE, HINT_FILE} | {split_file(int(key)) for key in view.manifest.splits}
    else:
        roots = [view.directory / mask_folder(split.split) for split in view.splits]
    read = {str(split.split) for split in view.splits}
    unknown = {
        f"masks/split_{key}" for key in (view.manifest.splits if view.manifest else {}) if key not in read
    }
    for root in roots:
        found = (
            path.relative_to(view.directory).as_posix() for path in sorted(root.rglob("*")) if path.is_file()
        )
        stray = [n for n in found if n not in expected and str(PurePosixPath(n).parent) not in unknown]
        findings.add_all("stray-file", "files", stray)


def check_official_options(manifest: DatasetManifest, findings: Findings) -> None:
    """The dataset was built with the options of the published one."""
    for option, chosen in manifest.unofficial.items():
        detail = f"{option} is {chosen}, officially {getattr(BuildOptions(), option, 'coco-ad')}"
        findings.add("options-not-official", DATASET_FILE, option, detail)


def check_official_counts(split: SplitView, findings: Findings) -> None:
    """The numbers of images are the published ones (for COCO-AD's own splits alone)."""
    official, confirmed = partition(split.split).official, partition(split.split).confirmed
    anomalous = sum(sample.label for sample in split.test)
    counts = (len(split.train), len(split.test) - anomalous, anomalous)
    published = (official.train_normal, official.test_normal, official.test_anomalous)
    if counts == published:
        return
    only_test_pair = counts[0] == published[0] and sum(counts[1:]) == sum(published[1:])
    code = "counts-unconfirmed" if only_test_pair and not confirmed else "counts-not-official"
    findings.add(
        code, split.where, detail=f"train normal, test normal, test anomalous {counts}, official {published}"
    )
