"""What methods there are, as a table: for a person who chooses one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, NamedTuple

from benchmark.methods.base import OnePassMethod
from benchmark.methods.registry import BUILT_IN, ENTRY_POINTS, method_class, names

if TYPE_CHECKING:
    from rich.table import Table


class Row(NamedTuple):
    """A method: its name, how it trains, its own backbone, its source, and the package that has it."""

    name: str
    training: str
    backbone: str | None
    source: str
    package: str


def catalogue() -> list[Row]:
    """Return all methods, of this package and of others."""
    packages = {
        point.name: point.dist.name if point.dist else "unknown" for point in entry_points(group=ENTRY_POINTS)
    }
    return [_row(name, "cocoad" if name in BUILT_IN else packages[name]) for name in names()]


def _row(name: str, package: str) -> Row:
    kind = method_class(name)
    recipe = kind.presets["paper"]
    one_pass = issubclass(kind, OnePassMethod)
    training = "one pass" if one_pass else f"{recipe.epochs} epochs, {recipe.optimizer}"
    return Row(name, training, kind.default_backbone, kind.source, package)


def table(rows: Iterable[Row]) -> Table:
    """Return the methods as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for heading in ("Method", "Training", "Backbone", "Source", "Package"):
        shown.add_column(heading, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(value or "–") for value in row))
    return shown
