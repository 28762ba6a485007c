"""`bench datasets`: list the datasets that are read as their downloads unpack."""

from __future__ import annotations

import click

from cocoad.base.commands import JSON

EXAMPLES = ("bench datasets", "bench datasets --json")
PAGE = "docs/how-to/datasets.md"


@click.command(name="datasets")
@JSON
def command(as_json: bool) -> None:
    """List the datasets of the field that are read as their downloads unpack: where to get them, and on what terms."""
    from benchmark.datasets.catalogue import CATALOGUE
    from cocoad.base.files import json_bytes

    if as_json:
        click.echo(json_bytes([entry._asdict() for entry in CATALOGUE]), nl=False)
        return
    for entry in CATALOGUE:
        click.echo(f"{entry.name}: {entry.classes} classes, layout {entry.layout}: {entry.unpacked}")
        click.echo(f"  {entry.url}\n  licence: {entry.licence}\n  cite: {entry.citation}")
