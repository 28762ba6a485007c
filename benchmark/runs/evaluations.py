"""Looks at the test set during a training (``evaluations.jsonl``): a line of JSON for each, epochs ascending.

The run's result is its record, of the last epoch; these say how it got there, as published training logs do.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmark.runs.record import ByProtocol, Metrics
from cocoad.base.errors import InputError
from cocoad.base.files import write_atomic

EVALUATIONS_FILE = "evaluations.jsonl"


class Look(msgspec.Struct, frozen=True):
    """What a training had reached after ``epoch`` epochs, ``images`` seen with repetitions; metrics are fractions."""

    epoch: int
    images: int
    metrics: ByProtocol
    per_class: dict[str, ByProtocol]

    def of_classes(self, protocol: str) -> dict[str, Metrics]:
        """Return each class's metrics under a protocol."""
        return {name: metrics[protocol] for name, metrics in self.per_class.items()}


def write_evaluations(directory: Path, looks: list[Look]) -> None:
    """Write all looks so far to ``directory/evaluations.jsonl``."""
    write_atomic(directory / EVALUATIONS_FILE, b"".join(msgspec.json.encode(look) + b"\n" for look in looks))


def read_evaluations(directory: Path) -> list[Look]:
    """Read ``directory/evaluations.jsonl``; an absent one is an empty list.

    Raises:
        InputError: it is not what `write_evaluations` writes.
    """
    path = directory / EVALUATIONS_FILE
    if not path.is_file():
        return []
    try:
        return msgspec.json.Decoder(Look).decode_lines(path.read_bytes())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not a run's evaluations: {error}") from None
