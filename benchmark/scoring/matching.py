"""Which map, or which line of a table of scores, belongs to which image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

from benchmark.datasets.images import SUFFIXES as IMAGE_SUFFIXES

MAP_SUFFIXES = (".npy", ".npz", ".tif", ".tiff", ".png")
COLOUR_FOLDER = "rgb"  # of MVTec 3D-AD: its own evaluation script looks for CLASS/test/DEFECT/NNN.tiff

Kind = Literal["missing", "extra", "ambiguous", "unreadable", "wrong size", "not finite"]
Parts = tuple[str, ...]
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class MapProblem:
    """One thing that is wrong with maps or scores: ``what`` is an image's id, a file or a line."""

    kind: Kind
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}" + (f" ({self.detail})" if self.detail else "")


def match_maps(
    folder: Path, ids: Sequence[str], others: Iterable[str] = ()
) -> tuple[dict[str, Path], list[MapProblem]]:
    """Find the map of every image.

    A map is named by its image's id or by any end of it, with or without the image's own suffix: for the id
    ``val2017/000000000139`` that is ``000000000139.npy``, ``val2017/000000000139.png`` or
    ``000000000139.jpg.npy``, in any subfolder that does not contradict the id. Where images lie in a folder
    ``rgb`` (MVTec 3D-AD) it may be left out.

    Args:
        folder: looked through at any depth.
        ids: of the images to score.
        others: ids of images whose maps may lie there too, and are not used.

    Returns:
        The file of each id that has exactly one, and the problems (missing, ambiguous, extra), sorted.
    """
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in MAP_SUFFIXES and p.is_file())
    named = [(file.relative_to(folder).with_suffix("").as_posix(), file) for file in files]
    return match(named, ids, others)


def match(
    named: Sequence[tuple[str, Thing]], ids: Sequence[str], others: Iterable[str] = ()
) -> tuple[dict[str, Thing], list[MapProblem]]:
    """Find the one thing that bears each id's name; as :func:`match_maps`, of things with any names."""
    by_name: dict[str, list[tuple[Parts, int]]] = defaultdict(list)
    for place, (name, _) in enumerate(named):
        by_name[_parts(name)[-1]].append((_parts(name), place))
    wanted = dict.fromkeys(ids)
    claims: dict[int, list[str]] = defaultdict(list)
    candidates: dict[str, list[int]] = {}
    for identity in (*wanted, *(other for other in others if other not in wanted)):
        forms = _forms(identity)
        peers = by_name.get(forms[0][-1], [])
        exact = [place for name, place in peers if name in forms]
        candidates[identity] = exact or [place for name, place in peers if _fits(name, forms)]
        for place in candidates[identity]:
            claims[place].append(identity)
    problems = [
        MapProblem("extra", str(named[place][1])) for place in range(len(named)) if place not in claims
    ]
    matched: dict[str, Thing] = {}
    for identity in wanted:
        found = candidates[identity]
        if not found:
            problems.append(MapProblem("missing", identity))
        elif len(found) > 1:
            first, second = (named[place][1] for place in found[:2])
            problems.append(MapProblem("ambiguous", identity, f"{first} and {second}"))
        elif len(claims[found[0]]) > 1:
            rival = next(other for other in claims[found[0]] if other != identity)
            problems.append(
                MapProblem("ambiguous", identity, f"{named[found[0]][1]} could also be of {rival}")
            )
        else:
            matched[identity] = named[found[0]][1]
    return matched, sorted(problems, key=lambda problem: (problem.kind, problem.what))


def _parts(name: str) -> Parts:
    """Return the components of an id or a name, without an image's own suffix."""
    path = PurePosixPath(name)
    parts = (path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path).parts
    return parts or ("",)


def _forms(identity: str) -> list[Parts]:
    parts = _parts(identity)
    return [parts, (*parts[:-2], parts[-1])] if parts[-2:-1] == (COLOUR_FOLDER,) else [parts]


def _fits(name: Parts, forms: Sequence[Parts]) -> bool:
    """Whether a name ends as one of the forms does, or the other way round."""
    return any(form[-len(name) :] == name or name[-len(form) :] == form for form in forms)
