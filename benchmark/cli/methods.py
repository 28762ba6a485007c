"""`bench methods`: list the methods."""

from __future__ import annotations

import click

from cocoad.base.commands import JSON

EXAMPLES = ("bench methods", "bench methods --json")
PAGE = "docs/reference/methods.md"


@click.command(name="methods")
@JSON
def command(as_json: bool) -> None:
    """List the methods that there are, with how they train and where they come from."""
    from benchmark.methods.catalogue import catalogue, notes, table
    from cocoad.base.console import show
    from cocoad.base.files import json_bytes

    rows = catalogue()
    if as_json:
        click.echo(json_bytes([row._asdict() for row in rows]).decode(), nl=False)
    else:
        show(table(rows))
        for line in notes(rows):
            click.echo(line)
