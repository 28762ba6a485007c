"""What a build tells the person who asked for it."""

from __future__ import annotations

import msgspec

from cocoad.base.console import next_line, path_line
from cocoad.coco.partition import Counts, PartitionSet, partition
from cocoad.dataset.manifest import DEFAULT_DATASET, BuildOptions

WHOLE_COCO = (118_287, 5_000)  # images of train2017 and val2017
OTHER_OPTIONS = (
    "the options change who belongs to the benchmark, or its masks: scores on this dataset are not COCO-AD's "
    "(official are --rasterizer ader --unannotated exclude --crowd include)"
)


class SplitReport(msgspec.Struct, frozen=True):
    """One split's numbers of images beside the official ones."""

    counts: Counts
    official: Counts
    equals_official: bool


class BuildReport(msgspec.Struct, frozen=True):
    """The outcome of a build; ``out`` is None for a dry run, ``notes`` are those of ``dataset.json``."""

    out: str | None
    benchmark: str  # coco-ad, or the name of a partition of one's own
    seconds: float
    options: BuildOptions
    masks: int
    splits: dict[str, SplitReport]
    notes: list[str]
    warnings: list[str]


def compare(counts: dict[int, Counts], partitions: PartitionSet) -> dict[str, SplitReport]:
    """Set each split's counts beside the official ones."""
    official = {split: partitions.splits[split].official for split in counts}
    return {str(k): SplitReport(own, official[k], own == official[k]) for k, own in counts.items()}


def warnings(
    splits: dict[str, SplitReport], options: BuildOptions, images: tuple[int, int], partitions: PartitionSet
) -> list[str]:
    """Say what is to be minded: why scores are not COCO-AD's, or which splits of one's own lack images."""
    if partitions.sha256 is None:
        return official_warnings(splits, options, images)
    found = []
    for key, report in splits.items():
        kinds = ("to train on", "to test on that is normal", "to test on that is anomalous")
        lacking = [kind for kind, count in zip(kinds, _triple(report.counts), strict=True) if not count]
        if lacking:
            name = partitions.splits[int(key)].name
            hint = (
                ""
                if options.unannotated == "normal"
                else " (images without annotation count with --unannotated normal)"
            )
            found.append(f"split {key} ({name}) has no image {', nor '.join(lacking)}{hint}")
    return found


def official_warnings(
    splits: dict[str, SplitReport], options: BuildOptions, images: tuple[int, int]
) -> list[str]:
    """Say in words why scores are not COCO-AD's; ``images`` are train2017's and val2017's."""
    differing = [split for split, report in splits.items() if not report.equals_official]
    warnings = [OTHER_OPTIONS] if options.unofficial else []
    if differing and images != WHOLE_COCO:
        warnings.append(
            f"{images[0]:,} train and {images[1]:,} val images are not the whole COCO 2017 "
            f"({WHOLE_COCO[0]:,} and {WHOLE_COCO[1]:,}): good for trying things out, not for comparing scores"
        )
    elif not {"unannotated", "crowd"} & options.unofficial.keys():
        warnings += [_difference(split, splits[split]) for split in differing]
    return warnings


def _difference(split: str, report: SplitReport) -> str:
    own, official = report.counts, report.official
    same_totals = own.train_normal == official.train_normal and _test(own) == _test(official)
    if same_totals and not partition(int(split)).confirmed:
        return (
            f"split {split}: its normal and anomalous test counts differ from the paper's, which no public "
            "log confirms: please report this"
        )
    return f"split {split} differs from the official counts: the annotations are not COCO 2017's as published"


def describe(report: BuildReport) -> str:
    """Render a report as text for a terminal."""
    rows: list[tuple[str, ...]] = [("split", "train normal", "test normal", "test anomalous", "official")]
    for split, part in report.splits.items():
        official = "equal" if part.equals_official else "{:,} / {:,} / {:,}".format(*_triple(part.official))
        official = official if any(_triple(part.official)) else "–"
        rows.append((split, *(f"{number:,}" for number in _triple(part.counts)), official))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += [f"note: {path_line(note)}" for note in report.notes]
    lines += [f"warning: {warning}" for warning in report.warnings]
    if report.out is None:
        lines.append(f"counted in {report.seconds:.1f} s; nothing was written (--dry-run)")
    else:
        lines.append(f"built {path_line(report.out)} in {report.seconds:.1f} s: {report.masks:,} masks")
        named = [] if report.out == DEFAULT_DATASET else [report.out]
        lines.append(next_line("cocoad", "verify", *named))
    return "\n".join(lines)


def _triple(counts: Counts) -> tuple[int, int, int]:
    return counts.train_normal, counts.test_normal, counts.test_anomalous


def _test(counts: Counts) -> int:
    return counts.test_normal + counts.test_anomalous
