"""What methods there are, as a table: for a person who chooses one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, NamedTuple

import click

from benchmark.methods.anomalib_adapter.known import MODELS, PREFIX, Known, installed
from benchmark.methods.facts import BUILT_IN
from benchmark.methods.registry import ENTRY_POINTS, facts_of, names
from cocoad.base.console import plain_table
from cocoad.base.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table


class MethodRow(NamedTuple):
    """A method: its name, how it trains, its own backbone, its source, the package that has it, and a note.

    The note says what a method needs beside weights, why it cannot work here, or how it differs from its paper.
    """

    name: str
    training: str
    backbone: str | None
    source: str
    package: str
    note: str = ""


def catalogue() -> list[MethodRow]:
    """Return all methods, of this package and of others; say on stderr which of the latter are broken."""
    packages = {
        point.name: point.dist.name if point.dist else "unknown" for point in entry_points(group=ENTRY_POINTS)
    }
    rows = []
    for name in names():
        try:
            rows.append(_row(name, "cocoad" if name in BUILT_IN else packages[name]))
        except InputError as error:
            click.echo(f"left out: {error}", err=True)
    return rows + [_anomalib_row(name, about) for name, about in MODELS.items()]


def _row(name: str, package: str) -> MethodRow:
    facts = facts_of(name)
    recipe = facts.presets["paper"]
    length = f"{recipe.iterations:,} steps" if recipe.iterations else f"{recipe.epochs} epochs"
    training = "one pass" if facts.training == "one pass" else f"{length}, {recipe.optimizer}"
    return MethodRow(name, training, facts.default_backbone, facts.source, package)


def _anomalib_row(name: str, about: Known) -> MethodRow:
    found = installed()
    package = f"anomalib {found}" if found else "needs cocoad[anomalib]"
    passes = "one pass" if about.epochs == 1 else f"{about.epochs} passes"
    training = passes if about.fixed else f"{about.epochs} epochs, anomalib's"
    if about.refused:
        return MethodRow(
            PREFIX + name, "–", None, about.source, package, f"cannot work here: {about.refused}"
        )
    notes = [
        about.needs and f"needs {about.needs}",
        about.differs and f"not as in its paper: {about.differs}",
    ]
    note = "; ".join(filter(None, notes))
    return MethodRow(PREFIX + name, training, about.backbone, about.source, package, note)


def table(rows: Iterable[MethodRow]) -> Table:
    """Return the methods as a table."""
    from rich.text import Text

    shown = plain_table()
    for heading in ("Method", "Training", "Backbone", "Source", "Package"):
        shown.add_column(heading, min_width=24 if heading == "Source" else None)
    for row in rows:
        shown.add_row(*(Text(value or "–") for value in row[:5]))
    return shown


def notes(rows: Iterable[MethodRow]) -> list[str]:
    """Return a line for each method of which there is more to say than the table does."""
    return [f"{row.name}: {row.note}" for row in rows if row.note]
