"""Who belongs to which split: the benchmark's rules, applied to a part's annotations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocoad.coco.annotations import Annotations
from cocoad.coco.partition import Category
from cocoad.dataset.manifest import BuildOptions


@dataclass(frozen=True, eq=False)
class Membership:
    """Which images of one COCO part (train2017 or val2017) a split may use, as masks over its N image rows.

    Attributes:
        member: bool (N,), the image takes part (it carries an annotation, or ``unannotated`` is ``normal``).
        anomalous: bool (N,), a member that carries an annotation of a held-out category.
        held_out: bool (M,), the annotations that make it so.
    """

    member: NDArray[np.bool_]
    anomalous: NDArray[np.bool_]
    held_out: NDArray[np.bool_]


def membership(annotations: Annotations, held_out: Iterable[Category], options: BuildOptions) -> Membership:
    """Apply the benchmark's rules to one COCO part: train takes its normal members, test all of them.

    Args:
        held_out: the split's anomalous categories.
    """
    counted = ~annotations.annotation_is_crowd | (options.crowd == "include")
    chosen = counted & np.isin(annotations.annotation_category_ids, [c.id for c in held_out])
    annotated, anomalous = (np.zeros(len(annotations.image_ids), bool) for _ in range(2))
    annotated[annotations.annotation_rows[counted]] = True
    anomalous[annotations.annotation_rows[chosen]] = True
    member = np.ones_like(annotated) if options.unannotated == "normal" else annotated
    return Membership(member, anomalous, chosen)
