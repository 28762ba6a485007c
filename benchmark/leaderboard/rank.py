"""From the tidy table to rankings: only what may be compared stands in one, and what is left out is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark.leaderboard.entries import Entry, entries_of
from benchmark.leaderboard.table import COUNTS, DATASET, OWN, VARIANT
from benchmark.runs.names import COLUMNS
from cocoad.base.errors import InputError
from cocoad.coco.partition import SPLITS, partition

if TYPE_CHECKING:
    import pandas as pd

COCO_AD = "coco-ad"


@dataclass(frozen=True)
class Ranking:
    """Entries that may be compared, best first, and notes on what the reader must know."""

    title: str
    protocol: str
    entries: list[Entry]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Block:
    """Runs that may be compared: one dataset in one version at one resolution, all on the same splits."""

    name: str  # of the dataset
    shown: str  # the name, with what tells this dataset from others of that name
    image_size: str
    splits: tuple[str, ...]  # ("",) for a dataset without splits
    rows: pd.DataFrame
    notes: tuple[str, ...] = ()
    version: str = ""  # the start of its hash, when there are several

    @property
    def title(self) -> str:
        parts = [self.shown, f"{self.image_size} px", _splits_in_words(self.splits)]
        return ", ".join(part for part in (*parts, self.version and f"data {self.version}") if part)


def rankings(table: pd.DataFrame, columns: Sequence[str], sort: str) -> list[Ranking]:
    """Return a tidy table's rankings: one per protocol, dataset, classes, resolution and dataset version.

    Args:
        table: from :func:`benchmark.leaderboard.table.tidy`.
        columns: names of metrics and costs to average, first over seeds, then over splits.
        sort: the column to rank by, best first, or ``method``.

    Raises:
        InputError: ``sort`` is no column.
    """
    if sort != "method" and sort not in COLUMNS:
        raise InputError(f"--sort: unknown column {sort!r}; known: method, {', '.join(COLUMNS)}")
    columns = (*columns, *(name for name in (sort,) if name in COLUMNS and name not in columns))
    found: list[Ranking] = []
    for protocol in sorted(set(table["protocol"])):
        rows = table[table["protocol"] == protocol]
        own, published = rows[rows["source"] == OWN], rows[rows["source"] != OWN]
        joined: set[str] = set()
        names = {_normalised(name) for name in own["dataset"]}
        for block in _blocks(own):
            beside, notes = _published_beside(block, published)
            joined |= {_normalised(block.name)} if len(beside) else set()
            entries = entries_of(block.rows, columns, notes) + entries_of(beside, columns, notes)
            found.append(Ranking(block.title, protocol, _sorted(entries, sort), [*block.notes, *notes]))
        for name, group in published.groupby("dataset", sort=True):
            wanted = not names or _normalised(str(name)) in names | {COCO_AD}
            if wanted and _normalised(str(name)) not in joined:
                found += _published_alone(str(name), group, protocol, columns, sort)
    return found


def _blocks(own: pd.DataFrame) -> Iterator[_Block]:
    for key, dataset in own.groupby(list(DATASET), sort=True):
        name, layout, classes, size = (str(part) for part in key)
        shown = _told_apart(name, layout, classes, own)
        versions = dataset.groupby("split")["dataset_hash"].nunique()
        if (versions > 1).any():
            note = (
                f"{name} was scored in several versions (hashes differ): each is ranked apart, split by split"
            )
            for (split, digest), rows in dataset.groupby(["split", "dataset_hash"], sort=True):
                yield _Block(name, shown, size, (str(split),), rows, (note,), str(digest)[:8])
        else:
            yield from _on_common_splits(name, shown, size, dataset)


def _told_apart(name: str, layout: str, classes: str, own: pd.DataFrame) -> str:
    """Name the layout and the classes too when runs on a dataset of this name differ in them."""
    peers = own[own["dataset"] == name]
    details = [layout] if peers["layout"].nunique() > 1 else []
    details += [classes.replace(";", ", ")] if peers["classes"].nunique() > 1 else []
    return f"{name} ({'; '.join(details)})" if details else name


def _on_common_splits(name: str, shown: str, size: str, rows: pd.DataFrame) -> Iterator[_Block]:
    covered = [frozenset(group["split"]) for _, group in rows.groupby(list(VARIANT))]
    common = frozenset.intersection(*covered)
    every = frozenset.union(*covered)
    if common == every:
        yield _Block(name, shown, size, tuple(sorted(common)), rows)
    elif common:
        left = _splits_in_words(tuple(sorted(every - common)))
        note = f"only the splits that all methods cover are averaged; left out of this ranking: {left}"
        yield _Block(name, shown, size, tuple(sorted(common)), rows[rows["split"].isin(common)], (note,))
    else:
        note = "the methods have no split in common: each split is ranked alone"
        for split in sorted(every):
            yield _Block(name, shown, size, (split,), rows[rows["split"] == split], (note,))


def _published_beside(block: _Block, published: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the published rows that belong into ``block`` and a note on how sure that is."""
    same = published[published["dataset"].map(_normalised) == _normalised(block.name)]
    if same.empty:
        return same, []
    if _normalised(block.name) == COCO_AD and (why := _unofficial(block.rows)):
        return same.iloc[:0], [f"published rows stand apart: {why}"]
    sized = same[same["image_size"].isin(["", block.image_size])]
    if sized.empty or (block.image_size not in set(sized["image_size"])):
        return same.iloc[:0], [f"published rows stand apart: they were not scored at {block.image_size} px"]
    if block.splits == tuple(map(str, SPLITS)):
        chosen = sized[sized["split"] == "mean"]
    else:
        chosen = sized[sized["split"].isin(block.splits)]
        full = chosen.groupby(["source", "method"])["split"].transform("nunique") == len(block.splits)
        chosen = chosen[full]
    counts = "official numbers of images" if _normalised(block.name) == COCO_AD else "same name"
    return chosen, [f"published rows: the {counts}, but the hash of their data is not known"] if len(
        chosen
    ) else []


