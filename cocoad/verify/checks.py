"""The checks that need nothing but the dataset itself and its images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from cocoad.base.errors import InputError
from cocoad.base.files import inside, sha256_file
from cocoad.base.images import MissingImageError, image_size
from cocoad.coco.partition import SPLITS, partition
from cocoad.dataset.manifest import (
    DATASET_FILE,
    HINT_FILE,
    BuildOptions,
    DatasetManifest,
    label_contradictions,
    split_file,
)
from cocoad.dataset.masks import mask_digest, read_mask_gray
from cocoad.dataset.official import mask_folder
from cocoad.verify.findings import Findings
from cocoad.verify.views import DatasetView, SampleView, SplitView

Advance = Callable[[], None]  # called once per image or mask checked


def check_partition(view: DatasetView, findings: Findings) -> None:
    """Each split holds out its own categories and lists each image once; all splits test on the same images."""
    for split in view.splits:
        for found, expected in zip(split.held_out or (), partition(split.split).held_out, strict=False):
            if found != expected:
                detail = f"{found.id} {found.name!r} is where {expected.id} {expected.name!r} should be"
                findings.add("partition-wrong", split.where, detail=detail)
        for samples in (split.train, split.test):
            repeated = [
                ident for ident, times in Counter(sample.id for sample in samples).items() if times > 1
            ]
            findings.add_all("sample-duplicate", split.where, repeated)
        tested = {sample.image for sample in split.test}
        in_both = [sample.id for sample in split.train if sample.image in tested]
        findings.add_all("train-in-test", split.where, in_both)
    _check_across_splits(view, findings)


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
    complete = {split.split for split in view.splits} == set(SPLITS)
    by_the_rules = options is None or (options.unannotated == "exclude" and options.crowd == "include")
    if complete and by_the_rules:
        anomalous = {sample.id for split in view.splits for sample in split.test if sample.label}
        findings.add_all("never-held-out", "test", sorted(common - anomalous))
        trains = [{sample.id for sample in split.train} for split in view.splits]
        everywhere: set[int] = set.intersection(*trains)
        findings.add_all("never-held-out", "train", sorted(everywhere))


def check_labels(split: SplitView, findings: Findings) -> None:
    """A test image is anomalous exactly when it has a mask, and held-out categories of this split."""
    findings.add_all("train-anomalous", split.where, [s.id for s in split.train if s.label or s.mask])
    held_out = {category.id for category in partition(split.split).held_out}
    for sample in split.test:
        if problem := next(label_contradictions(sample, held_out), None):
            findings.add("label-contradicts", split.where, sample.id, problem)


def check_images(view: DatasetView, coco_root: Path, findings: Findings, advance: Advance) -> None:
    """Every image is there, readable, and of the recorded size (headers only are read)."""
    samples = {(s.image, s.width, s.height): s for split in view.splits for s in (*split.train, *split.test)}
    allowed = view.manifest is not None and view.manifest.options.allow_missing_images

    def check(sample: SampleView) -> tuple[str, str] | None:
        advance()
        try:
            path = inside(coco_root, sample.image)
        except InputError as error:
            return "path-unsafe", str(error)
        try:
            width, height = image_size(path)
        except MissingImageError:
            return ("image-absent" if allowed else "image-missing"), str(path)
        except InputError as error:
            return "image-unreadable", str(error)
        if sample.width is not None and (width, height) != (sample.width, sample.height):
            return "image-size", f"{width}×{height}, recorded {sample.width}×{sample.height}"
        return None

    with ThreadPoolExecutor() as pool:
        for sample, problem in zip(samples.values(), pool.map(check, samples.values()), strict=True):
            if problem:
                findings.add(problem[0], "images", sample.id, problem[1])


def check_masks(view: DatasetView, coco_root: Path | None, findings: Findings, advance: Advance) -> None:
    """Every mask is there, bilevel, of its image's size, not empty unless it was built so, and as it was built."""
    with ThreadPoolExecutor() as pool:
        for split in view.splits:
            masked = [sample for sample in split.test if sample.mask]

            def check(sample: SampleView) -> tuple[str, str] | None:
                advance()
                return _mask_problem(view.directory, coco_root, sample)

            for sample, problem in zip(masked, pool.map(check, masked), strict=True):
                if problem:
                    findings.add(problem[0], split.where, sample.id, problem[1])


def _mask_problem(directory: Path, coco_root: Path | None, sample: SampleView) -> tuple[str, str] | None:
    assert sample.mask is not None
    try:
        path = inside(directory, sample.mask)
    except InputError as error:
        return "path-unsafe", str(error)
    if not path.is_file():
        return "mask-missing", sample.mask
    expected = _expected_size(coco_root, sample)
    try:
        gray = read_mask_gray(path, expected)
    except InputError as error:
        return "mask-unreadable", str(error)
    mask = gray > 0
    size, pixels = (mask.shape[1], mask.shape[0]), int(mask.sum())
    if not ((gray == 0) | (gray == 255)).all():
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


def _expected_size(coco_root: Path | None, sample: SampleView) -> tuple[int, int] | None:
    """Return an image's (width, height) as recorded or by its header; None where neither can be had."""
    if sample.width is not None and sample.height is not None:
        return sample.width, sample.height
    if coco_root is None:
        return None
    try:
        return image_size(inside(coco_root, sample.image))
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
    for option, chosen in manifest.options.unofficial.items():
        detail = f"{option} is {chosen}, officially {getattr(BuildOptions(), option)}"
        findings.add("options-not-official", DATASET_FILE, option, detail)


def check_official_counts(split: SplitView, findings: Findings) -> None:
    """The numbers of images are the published ones."""
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
