"""What came of trying, in a table and sentences for a person, and as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from benchmark.runs.listing import rate_text
from benchmark.runs.thresholds import Threshold
from benchmark.trial.choice import Choice, quality, size_mb, speed
from benchmark.trial.execute import Tried
from cocoad.base.console import plain_table

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("Method", "Image AUROC", "Misses", "False alarms", "Images/s", "Weights MB", "Trained s")


def table(tried: Tried) -> Table:
    """Return the tried methods, the best image AUROC first, misses and false alarms at each one's threshold."""
    from rich.text import Text

    shown = plain_table()
    for index, heading in enumerate(COLUMNS):
        shown.add_column(heading, justify="right" if index else "left")
    for run in sorted(tried.runs, key=lambda run: -(quality(run) or 0.0)):
        threshold = Choice(run, []).threshold
        value = quality(run)
        cells = (
            run.record.method.name,
            "–" if value is None else f"{100 * value:.1f}",
            rate_text(threshold.missed if threshold else None),
            rate_text(threshold.false_alarms if threshold else None),
            f"{speed(run):.0f}",
            f"{size_mb(run):.1f}",
            f"{run.record.cost.train_seconds or 0:.0f}",
        )
        shown.add_row(*map(Text, cells))
    return shown


def sentences(tried: Tried) -> list[str]:
    """Return the recommendation with its reasons, its threshold, and what was written."""
    choice = tried.choice
    assert choice is not None
    lines = [f"Use {choice.chosen.record.method.name}.", *choice.reasons]
    lines += threshold_lines(choice.threshold)
    lines += [f"Left out: {name}, {why}." for name, why in tried.left_out.items()]
    lines.append(f"Model: {tried.model or 'none'}, {tried.model_said}")
    lines += [f"Run: {choice.chosen.directory}", f"Report: {tried.report}"]
    return lines


def threshold_lines(threshold: Threshold | None) -> list[str]:
    """Return what a threshold is, and what it will miss and raise."""
    if threshold is None:
        return []
    lines = [f"Threshold: anomalous is a score above {threshold.value:.6g} ({threshold.rule})."]
    lines.append(
        f"On the test images it misses {rate_text(threshold.missed)} and raises {rate_text(threshold.false_alarms)} "
        "(95 % intervals)."
    )
    if threshold.promised_rate is not None:
        needed = "" if threshold.promised_rate <= 0.01 else "; for 1 % hold out 99"
        lines.append(
            f"Found on {threshold.samples} normal images held out of training, it promises at most "
            f"{100 * threshold.promised_rate:.1f} % of false alarms{needed}."
        )
    return lines


def as_json(tried: Tried) -> dict[str, Any]:
    """Return what came of it as JSON values (fractions, images/s, 10⁶ bytes)."""
    choice = tried.choice
    assert choice is not None
    runs = [
        {
            "method": run.record.method.name,
            "run": str(run.directory),
            "image_auroc": quality(run),
            "images_per_s": speed(run),
            "weights_mb": size_mb(run),
            "thresholds": msgspec.to_builtins(run.record.thresholds),
        }
        for run in tried.runs
    ]
    return {
        "format": "cocoad-try",
        "format_version": 1,
        "recommended": choice.chosen.record.method.name,
        "reasons": choice.reasons,
        "threshold": msgspec.to_builtins(choice.threshold),
        "runs": runs,
        "left_out": tried.left_out,
        "model": None if tried.model is None else str(tried.model),
        "model_check": tried.model_said,
        "report": str(tried.report),
    }
