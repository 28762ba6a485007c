"""A test set as it is scored: maps, masks and image scores come in batch by batch; nothing whole is kept of them.

Nothing here needs torch; maps may be its tensors all the same, on whatever device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.datasets.masks import load_mask
from benchmark.datasets.samples import Sample
from benchmark.decision.thresholds import image_thresholds, pixel_thresholds
from benchmark.metrics import Evaluation, Evaluator, undefined_said
from benchmark.runs.outputs import PREVIEW_SIZE, ImageScore, Previews, shrink, write_map
from benchmark.runs.thresholds import Threshold

Floats = npt.NDArray[np.float32]
Masks = npt.NDArray[np.bool_]


def masks_of(samples: Sequence[Sample], size: int) -> Masks:
    """Return the masks of samples at ``size`` pixels, bool (B, size, size)."""
    return np.stack([load_mask(sample, size) for sample in samples])


@dataclass
class TestSet:
    """What is known of the images scored so far: the metrics' state, and by image its score and previews.

    Attributes:
        maps_folder: where each map is kept, compressed; None: nowhere.
        evaluator: both protocols'.
        scores: in the order in which the images came.
    """

    __test__ = False  # no test of pytest's

    maps_folder: Path | None = None
    evaluator: Evaluator = field(default_factory=Evaluator)
    scores: list[ImageScore] = field(default_factory=list)
    small: list[tuple[Floats, Floats]] = field(default_factory=list)  # of maps and masks, by batch

    def add(self, samples: Sequence[Sample], maps: Any, masks: Masks, image_scores: Sequence[float]) -> None:
        """Take in a batch: maps (B, H, W), larger = more anomalous, masks (B, H, W) and B image scores.

        Raises:
            InputError: as of :meth:`Evaluator.update`; nothing was added.
        """
        self.evaluator.update(
            maps,
            masks,
            labels=np.array([sample.label for sample in samples]),
            image_scores=image_scores,
            classes=[sample.class_name for sample in samples],
            groups=[sample.groups for sample in samples],
            has_truth=[sample.has_truth for sample in samples],
            items=[sample.item for sample in samples],
        )
        arrays = maps if isinstance(maps, np.ndarray) else maps.cpu().numpy()
        self.small.append((shrink(arrays), shrink(masks)))
        for sample, score, one in zip(samples, image_scores, arrays, strict=True):
            self.scores.append(_row(sample, score))
            if self.maps_folder is not None:
                write_map(self.maps_folder, sample.id, one)

    def add_without_map(self, sample: Sample, score: float, masked: bool) -> None:
        """Take in an image that has a score and no map; ``masked``: its mask has an anomalous pixel."""
        self.evaluator.add_without_map(
            score, bool(sample.label), masked, sample.class_name, sample.groups, sample.item
        )
        self.scores.append(_row(sample, score))

    def evaluate(self, say: Callable[[str], None]) -> Evaluation:
        """Compute all metrics; ``say`` is told which are undefined."""
        with undefined_said(say):
            return self.evaluator.compute()

    def thresholds(self, held_out: TestSet | None) -> list[Threshold]:
        """Return thresholds of images and pixels, with what they miss and raise here.

        Args:
            held_out: normal images that were not trained on, scored; None: there are none.
        """
        scores = None if held_out is None else np.array([row.score for row in held_out.scores])
        found = image_thresholds(self.evaluator.image_counts(), scores)
        if (pixels := self.evaluator.pixel_counts()) is not None:
            found += pixel_thresholds(pixels, held_out.evaluator.pixel_counts() if held_out else None)
        return found

    @property
    def previews(self) -> Previews | None:
        """Small versions of all maps and masks; None where there were no maps."""
        if self.scores and not self.small:
            return None
        empty = np.zeros((0, PREVIEW_SIZE, PREVIEW_SIZE), np.float32)
        maps, masks = (np.concatenate([empty, *(pair[kind] for pair in self.small)]) for kind in (0, 1))
        return Previews(maps, masks > 0.5)

    def merged(self, parts: Sequence[TestSetPart]) -> TestSet:
        """Return the whole test set of parts that each took every ``len(parts)``-th image, in the images' order."""
        images = sum(len(scores) for _, scores, _ in parts)
        order = np.argsort(
            np.concatenate([np.arange(part, images, len(parts)) for part in range(len(parts))])
        )
        scores = [score for _, some, _ in parts for score in some]
        small = [pair for _, _, pairs in parts for pair in pairs]
        maps, masks = (np.concatenate([pair[kind] for pair in small])[order] for kind in (0, 1))
        evaluator = Evaluator.from_state_dict(*(state for state, _, _ in parts))
        return TestSet(self.maps_folder, evaluator, [scores[index] for index in order], [(maps, masks)])

    def part(self) -> TestSetPart:
        """Return what :meth:`merged` takes, ready to travel between processes."""
        return self.evaluator.state_dict(), self.scores, self.small


TestSetPart = tuple[Any, list[ImageScore], list[tuple[Floats, Floats]]]


def _row(sample: Sample, score: float) -> ImageScore:
    return ImageScore(
        sample.id, str(sample.image), sample.class_name, sample.label, float(score), sample.groups
    )