def _unofficial(rows: pd.DataFrame) -> str:
    """Return why runs on COCO-AD cannot stand beside published rows, or nothing."""
    if options := sorted(set(rows["unofficial"]) - {""}):
        return f"this dataset was built with {', '.join(options)}"
    wrong = "these test sets have not the official numbers of images"
    for split, group in rows.groupby("split"):
        if str(split) not in map(str, SPLITS):
            return wrong
        official = partition(int(str(split))).official
        if any(set(group[name]) != {getattr(official, name)} for name in COUNTS):
            return wrong
    return ""


def _published_alone(
    name: str, rows: pd.DataFrame, protocol: str, columns: Sequence[str], sort: str
) -> Iterator[Ranking]:
    """Yield the means where there are means, else each split (as after ``--where split=0``)."""
    splits = ["mean"] if "mean" in set(rows["split"]) else sorted(set(rows["split"]))
    for split in splits:
        words = "mean of the four splits" if split == "mean" else _splits_in_words((split,))
        title = ", ".join(part for part in (name, words, "published rows only") if part)
        entries = entries_of(rows[rows["split"] == split], columns, [])
        yield Ranking(title, protocol, _sorted(entries, sort))


def _sorted(entries: Sequence[Entry], sort: str) -> list[Entry]:
    if sort == "method":
        return sorted(entries, key=lambda entry: (entry.label, entry.source))
    sign = -1.0 if COLUMNS[sort].higher_is_better else 1.0

    def key(entry: Entry) -> tuple[bool, float, str]:
        mean = entry.values[sort].mean
        return (mean != mean, 0.0 if mean != mean else sign * mean, entry.label)

    return sorted(entries, key=key)


def _normalised(name: str) -> str:
    return name.lower().replace("_", "-")


def _splits_in_words(splits: tuple[str, ...]) -> str:
    if splits == ("",):
        return ""
    if len(splits) == 1:
        return f"split {splits[0]}"
    return f"mean of splits {', '.join(splits)}"
