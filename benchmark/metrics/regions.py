"""The regions of a mask: its 8-connected components, and the weight of each of their pixels."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

# Pixels, their weights, number of regions.
Regions = tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], int]


def region_weights(mask: npt.NDArray[np.bool_]) -> Regions:
    """Return where a mask is anomalous and how much each such pixel counts in the per-region overlap.

    Args:
        mask: bool, (H, W).

    Returns:
        The flat indices of the P anomalous pixels in ascending order; for each, 1 / (area of its region), so
        that the weights of one region add up to 1 (float64, (P,)); and the number of regions.

    >>> mask = np.array([[1, 1, 0, 0], [0, 0, 0, 1]], bool)
    >>> indices, weights, regions = region_weights(mask)
    >>> indices.tolist(), weights.tolist(), regions
    ([0, 1, 7], [0.5, 0.5, 1.0], 2)
    """
    indices = np.flatnonzero(mask)
    if not indices.size:
        return indices, np.zeros(0), 0
    width = mask.shape[1]
    top, bottom = int(indices[0]) // width, int(indices[-1]) // width + 1
    _, labels = cv2.connectedComponents(mask[top:bottom].view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    owners = labels.reshape(-1)[indices - top * width]
    areas = np.bincount(owners)
    return indices, 1.0 / areas[owners], areas.size - 1
