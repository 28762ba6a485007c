"""From the tidy table to rankings: only what may be compared stands in one, and what is left out is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from benchmark.leaderboard.entries import BUDGET, Entry, entries_of
from benchmark.leaderboard.per_class import PER_CLASS, with_class_means
from benchmark.leaderboard.published.datasets import ABOUT, COCO_AD, PublishedDataset, named_like
from benchmark.leaderboard.table import COUNTS, DATASET, OWN, VARIANT
from benchmark.metrics.evaluation import PARTLY_MASKED, VANISHED_MASKS
from benchmark.runs.columns import COLUMNS
from cocoad.base.errors import InputError
from cocoad.coco.partition import SPLITS

if TYPE_CHECKING:
    import pandas as pd
OF_TEST_SET = {
    VANISHED_MASKS: "many masks have nothing left at this size (vanished-masks): ader takes such images for normal",
    PARTLY_MASKED: "some anomalous images have no mask (partly-masked): the pixel metrics are over the others",
}


@dataclass(frozen=True)
class Ranking:
    """Entries that may be compared, best first, and notes on what the reader must know.

    ``sort`` is the column they are ranked by, ``budget`` the keys of :data:`.entries.BUDGET` in which they differ.
    """

    title: str
    protocol: str
    entries: list[Entry]
    sort: str = "mad"
    notes: list[str] = field(default_factory=list)

    @cached_property
    def budget(self) -> tuple[str, ...]:
        """The parts of a budget in which the entries differ, in the order in which a table shows them."""
        return tuple(
            name for name in BUDGET if len({entry.budget.get(name, "") for entry in self.entries}) > 1
        )


@dataclass(frozen=True)
class _Block:
    """Runs that may be compared: one dataset in one version at one resolution, all on the same splits."""

    name: str  # of the dataset
    shown: str  # the name, with what tells this dataset from others of that name, and the setting
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
    """Return a tidy table's rankings: one per protocol, dataset, classes, setting, resolution and dataset version.

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
        published = rows[rows["source"] != OWN]
        own, missing = with_class_means(rows[rows["source"] == OWN])
        joined: set[str] = set()
        for block in _blocks(own):
            about, beside, notes = _published_beside(block, published)
            joined |= {about.key} if about and len(beside) else set()
            entries = entries_of(block.rows, columns, notes) + entries_of(beside, columns, notes)
            notes = [*block.notes, *_missing_of(block, missing), *_of_test_set(block), *notes]
            found.append(
                _ranked(_title(block, about if len(beside) else None), protocol, entries, sort, notes)
            )
        alone = {key for key in published["dataset"] if _wanted(key, own)} - joined
        for key in sorted(alone):
            group = published[published["dataset"] == key]
            found += _published_alone(str(key), group, protocol, columns, sort)
    return found


def _ranked(title: str, protocol: str, entries: list[Entry], sort: str, notes: list[str]) -> Ranking:
    ranking = Ranking(title, protocol, _sorted(entries, sort), sort, notes)
    if differing := [BUDGET[name].lower() for name in ranking.budget if name != "pretraining"]:
        notes.append(f"budgets differ ({', '.join(differing)}): the ranks are not those of methods alone")
    return ranking


def _title(block: _Block, about: PublishedDataset | None) -> str:
    """Return a block's title; where published rows stand in it, with the declared name of what they are about."""
    named = about and about.key != COCO_AD and about.name.lower() != block.name.lower()
    return f"{block.title}: {about.name}" if about and named else block.title


def _of_test_set(block: _Block) -> list[str]:
    """Return what the runs' flags say of the masks that all of them were scored on."""
    flags = {flag for flags in block.rows["flags"] for flag in str(flags).split(";")}
    return [note for flag, note in OF_TEST_SET.items() if flag in flags]


def _missing_of(block: _Block, notes: Sequence[str]) -> list[str]:
    return [note for note in notes if f" on {block.name}, " in note]


def _wanted(key: str, own: pd.DataFrame) -> bool:
    """Say whether published rows that join no ranking are worth one of their own beside these runs."""
    names = [named_like(str(name)) for name in set(own["dataset"])]
    return own.empty or key == COCO_AD or any(about and about.key == key for about in names)


def _blocks(own: pd.DataFrame) -> Iterator[_Block]:
    for key, dataset in own.groupby(list(DATASET), sort=True):
        name, layout, classes, setting, size = (str(part) for part in key)
        whole = (
            len(str(dataset["whole_classes"].iloc[0]).split(";")) if dataset["whole_classes"].iloc[0] else 0
        )
        shown = _told_apart(name, layout, own) + _about(name, classes.split(";"), setting, whole, own)
        versions = dataset.groupby("split")["dataset_hash"].nunique()
        if (versions > 1).any():
            note = (
                f"{name} was scored in several versions (hashes differ): each is ranked apart, split by split"
            )
            for (split, digest), rows in dataset.groupby(["split", "dataset_hash"], sort=True):
                yield _Block(name, shown, size, (str(split),), rows, (note,), str(digest)[:8])
        else:
            yield from _on_common_splits(name, shown, size, dataset)


