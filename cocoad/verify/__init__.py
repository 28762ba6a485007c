"""Is a dataset sound? A built dataset, or one in the official layout, becomes findings, each with a stable code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cocoad.base.door import make_callable
from cocoad.base.errors import EXIT_FINDINGS, EXIT_OK, InputError
from cocoad.base.images import without_size_warnings
from cocoad.coco.layout import find_recorded
from cocoad.dataset.images import find_coco_root, find_images, official_root
from cocoad.dataset.manifest import DATASET_FILE
from cocoad.verify import checks, form
from cocoad.verify.deep import check_against_annotations
from cocoad.verify.findings import CATALOGUE, Finding, Findings, Rule
from cocoad.verify.views import DatasetView, read_view

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["CATALOGUE", "Finding", "Findings", "Rule", "as_json", "exit_code", "verify"]
make_callable(__name__, f"{__name__}:verify")


@without_size_warnings()
def verify(
    directory: str | Path,
    *,
    coco_root: str | Path | None = None,
    train_annotations: Path | None = None,
    val_annotations: Path | None = None,
    deep: bool = False,
    official: bool = False,
    progress: Progress | None = None,
) -> Findings:
    """Check a dataset and return what is wrong with it.

    Args:
        directory: a built dataset, or a COCO root with `meta_20_K.json` files in the official layout.
        coco_root: where the images are; by default $COCO_ROOT or the build's hint (the directory itself for the
            official layout).
        train_annotations, val_annotations: where the annotation files are, if not under ``coco_root``.
        deep: also recompute every label and mask from the annotations.
        official: also demand the published counts, and the options that they came from.
        progress: where to show how far the checks are.

    Raises:
        InputError: it cannot be checked: no dataset, no annotations to go deep into, a COCO root that is none.
    """
    findings = Findings(built=(Path(directory) / DATASET_FILE).is_file())
    coco_root = None if coco_root is None else Path(coco_root)
    view = read_view(Path(directory), findings)
    if not view.splits:
        return findings  # which say why there is none
    root = _image_root(view, coco_root, required=deep)
    form.check_splits(view, findings, official)
    form.check_own_partition(view, findings)
    form.check_ids(view, findings)
    checks.check_partition(view, findings)
    if official and view.manifest is not None:
        checks.check_official_options(view.manifest, findings)
    for split in view.splits:
        checks.check_not_empty(split, findings)
        checks.check_labels(view, split, findings)
        form.check_samples(view, split, findings)
        if official and view.partitions.sha256 is None:
            checks.check_official_counts(split, findings)
    checks.check_stray_files(view, findings)
    masks = sum(bool(sample.mask) for split in view.splits for sample in split.test)
    paths = {sample.image for split in view.splits for sample in (*split.train, *split.test)}
    images = None if root is None else find_images(view.directory, sorted(paths), root)
    checks.check_masks(view, images, findings, _counter(progress, "masks", masks))
    if root is None or images is None:
        findings.add("images-unchecked", "images")
        return findings
    checks.check_images(view, images, findings, _counter(progress, "images", len(paths)))
    annotations = _annotation_files(view, root, {"train": train_annotations, "val": val_annotations})
    if view.manifest is not None:
        checks.check_inputs(view.manifest, annotations, findings)
    if deep:
        advance = _counter(progress, "splits against the annotations", len(view.splits))
        check_against_annotations(view, annotations, images, findings, advance)
    return findings


def _annotation_files(view: DatasetView, root: Path, given: Mapping[str, Path | None]) -> dict[str, Path]:
    """Say where train2017's and val2017's annotations are: as given, else as the build recorded their names."""
    recorded = view.manifest.inputs if view.manifest else {}
    names = {
        part: recorded[part].name if part in recorded else f"instances_{part}2017.json" for part in given
    }
    return {part: path or find_recorded(root, part, names[part]) for part, path in given.items()}


def _image_root(view: DatasetView, given: Path | None, required: bool) -> Path | None:
    if view.manifest is None:
        return official_root(view.directory, given)
    try:
        return find_coco_root(view.directory, given)
    except InputError:
        if given is not None or required:
            raise
        return None


def _counter(progress: Progress | None, what: str, total: int) -> checks.Advance:
    if progress is None:
        return lambda: None
    task = progress.add_task(f"checking {what}", total=total)
    return lambda: progress.advance(task)


def exit_code(findings: Findings) -> int:
    """Return 1 when there is an error among the findings; warnings alone leave a dataset sound."""
    return EXIT_FINDINGS if findings.errors else EXIT_OK


def as_json(directory: Path, findings: Findings) -> dict[str, Any]:
    """Return the findings for programs, every concerned id included."""
    return {
        "format": "cocoad-findings",
        "format_version": 1,
        "dataset": str(directory),
        "sound": findings.errors == 0,
        "findings": findings.as_json(),
    }
