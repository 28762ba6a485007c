"""All outlines of a file: can they be drawn, are they in pixels, and do they cover what the file says?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from cocoad.base.errors import InputError
from cocoad.coco.annotations import Annotations
from cocoad.coco.faults import Faults, add_normalised
from cocoad.coco.outlines import Polygons, Segmentation, is_normalised

FAR, FAR_PIXELS = 4.0, 100.0  # an area is far from another: so many times it, and so many pixels more
_EVERY = 2_000


def check_outlines(
    found: Annotations, where: str, faults: Faults, advance: Callable[[str, int, int], None]
) -> None:
    """Note what cannot be drawn, what is odd, and what is not where or as large as it should be."""
    oddities: Counter[str] = Counter()
    normalised, far, polygons = [], [], 0
    total = len(found.annotation_rows)
    for index in range(total):
        if index % _EVERY == 0:
            advance("reading outlines", index, total)
        ident = found.annotation_ids[index]
        try:
            outline = found.outline(index, oddities)
        except InputError as error:
            faults.add("outline-wrong", where, ident, str(error))
            continue
        row, area = found.annotation_rows[index], float(found.annotation_areas[index])
        polygons += isinstance(outline, Polygons)
        if is_normalised(outline, int(found.heights[row]), int(found.widths[row])):
            normalised.append(ident)
        elif area and _is_far(covered(outline), area):
            far.append(ident)
    if not add_normalised(where, normalised, polygons, faults):
        far += normalised
    detail = f"{len(far):,} outlines cover {FAR:g} times as much, or as little, as their `area` says"
    faults.add_all("area-far", where, far, detail)
    for what, count in sorted(oddities.items()):
        if count:
            faults.add("outline-odd", where, f"{count:,} {what}", f"{count:,} {what}")


def covered(outline: Segmentation) -> float:
    """Return the pixels that an outline covers: of polygons, the areas within their rings."""
    if not isinstance(outline, Polygons):
        return float(outline.counts[1::2].sum())
    total = 0.0
    for ring in outline.rings:
        x, y = ring[:, 0], ring[:, 1]
        total += abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
    return total


def _is_far(one: float, other: float) -> bool:
    return abs(one - other) > FAR_PIXELS and max(one, other) > FAR * min(one, other)
