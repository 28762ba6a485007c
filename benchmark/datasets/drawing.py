"""Drawing a test set where a dataset has none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

TEST_SHARE = 0.2  # of the normal images
DRAW_SEED = 0  # one draw for all, so that runs of all seeds are tested on the same images


def drawn(names: Sequence[str], share: float, seed: int = DRAW_SEED) -> set[str]:
    """Draw ``share`` of the names, at least one: the lot of each hangs on its name and the seed alone."""

    def lot(name: str) -> bytes:
        return hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogateescape")).digest()

    return set(sorted(names, key=lot)[: max(1, round(share * len(names)))])
