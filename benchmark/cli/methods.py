"""`bench methods`: list the methods."""

from __future__ import annotations

import click


@click.command(name="methods")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(as_json: bool) -> None:
    """List the methods that there are, with how they train and where they come from."""
    from benchmark.methods.catalogue import catalogue, notes, table
    from cocoad.console import show
    from cocoad.files import json_bytes

    rows = catalogue()
    if as_json:
        click.echo(json_bytes([row._asdict() for row in rows]).decode(), nl=False)
    else:
        show(table(rows))
        for line in notes(rows):
            click.echo(line)
