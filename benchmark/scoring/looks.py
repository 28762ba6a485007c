"""What maps look like that were saved by mistake: normalised one by one, transposed, constant."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmark.datasets.samples import Sample
from benchmark.runs.outputs import shrink
from cocoad.base.errors import InputError
from cocoad.base.images import image_size

ENOUGH = 8  # maps, before anything is said of all of them
NEARLY_ALL = 0.9
CLEAR = 4.0  # standard errors

FloatMap = npt.NDArray[np.float32]


@dataclass
class Looks:
    """Looks at maps one by one; :meth:`notes` says what is odd about all of them."""

    seen: int = 0
    constant: list[str] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)
    ranges: Counter[tuple[float, float]] = field(default_factory=Counter)
    preferences: list[float] = field(default_factory=list)

    def see(self, sample: Sample, values: FloatMap) -> None:
        """Look at a map (H, W) as it was saved."""
        self.seen += 1
        low, high = float(values.min()), float(values.max())
        if low == high:
            self.constant.append(sample.id)
        else:
            self.ranges[low, high] += 1
        height, width = values.shape
        if height != width and _size_of(sample) == (height, width):
            self.turned.append(sample.id)

    def compare(self, maps: FloatMap, masks: npt.NDArray[np.bool_]) -> None:
        """Ask of square maps (B, S, S) whether they suit their masks (B, S, S) or the transposed ones better."""
        for values, mask in zip(shrink(maps), shrink(masks) > 0.5, strict=True):
            own, other = mask & ~mask.T, mask.T & ~mask
            if own.any() and (deviation := float(values.std())) > 0:
                self.preferences.append(float(values[other].mean() - values[own].mean()) / deviation)

    def notes(self) -> list[str]:
        """Return a line for each thing that is odd."""
        found = []
        if self.constant:
            found.append(
                f"{len(self.constant)} of {self.seen} maps are constant (such as that of {self.constant[0]}): "
                "they say nothing of where the anomaly is"
            )
        (_, most) = self.ranges.most_common(1)[0] if self.ranges else (None, 0)
        if self.seen >= ENOUGH and most > NEARLY_ALL * self.seen:
            found.append(
                f"{most} of {self.seen} maps have the same smallest and the same largest value: they look "
                "normalised image by image, which hides from the metrics which images are anomalous"
            )
        if self._transposed():
            found.append(
                "the maps look transposed: save them as (height, width), not (width, height)"
                + (f"; that of {self.turned[0]} has its image's sides swapped" if self.turned else "")
            )
        return found

    def _transposed(self) -> bool:
        if len(self.turned) > NEARLY_ALL * self.seen:
            return True
        if len(self.preferences) < ENOUGH:
            return False
        shifts = np.array(self.preferences)
        return bool(shifts.mean() > max(CLEAR * shifts.std(ddof=1) / len(shifts) ** 0.5, 0.1))


def _size_of(sample: Sample) -> tuple[int, int] | None:
    """Return an image's (width, height); None where it cannot be told, or is the same either way."""
    try:
        width, height = image_size(sample.image)
    except InputError:
        return None
    return None if width == height else (width, height)
