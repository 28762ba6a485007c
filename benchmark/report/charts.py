"""What the report draws of a test set's runs: curves, histograms of scores, training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from benchmark.leaderboard.published import LOGS, published_log
from benchmark.leaderboard.published.datasets import ABOUT
from benchmark.leaderboard.rank import Ranking
from benchmark.metrics import AGGREGATES, METRICS
from benchmark.metrics.ranking import FPR_LIMIT
from benchmark.report.svg import LARGEST, Axis, Series, axis_for, histogram, line_chart, scatter, widened
from benchmark.report.testsets import RunsOnTestSet, ShownRun, Styles
from benchmark.runs.columns import COLUMNS

BINS = 30
MOST_CLASSES = 30
LOOKED_AT = ("mad", "image_auroc", "pixel_auroc", "aupro")  # during a training
LOG_SOURCE = "ADer benchmark"


@dataclass(frozen=True)
class Chart:
    """A chart and what stands above it."""

    title: str
    svg: Markup


@dataclass(frozen=True)
class ClassCharts:
    """A class's curves."""

    name: str
    charts: list[Chart]


CURVES = (  # kind, title, x and its label, y and its label
    ("image_roc", "ROC of images", "fpr", "false positive rate", "tpr", "true positive rate"),
    ("image_pr", "Precision and recall of images", "recall", "recall", "precision", "precision"),
    ("roc", "ROC of pixels", "fpr", "false positive rate", "tpr", "true positive rate"),
    ("pr", "Precision and recall of pixels", "recall", "recall", "precision", "precision"),
    (
        "pro",
        f"Per-region overlap, up to FPR {FPR_LIMIT}",
        "fpr",
        "false positive rate",
        "pro",
        "mean overlap",
    ),
)
COSTS = ("test_images_per_s", "train_seconds", "parameters", "gmacs", "peak_memory_bytes")


def class_charts(group: RunsOnTestSet) -> list[ClassCharts]:
    """Return the curves of every class (of the first 30) in which runs have some."""
    drawn = [ClassCharts(name, _curves(group.runs, name)) for name in group.classes[:MOST_CLASSES]]
    return [one for one in drawn if one.charts]


def _line(run: ShownRun, points: list[tuple[float, float]]) -> Series:
    return Series(", ".join(part for part in (run.label, run.seed) if part), run.style, points)


def _curves(runs: Sequence[ShownRun], name: str) -> list[Chart]:
    charts = []
    for kind, title, x, x_label, y, y_label in CURVES:
        limit = FPR_LIMIT if kind == "pro" else 1.0
        series = [_line(run, _up_to(run.curve(kind, name, x, y), limit)) for run in runs]
        series = [one for one in series if one.points]
        if series:
            charts.append(
                Chart(title, line_chart(title, series, Axis(x_label, 0, limit), Axis(y_label, 0.0, 1.0)))
            )
    for column, word in (("f1", "F1"), ("iou", "IoU")):
        series = [_line(run, _over_range(run, name, column)) for run in runs]
        series = [one for one in series if one.points]
        if series:
            title = f"{word} of pixels over threshold"
            x_axis = Axis("threshold (0: lowest score, 1: highest)", 0.0, 1.0)
            high = max(value for one in series for _, value in one.points)
            charts.append(
                Chart(title, line_chart(title, series, x_axis, Axis(word, 0.0, max(high, 0.01) * 1.08)))
            )
    return charts


def _up_to(points: list[tuple[float, float]], limit: float) -> list[tuple[float, float]]:
    """Cut a curve with ascending x at ``limit``, where it is interpolated."""
    for index, (x, y) in enumerate(points):
        if x > limit:
            before = points[index - 1] if index else (x, y)
            share = (limit - before[0]) / (x - before[0]) if x > before[0] else 0.0
            return [*points[:index], (limit, before[1] + share * (y - before[1]))]
    return points


def _over_range(run: ShownRun, name: str, column: str) -> list[tuple[float, float]]:
    """Return F1 or IoU over thresholds of which the lowest is 0 and the highest 1: methods' units differ."""
    points = run.curve("f1_iou", name, "threshold", column)
    if not points:
        return []
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    return [((x - low) / ((high - low) or 1.0), y) for x, y in points]


