"""``bench show``: print one run."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import NO_RUN, RUN
from cocoad.base.commands import JSON

EXAMPLES = (
    "bench show runs/invad_coco-ad_split-0_seed-42",
    "bench show runs/invad_coco-ad_split-0_seed-42 --json   # the record",
)
PAGE = "docs/reference/run-record.md"


@click.command("show")
@RUN
@JSON
@NO_RUN
def command(directory: Path, as_json: bool) -> None:
    """Print the finished run in RUN: what it is, what it cost, and its metrics overall and by group."""
    import msgspec

    from benchmark.runs.listing import details
    from benchmark.runs.record import read_record
    from cocoad.base.console import show
    from cocoad.base.files import json_bytes

    record = read_record(directory)
    if as_json:
        click.echo(json_bytes(msgspec.to_builtins(record)), nl=False)
    else:
        show(*details(directory, record))