def _told_apart(name: str, layout: str, own: pd.DataFrame) -> str:
    """Name the layout too when runs on a dataset of this name differ in it."""
    return f"{name} ({layout})" if own[own["dataset"] == name]["layout"].nunique() > 1 else name


def _about(name: str, classes: list[str], setting: str, whole: int, own: pd.DataFrame) -> str:
    """Say which classes runs are about, of how many, and whether each has a model of its own."""
    few = ", ".join(classes[:4]) + (" …" if len(classes) > 4 else "")
    if setting == PER_CLASS:
        return (
            f": class {few} of {whole}" if whole else f", one model per class, mean of {len(classes)} classes"
        )
    if whole:
        return f": classes {few} ({len(classes)} of {whole}), one model for all of them"
    if len(classes) > 1:
        return f", one model for all {len(classes)} classes"
    return f" ({few})" if own[own["dataset"] == name]["classes"].nunique() > 1 else ""


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


def _published_beside(
    block: _Block, published: pd.DataFrame
) -> tuple[PublishedDataset | None, pd.DataFrame, list[str]]:
    """Return the published dataset that a block is of, the rows that belong into it, and why, or why not."""
    none = published.iloc[:0]
    about = next((about for about in ABOUT.values() if not _differs(block, about)), None)
    if about is None:
        similar = named_like(block.name)
        if similar is None or similar.key not in set(published["dataset"]):
            return None, none, []
        return similar, none, [f"published rows stand apart: {_differs(block, similar)}"]
    same = published[published["dataset"] == about.key]
    if same.empty:
        return about, none, []
    if options := sorted(set(block.rows["unofficial"]) - {""}):
        return about, none, [f"published rows stand apart: this dataset was built with {', '.join(options)}"]
    settings = set(block.rows["setting"])
    if len(about.classes) > 1 and not settings & set(same["setting"]):
        return about, none, ["published rows stand apart: they are of one model for all classes"]
    sized = same[same["image_size"].isin(["", block.image_size])]
    if block.image_size not in set(sized["image_size"]):
        return about, none, [f"published rows stand apart: they were not scored at {block.image_size} px"]
    if block.splits == tuple(map(str, SPLITS)):
        chosen = sized[sized["split"] == "mean"]
    else:
        chosen = sized[sized["split"].isin(block.splits)]
        full = chosen.groupby(["source", "method"])["split"].transform("nunique") == len(block.splits)
        chosen = chosen[full]
    what = (
        "the official numbers of images" if about.key == COCO_AD else "the same classes and numbers of images"
    )
    return (
        about,
        chosen,
        [f"published rows: {what}, but the hash of their data is not known"] if len(chosen) else [],
    )


def _differs(block: _Block, about: PublishedDataset) -> str:
    """Return why a block is not of a published dataset, or nothing."""
    if about.key == COCO_AD and named_like(block.name) is not about:
        return "another name"  # all splits of COCO have one class, so that the name must tell
    for split in block.splits:
        rows = block.rows[block.rows["split"] == split]
        for counts in rows[list(COUNTS)].drop_duplicates().itertuples(index=False):
            classes = str(rows["classes"].iloc[0]).split(";")
            if why := about.differs(classes, (int(counts[0]), int(counts[1]), int(counts[2])), split):
                return why
    return ""


def _published_alone(
    key: str, rows: pd.DataFrame, protocol: str, columns: Sequence[str], sort: str
) -> Iterator[Ranking]:
    """Yield the means where there are means, else each split (as after ``--where split=0``)."""
    about = ABOUT.get(key)
    classes = f", one model for all {len(about.classes)} classes" if about and len(about.classes) > 1 else ""
    splits = ["mean"] if "mean" in set(rows["split"]) else sorted(set(rows["split"]))
    for split in splits:
        words = "mean of the four splits" if split == "mean" else _splits_in_words((split,))
        title = ", ".join(part for part in (f"{key}{classes}", words, "published rows only") if part)
        notes: list[str] = []
        entries = entries_of(rows[rows["split"] == split], columns, notes)
        yield _ranked(title, protocol, entries, sort, notes)


def _sorted(entries: Sequence[Entry], sort: str) -> list[Entry]:
    if sort == "method":
        return sorted(entries, key=lambda entry: (entry.label, entry.source))
    sign = -1.0 if COLUMNS[sort].higher_is_better else 1.0

    def key(entry: Entry) -> tuple[bool, float, str]:
        mean = entry.values[sort].mean
        return (mean != mean, 0.0 if mean != mean else sign * mean, entry.label)

    return sorted(entries, key=key)


def _splits_in_words(splits: tuple[str, ...]) -> str:
    if splits == ("",):
        return ""
    if len(splits) == 1:
        return f"split {splits[0]}"
    return f"mean of splits {', '.join(splits)}"