def histograms(runs: Sequence[ShownRun]) -> list[Chart]:
    """Return per run the image scores of normal and of anomalous images."""
    charts = []
    for run in runs:
        scores = np.array([row.score for row in run.scores], float)
        labels = np.array([row.label for row in run.scores], bool)
        finite = np.abs(scores) < LARGEST
        scores, labels = scores[finite], labels[finite]
        if not scores.size:
            continue
        low, high = widened(float(scores.min()), float(scores.max()))
        shares = []
        for wanted in (~labels, labels):
            counts, _ = np.histogram(scores[wanted], BINS, (low, high))
            shares.append((counts / max(int(wanted.sum()), 1)).tolist())
        svg = histogram(f"Scores of {run.label}", shares[0], shares[1], Axis("image score", low, high))
        charts.append(Chart(", ".join(part for part in (run.label, run.seed) if part), svg))
    return charts


def training_charts(group: RunsOnTestSet, styles: Styles) -> list[Chart]:
    """Return metrics, where they were looked at, loss, learning rate and speed over epochs of trained runs.

    The looks stand beside the public logs of the same methods on the same data, where there are such.
    """
    runs = group.runs
    charts = _looked_at(group, styles)
    for column, title in (("loss", "Loss"), ("learning_rate", "Learning rate"), ("images_per_s", "Images/s")):
        series = [_line(run, [(row["epoch"], row[column]) for row in run.log]) for run in runs]
        points = [point for one in series for point in one.points if all(map(math.isfinite, point))]
        if not points:
            continue
        x = axis_for("epoch", [point[0] for point in points])
        y = axis_for(title.lower(), [point[1] for point in points], log=column == "loss")
        charts.append(Chart(title, line_chart(title, [one for one in series if one.points], x, y)))
    return charts


def _looked_at(group: RunsOnTestSet, styles: Styles) -> list[Chart]:
    if not any(run.looks for run in group.runs):
        return []
    charts = []
    logged = _logged(group)
    for name in LOOKED_AT:
        series = [
            _line(
                run,
                [
                    (look.epoch, 100 * value)
                    for look in run.looks
                    if (value := look.metrics.get("ader", {}).get(name)) is not None
                ],
            )
            for run in group.runs
        ]
        for method, rows in logged.items():
            label = f"{method} (log of the {LOG_SOURCE})"
            series.append(Series(label, styles.of(label), [(epoch, 100 * row[name]) for epoch, row in rows]))
        drawn = [one for one in series if one.points]
        points = [point for one in drawn for point in one.points]
        if points:
            heading = COLUMNS[name].heading
            x = axis_for("epoch", [point[0] for point in points])
            y = axis_for(f"{heading} (ader, %)", [point[1] for point in points])
            charts.append(
                Chart(f"{heading} on the test set during the training", line_chart(heading, drawn, x, y))
            )
    return charts


def _logged(group: RunsOnTestSet) -> dict[str, list[tuple[float, dict[str, float]]]]:
    """Return the public logs of the methods that were looked at, if this is the data they are of: epoch, metrics."""
    data = group.runs[0].record.dataset
    split = "" if data.split is None else str(data.split)
    counts = (data.train_normal, data.test_normal, data.test_anomalous)
    key = next(
        (key for key in LOGS if key in ABOUT and not ABOUT[key].differs(data.classes, counts, split)), None
    )
    if key is None or data.unofficial or data.resolution != 256:
        return {}
    log = published_log(key)
    log = log[log["part"] == (split or "mean")]
    wanted = {run.record.method.name for run in group.runs if run.looks}
    found: dict[str, list[tuple[float, dict[str, float]]]] = {}
    for line in log.to_dict("records"):
        if str(line["method"]).split(" (")[0] in wanted:
            metrics = {name: float(line[name]) for name in METRICS}
            metrics["mad"] = sum(metrics[part] for part in AGGREGATES["mad"]) / len(AGGREGATES["mad"])
            found.setdefault(str(line["method"]), []).append((float(line["epoch"]), metrics))
    return found


def cost_charts(ranking: Ranking, styles: Styles) -> list[Chart]:
    """Return mAD against every cost that the entries of a ranking know."""
    charts = []
    for cost in COSTS:
        column = COLUMNS[cost]
        series = []
        for entry in ranking.entries:
            x, y = entry.values[cost].mean * column.factor, entry.values["mad"].mean * 100
            if math.isfinite(x) and math.isfinite(y):
                series.append(Series(entry.label, styles.of(entry.label), [(x, y)]))
        if not series:
            continue
        title = f"mAD over {column.heading}"
        x_axis = axis_for(column.heading, [one.points[0][0] for one in series], log=True)
        y_axis = axis_for("mAD (%)", [one.points[0][1] for one in series])
        charts.append(Chart(title, scatter(title, series, x_axis, y_axis)))
    return charts
