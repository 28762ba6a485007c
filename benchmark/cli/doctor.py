"""``bench doctor``: what this machine and installation are like."""

from __future__ import annotations

import click

from cocoad.base.commands import JSON

EXAMPLES = ("bench doctor", "bench doctor --json > doctor.json   # to hand in with a bug report")
PAGE = "docs/reference/command-line.md"


@click.command("doctor")
@JSON
def command(as_json: bool) -> None:
    """Say what this machine and installation are like, and take a small step of training on each device.

    It is what a bug report needs. Exits with 1 when something is wrong.
    """
    from benchmark.profiling.doctor import examine
    from cocoad.base.console import path_line
    from cocoad.base.errors import EXIT_FINDINGS
    from cocoad.base.files import json_bytes

    found = examine()
    if as_json:
        click.echo(json_bytes([each._asdict() for each in found]), nl=False)
    else:
        width = max(len(each.what) for each in found)
        for each in found:
            trouble = f"  <- {each.trouble}" if each.trouble else ""
            click.echo(path_line(f"{each.what:<{width}}  {each.found}{trouble}"))
    if any(each.trouble for each in found):
        click.get_current_context().exit(EXIT_FINDINGS)
