"""``bench runs``: list runs and their state."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("runs")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
def command(runs: tuple[Path, ...]) -> None:
    """List the runs in or below RUNS (default: ./runs): finished, running, interrupted, failed or invalid.

    A run is interrupted when it says that it is running but its process is gone.
    """
    from benchmark.runs.listing import states, states_table
    from cocoad.base.console import show

    show(states_table(states(runs or (Path("runs"),))))
