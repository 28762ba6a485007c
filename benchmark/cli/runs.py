"""``bench runs``: list runs and their state."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import RUNS
from cocoad.base.commands import JSON

EXAMPLES = ("bench runs", "bench runs runs/ablation runs/rd_coco-ad_split-0_seed-42 --json")
PAGE = "docs/how-to/train.md"


@click.command("runs")
@RUNS
@JSON
def command(runs: tuple[Path, ...], as_json: bool) -> None:
    """List the runs in or below RUNS (default: ./runs): finished, running, interrupted, failed or invalid.

    A run is interrupted when it says that it is running but its process is gone.
    """
    from benchmark.runs.listing import states, states_json, states_table
    from cocoad.base.console import show
    from cocoad.base.files import json_bytes

    found = states(runs or (Path("runs"),))
    if as_json:
        click.echo(json_bytes(states_json(found)), nl=False)
    else:
        show(states_table(found))
