"""Maps that no detector makes: constant ones, copies, and those that follow the masks. Cheap brakes, not proofs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from benchmark.runs.outputs import Previews
from benchmark.submissions.atlas import ImageTable
from benchmark.submissions.codec import FloatArray, GridArray
from benchmark.submissions.findings import Finding
from cocoad.base.files import sha256_bytes

FEW = 0.01  # share of maps
FOLLOWS = 0.95  # correlation of map and mask, in the median over anomalous images
BLURS = (0.0, 1.0, 2.0)  # standard deviations, in cells of 64×64, by which a mask may have been smoothed

Prints = dict[str, str]  # image -> hash of its grid


def prints_of(table: ImageTable, levels: GridArray) -> Prints:
    """Return the hash of each map that is not constant, by its image's id."""
    varied = np.flatnonzero(levels.reshape(len(levels), -1).any(axis=1) & (table.minima < table.maxima))
    return {table.ids[place]: sha256_bytes(levels[place].tobytes()) for place in varied}


def suspicions(
    where: str, table: ImageTable, prints: Prints, previews: Previews, others: Mapping[str, Prints]
) -> Iterator[Finding]:
    """Yield what is suspect about a split.

    Args:
        where: the split in words.
        table, previews: of all images, in the same order.
        prints: of its maps.
        others: the prints of other submissions on the same test set, by their names.
    """
    constant = np.flatnonzero(table.minima == table.maxima)
    if len(constant) > FEW * len(table.ids):
        detail = (
            f"{len(constant)} of {len(table.ids)} maps are constant, such as that of {table.ids[constant[0]]}"
        )
        yield Finding("constant-maps", where, detail)
    first: dict[str, str] = {}
    twins = [
        (ident, first[digest]) for ident, digest in prints.items() if first.setdefault(digest, ident) != ident
    ]
    if len(twins) > FEW * len(table.ids):
        detail = (
            f"{len(twins)} maps are copies, such as that of {twins[0][0]}, the same as that of {twins[0][1]}"
        )
        yield Finding("copied-maps", where, detail)
    for name, prints_there in others.items():
        same = sum(prints_there.get(ident) == digest for ident, digest in prints.items())
        if same > FEW * len(table.ids):
            yield Finding("copied-maps", where, f"{same} of {len(table.ids)} maps are those of {name}")
    follows = _correlation(previews.maps, previews.masks)
    if follows > FOLLOWS:
        detail = f"the correlation of maps and masks is {follows:.3f} in the median over the anomalous images"
        yield Finding("follows-masks", where, detail)


def _correlation(maps: FloatArray, masks: npt.NDArray[np.bool_]) -> float:
    """Return the median over images of the correlation with the mask, smoothed as suits the maps best."""
    return max((_median(maps, masks, blur) for blur in BLURS), default=0.0)


def _median(maps: FloatArray, masks: npt.NDArray[np.bool_], blur: float) -> float:
    found = []
    for values, mask in zip(maps, masks, strict=True):
        if not mask.any() or mask.all() or values.min() == values.max():
            continue
        smooth = mask.astype(np.float32)
        smooth = cv2.GaussianBlur(smooth, (0, 0), blur).astype(np.float32) if blur else smooth
        found.append(float(np.corrcoef(values.reshape(-1), smooth.reshape(-1))[0, 1]))
    return float(np.median(found)) if found else 0.0
