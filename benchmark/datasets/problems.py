"""Saying all that is wrong with a dataset at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cocoad.base.errors import InputError

SHOWN = 5  # problems in the one line; each has a line of its own before it
LISTED = 1000


class UnusableDatasetError(InputError):
    """A dataset cannot be used; ``details`` lists what is wrong with it."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        more = f"; and {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else ""
        count = f"{len(problems):,} problem{'s' if len(problems) > 1 else ''}"
        super().__init__(f"{path}: {count}: {'; '.join(problems[:SHOWN])}{more}")
        self.details = problems[:LISTED] if len(problems) > SHOWN else ()


def refuse(path: Path, problems: Sequence[str]) -> None:
    """Raise :class:`UnusableDatasetError` if there are any problems."""
    if problems:
        raise UnusableDatasetError(path, list(problems))
