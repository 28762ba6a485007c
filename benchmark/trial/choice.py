"""Which of the tried methods to use, and why: by the paired bootstrap, not by rank alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.comparison.compare import FEWEST, Difference, compare
from benchmark.runs.collect import Run
from benchmark.runs.record import WEIGHTS_FILE
from benchmark.runs.thresholds import Threshold
from cocoad.base.errors import InputError

METRIC, PROTOCOL = "image_auroc", "exact"
NEAR = 0.02  # of the metric: what is so near the best, and not told apart from it, may win by its speed
SAMPLES = 2000


@dataclass(frozen=True)
class Choice:
    """The method to use, and the reasons as sentences."""

    chosen: Run
    reasons: list[str]

    @property
    def threshold(self) -> Threshold | None:
        """Return the chosen run's threshold of images: by false alarms, else at best F1."""
        found = [each for each in self.chosen.record.thresholds if each.level == "image"]
        return found[0] if found else None


def choose(runs: Sequence[Run]) -> Choice:
    """Choose of finished runs on the same images.

    The best image AUROC leads. Those that the bootstrap does not tell apart from it, and that come within
    2 points of it, are as good as far as these images can say: of them the fastest is chosen.

    Raises:
        InputError: no run has an image AUROC, for there are not both normal and anomalous test images.
    """
    scored = sorted((run for run in runs if quality(run) is not None), key=lambda run: -(quality(run) or 0.0))
    if not scored:
        raise InputError("nothing to choose by: the test set has not both normal and anomalous images")
    best, *others = scored
    verdicts = [(other, _difference(other, best)) for other in others]
    alike = [
        other
        for other, found in verdicts
        if found.better != "B" and (quality(best) or 0) - (quality(other) or 0) <= NEAR
    ]
    chosen = max([best, *alike], key=speed)
    anomalous = best.record.dataset.test_anomalous
    reasons = [f"Best on image AUROC: {best.record.method.name}, {_percent(quality(best))} %."]
    reasons += [_said(other, best, found, anomalous) for other, found in verdicts]
    if chosen is not best:
        reasons.append(
            f"{chosen.record.method.name} is as good as far as these images can tell, and the fastest of those: "
            f"{speed(chosen):.0f} images/s against {speed(best):.0f}."
        )
    if any(not found.better for _, found in verdicts):
        reasons.append("More test images, anomalous ones above all, would tell apart what these do not.")
    return Choice(chosen, reasons)


def quality(run: Run) -> float | None:
    """Return a run's image AUROC, a fraction; None: undefined."""
    return run.metrics.get(PROTOCOL, {}).get(METRIC)


def speed(run: Run) -> float:
    """Return how many images a second were scored, metrics included."""
    return run.record.cost.test_images_per_s or 0.0


def size_mb(run: Run) -> float:
    """Return the size of a run's weights, in 10⁶ bytes."""
    return (run.directory / WEIGHTS_FILE).stat().st_size / 1e6


def _difference(first: Run, second: Run) -> Difference:
    found = compare(first.directory, second.directory, SAMPLES, protocol=PROTOCOL).overall.differences
    return next(each for each in found if each.metric == METRIC)


def _said(other: Run, best: Run, found: Difference, anomalous: int) -> str:
    name, leader = other.record.method.name, best.record.method.name
    interval = (
        f"{leader} − {name}: {100 * found.found.difference:+.1f} points, "
        f"95 % interval [{100 * found.found.low:+.1f}, {100 * found.found.high:+.1f}]"
    )
    if found.better == "B":
        return f"{leader} is better than {name} on these images ({interval})."
    if not found.enough:
        return (
            f"Too few data to tell {leader} and {name} apart: {anomalous} anomalous test images, and of fewer than "
            f"{FEWEST} (of either kind) a resampling says nothing ({interval})."
        )
    return f"These images are too few to tell {leader} and {name} apart ({interval})."


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
