"""The evaluator's state as a flat dictionary of arrays: for ``np.savez`` and for gathering from processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.metrics.histogram import ROWS, Histogram
from benchmark.metrics.keys import EXPONENT_BITS, FINEST_BITS
from benchmark.metrics.store import Cell, KeptPixels, PixelStore
from cocoad.base.errors import InputError

STATE_VERSION = 3

State = dict[str, npt.NDArray[Any]]


def pack_store(store: PixelStore) -> State:
    """Return a store as arrays; cells are numbered, and pages and kept images refer to their numbers."""
    state: State = {"store/keep_scores": np.array(store.keep_scores), "store/bits": np.array(store.bits)}
    cells = sorted({*store.bins, *(cell for owners, _ in store.kept or () for cell in owners)})
    numbers = {cell: number for number, cell in enumerate(cells)}
    state["cells"] = np.array(cells, dtype=np.str_).reshape(-1, 3)
    pages = [(numbers[cell], page) for cell in sorted(store.bins) for page in sorted(store.bins[cell].pages)]
    state["pages/owner"] = np.array(pages, np.int64).reshape(-1, 2)
    size = 1 << (store.bits - EXPONENT_BITS)
    contents = [store.bins[cells[owner]].pages[page] for owner, page in pages]
    state["pages/contents"] = np.stack(contents) if contents else np.zeros((0, ROWS, size))
    state["kept/is_kept"] = np.array(store.kept is not None)
    kept = store.kept or []
    for index, part in enumerate(KeptPixels._fields):
        arrays = [pixels[index] for _, pixels in kept]
        state[f"kept/{part}"] = np.concatenate(arrays) if arrays else np.zeros(0, np.float32)
        state[f"kept/{part}_sizes"] = np.array([array.size for array in arrays], np.int64)
    state["kept/cells"] = np.array([numbers[cell] for owners, _ in kept for cell in owners], np.int64)
    state["kept/cells_sizes"] = np.array([len(owners) for owners, _ in kept], np.int64)
    return state


def unpack_store(state: Mapping[str, npt.NDArray[Any]]) -> PixelStore:
    """Return the store that :func:`pack_store` packed."""
    store = PixelStore(bool(state["store/keep_scores"]))
    store.bits = int(state["store/bits"])
    if not EXPONENT_BITS <= store.bits <= FINEST_BITS:
        raise InputError(f"not an evaluator's state: bins of {store.bits} bits")
    cells = [Cell(*map(str, row)) for row in state["cells"]]
    for (owner, page), contents in zip(state["pages/owner"].tolist(), state["pages/contents"], strict=True):
        store.bins.setdefault(cells[owner], Histogram(store.bits)).pages[page] = contents.copy()
    parts = [_cut(state[f"kept/{part}"], state[f"kept/{part}_sizes"]) for part in KeptPixels._fields]
    owners = _cut(state["kept/cells"], state["kept/cells_sizes"])
    store.kept = [
        (tuple(cells[number] for number in numbers), KeptPixels(*arrays))
        for numbers, *arrays in zip(owners, *parts, strict=True)
    ]
    if not bool(state["kept/is_kept"]):
        store.kept = None
    return store


def pack_texts(texts: Sequence[Sequence[str]]) -> State:
    """Return lists of texts as one flat array and the lists' sizes."""
    flat = [text for row in texts for text in row]
    return {"texts": np.array(flat, np.str_), "sizes": np.array([len(row) for row in texts], np.int64)}


def unpack_texts(texts: npt.NDArray[Any], sizes: npt.NDArray[Any]) -> list[tuple[str, ...]]:
    """Return the lists that :func:`pack_texts` packed."""
    return [tuple(map(str, row)) for row in _cut(texts, sizes)]


def _cut(values: npt.NDArray[Any], sizes: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    if int(sizes.sum()) != values.shape[0] or (sizes < 0).any():
        raise InputError("not an evaluator's state: sizes do not fit")
    return np.split(values, np.cumsum(sizes)[:-1]) if sizes.size else []
