"""Every column of our tables, declared once: CSV, Markdown, LaTeX, HTML, terminal and documentation follow from it.

A column says where its value lies in a run's record, what it means, and how a table shows it. Metrics are
fractions in files and percent in tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cocoad.base.errors import InputError

Kind = Literal["text", "integer", "number"]


@dataclass(frozen=True)
class Column:
    """One column.

    ``name`` is that of the CSV and of ``--metrics``; ``path`` leads to it in ``result.json`` (empty: it is
    made up by the table, ``meaning`` says how); ``unit`` is the file's. A table shows ``heading`` and the
    value times ``factor`` with ``digits``; ``higher_is_better`` is None for what is neither.
    """

    name: str
    path: str
    kind: Kind
    unit: str
    meaning: str
    heading: str = ""
    factor: float = 1.0
    digits: int = 1
    higher_is_better: bool | None = None

    def shown(self, value: float) -> float:
        """Return a number of the file as tables show it: times ``factor``, rounded to ``digits``."""
        return round(value * self.factor, self.digits)

    def text(self, value: float | None) -> str:
        """Return a number of the file as tables print it; a dash for none.

        >>> METRICS["mad"].text(0.62345), METRICS["mad"].text(None)
        ('62.3', '–')
        """
        if value is None or value != value:
            return "–"
        return f"{self.shown(value):,.{self.digits}f}"


def _text(name: str, path: str, meaning: str) -> Column:
    return Column(name, path, "text", "", meaning)


def _count(name: str, path: str, meaning: str, unit: str = "images") -> Column:
    return Column(name, path, "integer", unit, meaning)


def _metric(name: str, heading: str, meaning: str) -> Column:
    path = f"metrics.PROTOCOL.{name}"
    return Column(name, path, "number", "fraction", meaning, heading, 100.0, 1, True)


def _cost(
    name: str,
    heading: str,
    unit: str,
    meaning: str,
    *,
    factor: float = 1.0,
    digits: int = 1,
    more: bool = False,
) -> Column:
    owner = "method" if name in ("parameters", "trainable_parameters", "gmacs") else "cost"
    return Column(name, f"{owner}.{name}", "number", unit, meaning, heading, factor, digits, more)


def _named(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


METHOD = _named(
    _text("source", "", "`run`, or where a published row was published"),
    _text(
        "trust", "", "how far its numbers can be relied on: `reported`, `rescored`, `reproduced` or `native`"
    ),
    _text("method", "method.name", "the method's name, as `bench methods` lists it"),
    _text(
        "method_version", "method.version", "version of the method's code, raised whenever its scores change"
    ),
    _text("pipeline_version", "dataset.pipeline", "version of the code from image file to pixels"),
    _text("input_size", "dataset.image_size", "pixels, square, that the method saw"),
    _text(
        "tiles",
        "dataset.tiles",
        "side/overlap of the tiles that images are cut into, in pixels of these; empty: none",
    ),
    _text("backbone", "method.backbone", "timm's name of the encoder; empty: none"),
    _text(
        "weights", "method.weights", "`imagenet`, `offline`, `random`, `external`, or a file's name and hash"
    ),
    _text(
        "pretraining", "", "data that the encoder has seen before, by backbone and weights; empty: unknown"
    ),
    _text("preset", "preset", "the recipe that was asked for, as long as nothing of it was changed"),
    _text("epochs", "epochs", "passes over the training images"),
    _text("options", "method.options", "the method's own options, as JSON with sorted keys"),
    _text("recipe", "config.recipe", "the training recipe, as JSON with sorted keys"),
)
DATASET = _named(
    _text("dataset", "dataset.name", "the dataset's name"),
    _text("layout", "dataset.layout", "its layout on disk"),
    _text("classes", "dataset.classes", "classes that were trained and scored, `;` between them"),
    _text(
        "setting",
        "dataset.per_class",
        "`multi-class`: one model for all classes; `per-class`: one model per class",
    ),
    _text(
        "image_size",
        "dataset.score_size",
        "evaluation resolution in pixels, square: the input's unless another was asked for",
    ),
)
TEST_SET = _named(
    _text("split", "dataset.split", "0 … 3; `mean` for published means of the four; empty without splits"),
    _text(
        "dataset_hash", "dataset.hash",
        "SHA-256 over ids, classes, labels, the names and sizes in bytes of images, and the contents of masks (not of "
        "images); of COCO-AD from `cocoad build`: over the split's file, which holds the masks' SHA-256",
    ),
    _count("train_normal", "dataset.train_normal", "normal images to train on"),
    _count("test_normal", "dataset.test_normal", "normal images to score"),
    _count("test_anomalous", "dataset.test_anomalous", "anomalous images to score"),
    _text(
        "unofficial", "dataset.unofficial",
        "options of `cocoad build` that make it another benchmark, such as `rasterizer=coco`: published rows never "
        "stand beside it",
    ),
    _text("seed", "seed", "of the training"),
    _text("protocol", "", "`ader` or `exact`, the key in `metrics`"),
)  # fmt: skip

MID = "on maps scaled to [0, 1] by the test set's extremes, mean over thresholds 0.2, 0.3 … 0.8"
METRICS = _named(
    _metric("image_auroc", "I-AUROC", "area under the ROC curve of image scores"),
    _metric("image_ap", "I-AP", "average precision of image scores"),
    _metric("image_f1_max", "I-F1", "best F1 of image scores over all thresholds"),
    _metric("pixel_auroc", "P-AUROC", "area under the ROC curve of pixel scores"),
    _metric("pixel_ap", "P-AP", "average precision of pixel scores"),
    _metric("pixel_f1_max", "P-F1", "best F1 of pixel scores over thresholds"),
    _metric("pixel_iou_max", "P-IoU", "best intersection over union of pixels over thresholds"),
    _metric("aupro", "AUPRO", "area under the per-region overlap up to a false-positive rate of 0.3"),
    _metric("pixel_f1_.2_.8", "F1 .2-.8", f"F1 of pixels, {MID}"),
    _metric("pixel_acc_.2_.8", "Acc .2-.8", f"accuracy on anomalous pixels (recall), {MID}"),
    _metric("pixel_iou_.2_.8", "IoU .2-.8", f"intersection over union of pixels, {MID}"),
    _metric("mad_image", "mAD_I", "mean of I-AUROC, I-AP and I-F1"),
    _metric("mad_pixel", "mAD_P", "mean of P-AUROC, P-AP and P-F1"),
    _metric("mad_.2_.8", "mAD .2-.8", "mean of the three .2-.8 metrics"),
    _metric("mad", "mAD", "mean of I-AUROC, I-AP, I-F1, P-AUROC, P-AP, P-F1 and AUPRO"),
)
REMARKS = _named(
    _text(
        "flags",
        "flags",
        "`;`-separated, such as `outlier-pixel`: normalised thresholds hinge on one extreme pixel",
    ),
    _text("caveats", "", "of published rows, `;`-separated, see below"),
    _text("undefined", "undefined", "`metric: reason` for every undefined metric of this protocol"),
)
COSTS = _named(
    _cost("train_seconds", "Train (min)", "s", "time of training on the clock", factor=1 / 60),
    _cost("test_seconds", "Test (s)", "s", "time of scoring the test set on the clock"),
    _cost("train_images_per_s", "Train img/s", "images/s", "speed of training", more=True),
    _cost("test_images_per_s", "Test img/s", "images/s", "speed of scoring", more=True),
    _cost("peak_memory_bytes", "RAM (GiB)", "bytes", "largest resident memory", factor=2.0**-30, digits=2),
    _cost("peak_gpu_memory_bytes", "GPU RAM (GiB)", "bytes", "largest allocated memory of the GPU", factor=2.0**-30,
          digits=2),
    _cost("parameters", "Params (M)", "parameters", "size of the networks", factor=1e-6),
    _cost("trainable_parameters", "Trained (M)", "parameters", "parameters that training changes", factor=1e-6),
    _cost("gmacs", "GMACs", "10⁹ multiply–accumulates", "arithmetic of scoring one image"),
)  # fmt: skip
PROVENANCE = _named(
    _text("environment.*", "environment", "a column per entry: versions, processor, GPU, driver, commit"),
    _text("finished_at", "finished_at", "when the run finished (UTC)"),
    _text("record_sha256", "sha256", "the record's hash"),
    _text("run", "", "the run's directory"),
)

TIDY = METHOD | DATASET | TEST_SET | METRICS | REMARKS | COSTS | PROVENANCE
"""All columns of the tidy table in their order."""

COLUMNS = METRICS | COSTS
"""What rankings can show and be sorted by."""

DEFAULT_METRICS = (
    "image_auroc", "image_ap", "image_f1_max", "aupro",
    "pixel_auroc", "pixel_ap", "pixel_f1_max", "pixel_iou_max", "mad",
)  # fmt: skip


def at(value: Any, path: str) -> Any:
    """Return what lies at a dotted ``path`` of attributes and keys; None where there is nothing.

    >>> at({"recipe": {"epochs": 3}}, "recipe.epochs"), at({}, "recipe.epochs")
    (3, None)
    """
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value


def parse_columns(text: str | None) -> tuple[str, ...]:
    """Return the columns of a comma-separated list of names, ``metrics``, ``costs``, ``all`` (None: default).

    Raises:
        InputError: a name is unknown.
    """
    if text is None:
        return DEFAULT_METRICS
    groups = {"metrics": tuple(METRICS), "costs": tuple(COSTS), "all": tuple(COLUMNS)}
    chosen: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        if name not in COLUMNS and name not in groups:
            known = ", ".join([*groups, *COLUMNS])
            raise InputError(f"--metrics: unknown name {name!r}; known: {known}")
        chosen += [column for column in groups.get(name, (name,)) if column not in chosen]
    return tuple(chosen)
