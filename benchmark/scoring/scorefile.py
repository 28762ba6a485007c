"""Image scores as a table made by anybody's code: a CSV with the columns ``id`` and ``score``."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.scoring.matching import MapProblem, match
from cocoad.base.errors import InputError

MOST_BYTES = 256 << 20  # some millions of lines


class _Line:
    """A line of the table; it is named by where it stands."""

    def __init__(self, path: Path, number: int, text: str) -> None:
        self.where = f"{path}:{number}"
        self.text = text

    def __str__(self) -> str:
        return self.where


def read_scores_of(
    path: Path, ids: Sequence[str], others: Iterable[str] = ()
) -> tuple[dict[str, float], list[MapProblem]]:
    """Read the score of every image; other columns are passed over.

    Args:
        path: a CSV in UTF-8 whose first line names the columns; ids as maps are named
            (:func:`benchmark.scoring.matching.match_maps`).
        ids: of the images to score.
        others: ids of images that may stand there too, and are not used.

    Returns:
        The finite score of each id that has exactly one, and the problems.

    Raises:
        InputError: no such file, or no such table.
    """
    named = [(name, line) for name, line in _lines(path)]
    matched, problems = match(named, ids, others)
    scores = {}
    for identity, line in matched.items():
        try:
            score = float(line.text)
        except (TypeError, ValueError):
            problems.append(MapProblem("unreadable", line.where, f"score {line.text!r} is no number"))
            continue
        if math.isfinite(score):
            scores[identity] = score
        else:
            problems.append(MapProblem("not finite", line.where, f"score {line.text}"))
    return scores, problems


def _lines(path: Path) -> list[tuple[str, _Line]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file of scores: give a CSV with the columns id and score")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes, {MOST_BYTES:,} are more than enough for it")
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            table = csv.DictReader(stream, strict=True)
            if not {"id", "score"} <= set(table.fieldnames or ()):
                found = ", ".join(table.fieldnames or ["none"])[:200]
                raise InputError(f"{path}: its first line must name the columns id and score, not {found}")
            return [(row["id"] or "", _Line(path, table.line_num, row["score"])) for row in table]
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a table in UTF-8: {error}") from None
