"""The metrics of a split, computed from its packed maps and the ground truth alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmark.metrics import Evaluation
from benchmark.runs.outputs import Previews
from benchmark.runs.record import ByProtocol
from benchmark.scoring.testset import TestSet
from benchmark.submissions.atlas import ImageTable
from benchmark.submissions.codec import Codec, FloatArray, GridArray, decoded
from benchmark.submissions.truth import Truth

BATCH = 32

ReadMaps = Callable[[slice], FloatArray]  # some images' maps (B, S, S)


@dataclass(frozen=True)
class Rescored:
    """What follows from maps and scores; images ascending by id."""

    evaluation: Evaluation
    scored: TestSet

    @property
    def previews(self) -> Previews:
        """Small versions of maps and masks."""
        previews = self.scored.previews
        assert previews is not None
        return previews

    @property
    def metrics(self) -> ByProtocol:
        """The metrics by protocol; None where undefined."""
        found: ByProtocol = self.evaluation.recorded()["metrics"]
        return found


def packed_maps(grids: GridArray, codec: Codec, table: ImageTable, size: int) -> ReadMaps:
    """Return what decodes some of a split's maps at ``size`` pixels."""
    return lambda places: decoded(grids[places], codec, table.minima[places], table.maxima[places], size)


def rescored(truth: Truth, read: ReadMaps, scores: FloatArray | None = None) -> Rescored:
    """Score a test set's maps, in the order of the ground truth and in batches of a fixed size.

    Args:
        truth: the images and masks.
        read: gives maps (B, S, S).
        scores: of the images (N,); None: the maps' maxima.
    """
    scored = TestSet()
    for places in batches(len(truth.images)):
        maps = read(places)
        image_scores = maps.max(axis=(1, 2)) if scores is None else scores[places]
        samples = [image.sample() for image in truth.images[places]]
        scored.add(samples, maps, truth.masks(places), image_scores.tolist())
    evaluation = scored.evaluate(lambda text: None)  # what is undefined is in the evaluation
    return Rescored(evaluation, scored)


def batches(count: int) -> Iterator[slice]:
    """Yield the places of ``count`` images, 32 at a time."""
    for start in range(0, count, BATCH):
        yield slice(start, min(start + BATCH, count))


def furthest(ours: ByProtocol, theirs: ByProtocol) -> tuple[float, str]:
    """Return by how many points (percent) two sets of metrics differ at most, and where ("protocol/metric").

    A metric that only one of them has, or that only one defines, is infinitely far.
    """
    found = (0.0, "")
    for protocol in sorted({*ours, *theirs}):
        one, other = ours.get(protocol, {}), theirs.get(protocol, {})
        for name in sorted({*one, *other}):
            both = name in one and name in other
            distance = _distance(one[name], other[name]) if both else float("inf")
            found = max(found, (distance, f"{protocol}/{name}"))
    return found


def _distance(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else float("inf")
    distance = 100 * abs(one - other)
    return distance if distance == distance else float("inf")
