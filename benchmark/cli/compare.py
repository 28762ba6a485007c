"""``bench compare``: which of two runs is better, and on what."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.commands import JSON

EXAMPLES = (
    "bench compare runs/rd_coco-ad_split-0_seed-42 runs/invad_coco-ad_split-0_seed-42",
    "bench compare runs/a runs/b --samples 10000 --json",
)
PAGE = "docs/how-to/compare.md"


@click.command("compare")
@click.argument("first", metavar="A", type=click.Path(path_type=Path))
@click.argument("second", metavar="B", type=click.Path(path_type=Path))
@click.option("--samples", type=click.IntRange(100, 100_000), default=2000, show_default=True,
              help="Resamples of the bootstrap.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the resampling.")
@click.option("--protocol", type=click.Choice(["ader", "exact"]), default="ader", show_default=True,
              help="Of the values A and B; the leaderboard's default.")  # fmt: skip
@JSON
def command(first: Path, second: Path, samples: int, seed: int, protocol: str, as_json: bool) -> None:
    """Say whether run B is better than run A: by metric, held-out category and object size.

    A paired bootstrap over the test images gives an interval and a p for every difference. Both runs must
    have been scored on the same data.
    """
    from benchmark.comparison import tables
    from benchmark.comparison.compare import compare
    from cocoad.base.console import show
    from cocoad.base.files import json_bytes

    comparison = compare(first, second, samples, seed, protocol)
    if as_json:
        click.echo(json_bytes(tables.as_json(comparison)).decode(), nl=False)
    else:
        show(*tables.tables(comparison))
