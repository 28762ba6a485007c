"""The evaluator: maps and masks in, batch by batch; all metrics of both protocols out, in one pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.metrics.counts import ScoreCounts, counts_from_scores
from benchmark.metrics.curves import Curves, image_curves, pixel_curves
from benchmark.metrics.evaluation import (
    PARTLY_MASKED,
    VANISHED_FROM,
    VANISHED_MASKS,
    Evaluation,
    Subset,
    evaluation_of,
)
from benchmark.metrics.inputs import checked_batch
from benchmark.metrics.protocols import NO_MASKS, PROTOCOLS, Protocol
from benchmark.metrics.state import STATE_VERSION, State, pack_store, pack_texts, unpack_store, unpack_texts
from benchmark.metrics.store import ANOMALOUS_IMAGES, GROUP, NORMAL_IMAGES, Cell, PixelStore
from cocoad.base.errors import InputError


class ImageRow(NamedTuple):
    """What is kept of an image: a few numbers, whatever its size; without a map its extremes are NaN."""

    class_name: str
    groups: tuple[str, ...]
    label: bool  # the dataset's own
    masked: bool  # the mask has an anomalous pixel; without one: the label
    score: float
    minimum: float
    maximum: float
    regions: int
    has_truth: bool = True  # it is known which of its pixels are anomalous
    item: str = ""  # the thing that it shows, if several images do


class Evaluator:
    """Accumulates batches and computes every metric of every protocol from one state.

    While at most 4 million pixels have come in their scores are kept and the metrics are exact; beyond that
    pixels become counts per bin of 2⁻¹³ relative width (:mod:`benchmark.metrics.keys`), so that the state
    stays below 200 MB however many images follow; of each image only a few numbers are kept. With
    ``keep_scores=True`` all scores are kept, float64 as float64.

    Args:
        protocols: which to compute, of "ader" and "exact".
        keep_scores: keep all scores instead of bins: for small sets.

    >>> evaluator = Evaluator()
    >>> masks = np.zeros((2, 4, 4), bool)
    >>> masks[1, :2, :2] = True
    >>> evaluator.update(masks.astype(np.float32) * 0.9, masks)
    >>> evaluator.compute().metrics["exact"]["mad"]
    1.0
    """

    def __init__(self, protocols: Sequence[Protocol] = PROTOCOLS, keep_scores: bool = False) -> None:
        unknown = [name for name in protocols if name not in PROTOCOLS]
        if unknown or not protocols:
            raise InputError(
                f"unknown protocol {', '.join(unknown) or '(none)'}: choose of {', '.join(PROTOCOLS)}"
            )
        self.protocols: tuple[Protocol, ...] = tuple(protocols)
        self.keep_scores = keep_scores
        self.images: list[ImageRow] = []
        self.store = PixelStore(keep_scores)

    def update(
        self,
        maps: Any,
        masks: Any,
        labels: Any = None,
        image_scores: Any = None,
        classes: Sequence[str] | None = None,
        groups: Sequence[Sequence[str]] | None = None,
        has_truth: Sequence[bool] | None = None,
        items: Sequence[str] | None = None,
    ) -> None:
        """Add a batch of B images.

        Args:
            maps: anomaly maps (B, H, W), larger = more anomalous; NumPy or torch of any float dtype, on any
                device. H and W may differ between batches.
            masks: (B, H, W), bool or 0 and 1.
            labels: (B,), the dataset's own image labels, 0 normal, 1 anomalous; default: any mask pixel.
            image_scores: (B,), default: the map's maximum.
            classes: B names; metrics are computed per class and averaged. Default: one class, named "".
            groups: B sequences of names such as ("category:person", "size:small"). A group is scored on its
                anomalous images against **all** normal images of the class; names on normal images do
                nothing.
            has_truth: B flags; False where nobody knows which pixels of an anomalous image are, so that it
                counts for the image metrics alone, by its label. Default: all True.
            items: B names of the things that the images show, where several show one from several sides; "" of
                an image that stands for itself. Default: all "".

        Raises:
            InputError: shapes that do not fit, NaN, infinities, masks that are not binary, or a text where a
                list of names must be. Nothing was added.
        """
        batch = checked_batch(
            maps, masks, labels, image_scores, classes, groups, keep_float64=self.keep_scores
        )
        if not len(batch.classes):
            return
        known = [True] * len(batch.classes) if has_truth is None else [bool(each) for each in has_truth]
        if len(known) != len(batch.classes):
            raise InputError(f"{len(known)} flags has_truth were given for {len(batch.classes)} maps")
        things = [""] * len(known) if items is None else [str(each) for each in items]
        if len(things) != len(known):
            raise InputError(f"{len(things)} items were given for {len(known)} maps")
        stored = iter(self.store.add(batch if all(known) else batch.only(np.flatnonzero(known))))
        regions = [next(stored) if each else 0 for each in known]
        self.images += [
            ImageRow(*row)
            for row in zip(
                batch.classes,
                batch.groups,
                batch.labels.tolist(),
                [
                    count > 0 if each else label
                    for count, each, label in zip(regions, known, batch.labels.tolist(), strict=True)
                ],
                batch.image_scores.tolist(),
                batch.minima.tolist(),
                batch.maxima.tolist(),
                regions,
                known,
                things,
                strict=True,
            )
        ]

    def add_without_map(
        self,
        score: float,
        label: bool,
        masked: bool,
        class_name: str = "",
        groups: Sequence[str] = (),
        item: str = "",
    ) -> None:
        """Add an image that has a score and no map: the pixel metrics of its class become undefined.

        Args:
            score: finite, larger = more anomalous.
            label: the dataset's own.
            masked: whether its mask has an anomalous pixel, which is the label under ``ader``.
            class_name, groups, item: as in :meth:`update`.
        """
        tags = tuple(dict.fromkeys(groups))
        row = ImageRow(class_name, tags, label, masked, score, math.nan, math.nan, 0, item=item)
        self.images.append(row)

    def merge(self, other: Evaluator) -> None:
        """Add what another evaluator has seen, of other images (another process, another shard)."""
        if (self.protocols, self.keep_scores) != (other.protocols, other.keep_scores):
            raise InputError("evaluators of different protocols or modes cannot be merged")
        self.images += other.images
        self.store.merge(other.store)

    def state_dict(self) -> State:
        """Return the whole state as a flat dictionary of arrays (none of objects: fit for ``np.savez``)."""
        state: State = {"version": np.array(STATE_VERSION), "protocols": np.array(self.protocols)}
        groups = pack_texts([row.groups for row in self.images])
        state |= {f"groups/{key}": part for key, part in groups.items()}
        state["images/classes"] = np.array([row.class_name for row in self.images], np.str_)
        state["images/items"] = np.array([row.item for row in self.images], np.str_)
        numbers = [
            (row.label, row.masked, row.score, row.minimum, row.maximum, row.regions, row.has_truth)
            for row in self.images
        ]
        state["images/numbers"] = np.array(numbers, np.float64).reshape(-1, 7)
        return state | pack_store(self.store)

    @classmethod
    def from_state_dict(cls, *states: Mapping[str, npt.NDArray[Any]]) -> Evaluator:
        """Return the evaluator with that state; of several, gathered from processes, the merger of them all.

        Raises:
            InputError: not such a state, or of another version, or of different protocols or modes.
        """
        evaluators = [cls._from_state(state) for state in states]
        if not evaluators:
            raise InputError("no state to restore an evaluator from")
        for other in evaluators[1:]:
            evaluators[0].merge(other)
        return evaluators[0]

    @classmethod
    def _from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> Evaluator:
        try:
            if int(state["version"]) != STATE_VERSION:
                raise InputError(f"state of version {state['version']}, this reads {STATE_VERSION}")
            store = unpack_store(state)
            protocols: tuple[Any, ...] = tuple(map(str, state["protocols"]))
            evaluator = cls(protocols, store.keep_scores)
            evaluator.store = store
            groups = unpack_texts(state["groups/texts"], state["groups/sizes"])
            rows = zip(
                state["images/classes"].tolist(),
                groups,
                map(str, state["images/items"].tolist()),
                state["images/numbers"].tolist(),
                strict=True,
            )
            evaluator.images = [
                ImageRow(
                    name, tags, bool(label), bool(masked), score, low, high, int(regions), bool(known), item
                )
                for name, tags, item, (label, masked, score, low, high, regions, known) in rows
            ]
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise InputError(f"not an evaluator's state: {error}") from None
        return evaluator

    def compute(self) -> Evaluation:
        """Compute all metrics of what has come in; the state stays, and more may follow.

        Undefined metrics are NaN, with the reason in ``Evaluation.undefined`` and in a warning.
        """
        classes = sorted({row.class_name for row in self.images})
        groups = sorted({(group, row.class_name) for row in self.images if _bad(row) for group in row.groups})
        return evaluation_of(
            ((name, self._subset(name)) for name in classes),
            ((group, name, self._subset(name, group)) for group, name in groups),
            self.protocols,
            self._flags(),
            {name: counts for name in classes if (counts := self._item_counts(name)) is not None},
        )

    def image_counts(self) -> ScoreCounts:
        """Count the scores of all images, of whatever class, by the dataset's own labels."""
        return _image_counts(self.images, "exact")

    def pixel_counts(self) -> ScoreCounts | None:
        """Count the scores of all pixels of whatever class whose truth is known; None: some images have no map."""
        known = [row for row in self.images if row.has_truth]
        if not known or any(math.isnan(row.maximum) for row in known):
            return None
        classes = sorted({row.class_name for row in known})
        return self.store.counts(
            [Cell(name, kind) for name in classes for kind in (NORMAL_IMAGES, ANOMALOUS_IMAGES)],
            regions=sum(row.regions for row in known),
            minimum=min(row.minimum for row in known),
            maximum=max(row.maximum for row in known),
        )

    def _item_counts(self, class_name: str) -> ScoreCounts | None:
        """Count the scores of a class's items, each the largest of its images'; None: it has no items."""
        scores: dict[str, float] = {}
        labels: dict[str, bool] = {}
        for number, row in enumerate(self.images):
            if row.class_name == class_name:
                item = row.item or f"\0{number}"
                scores[item] = max(row.score, scores.get(item, row.score))
                labels[item] = labels.get(item, False) or row.label
        if not any(row.item for row in self.images if row.class_name == class_name):
            return None
        values, bad = np.array(list(scores.values())), np.array(list(labels.values()), bool)
        return counts_from_scores([values[~bad]], [values[bad]], [np.zeros(int(bad.sum()))], 0)

    def _flags(self) -> list[str]:
        """Return what the images say about how far their metrics are to be trusted."""
        anomalous = [row for row in self.images if row.label]
        known = [row for row in anomalous if row.has_truth]
        vanished = sum(not row.masked for row in known)
        flags = [VANISHED_MASKS] if vanished > VANISHED_FROM * len(known) else []
        return flags + ([PARTLY_MASKED] if 0 < len(known) < len(anomalous) else [])

    def curves(self) -> Curves:
        """Return the curves of every class, of at most 1,000 points (:mod:`benchmark.metrics.curves`)."""
        curves: Curves = {}
        for name in sorted({row.class_name for row in self.images}):
            subset = self._subset(name)
            of_pixels = {} if subset.pixels is None else pixel_curves(subset.pixels)
            drawn = of_pixels | image_curves(subset.images["exact"])
            for kind, curve in drawn.items():
                curves.setdefault(kind, {})[name] = curve
        return curves

    def _subset(self, class_name: str, group: str | None = None) -> Subset:
        """Collect a class, or a group's anomalous images of it and all its normal ones."""
        rows = [
            row
            for row in self.images
            if row.class_name == class_name and (group is None or not _bad(row) or group in row.groups)
        ]
        images = {name: _image_counts(rows, name) for name in PROTOCOLS}
        if any(math.isnan(row.maximum) for row in rows):
            return Subset(images, None)
        known = [row for row in rows if row.has_truth]
        if len(known) < len(rows) and not any(_bad(row) for row in known):
            return Subset(images, None, NO_MASKS)
        regions = sum(row.regions for row in known)
        extremes = min(row.minimum for row in known), max(row.maximum for row in known)
        normal = Cell(class_name, NORMAL_IMAGES)
        if group is None:
            cells = (normal, Cell(class_name, ANOMALOUS_IMAGES))
            return Subset(images, self.store.counts(cells, regions, *extremes))
        pixels = self.store.group_counts(normal, Cell(class_name, GROUP, group), regions, *extremes)
        return Subset(images, pixels)


def _bad(row: ImageRow) -> bool:
    return row.label or row.masked


def _image_counts(rows: Sequence[ImageRow], protocol: Protocol) -> ScoreCounts:
    scores = np.array([row.score for row in rows])
    labels = np.array([row.masked if protocol == "ader" else row.label for row in rows], bool)
    return counts_from_scores([scores[~labels]], [scores[labels]], [np.zeros(int(labels.sum()))], 0)


def evaluate(
    maps: Any, masks: Any, labels: Any = None, protocol: Protocol = "ader", keep_scores: bool = False
) -> dict[str, float]:
    """Return the eleven metrics and the aggregates ``mad*`` of one test set under one protocol, as fractions.

    Arguments as in :class:`Evaluator` and :meth:`Evaluator.update`.

    >>> masks = np.zeros((2, 4, 4), bool)
    >>> masks[1, :2, :2] = True
    >>> evaluate(masks.astype(np.float32), masks)["pixel_auroc"]
    1.0
    """
    evaluator = Evaluator((protocol,), keep_scores)
    evaluator.update(maps, masks, labels)
    return evaluator.compute().metrics[protocol]
