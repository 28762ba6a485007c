"""`bench sweep`: many runs from one plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmark.cli.options import PER_CLASS, data_options, engine_options, recipe_options, splits
from cocoad.base.commands import DIRECTORY, FILE, JSON, QUIET, renamed
from cocoad.base.errors import InputError

EXAMPLES = (
    "bench sweep --methods invad,rd,padim --split all --seeds 0,1,2 --dry-run",
    "bench sweep --methods invad --split all --devices all   # one run per GPU of this machine",
    "bench sweep --plan plan.yaml --epochs 10",
    "bench sweep --plan plan.yaml --submit slurm --partition gpu --hours 8 --slurm account=lab",
)
PAGE = "docs/how-to/sweep.md"


@click.command(name="sweep")
@click.option("--methods", help="Names, comma-separated, as invad,rd,padim.")
@click.option("--plan", "file", type=FILE, help="Instead: a YAML file of methods with options, datasets, "
              "splits and seeds. Options override it.")  # fmt: skip
@click.option(
    "--dataset", "datasets", type=DIRECTORY, multiple=True, help="May be repeated.  [default: coco-ad]"
)
@splits("0; none where there are none")
@renamed("--splits", "give --split, as 0,2 or all")
@click.option("--seeds", help="Several as 0,1,2.  [default: 42]")
@data_options
@PER_CLASS
@recipe_options
@engine_options
@click.option("--devices", metavar="all|0,1,…", help="One run at a time on each of these GPUs; "
              "with --device cpu, so many runs at once.  [default: one run at a time]")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show the plan and what it would take; do nothing.")
@JSON
@QUIET
@click.option("--submit", type=click.Choice(["slurm", "local"]), help="Queue the runs with SLURM, or rehearse "
              "that here (extra slurm).")  # fmt: skip
@click.option("--partition", help="Of SLURM.")
@click.option("--gpus-per-run", type=click.IntRange(min=0), default=1, show_default=True, help="With --submit: "
              "several divide each batch.")  # fmt: skip
@click.option(
    "--cpus-per-run", type=click.IntRange(min=1), default=8, show_default=True, help="With --submit."
)
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=24.0, show_default=True,
              help="With --submit: a run that takes longer is queued again and goes on.")  # fmt: skip
@click.option("--slurm", "sbatch", multiple=True, metavar="NAME=VALUE", help="Other options of sbatch.")
def command(
    methods: str | None,
    file: Path | None,
    datasets: tuple[Path, ...],
    splits: tuple[int, ...],
    seeds: str | None,
    settings: tuple[str, ...],
    out: Path,
    overwrite: bool,
    devices: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    per_class: bool,
    submit: str | None,
    partition: str | None,
    gpus_per_run: int,
    cpus_per_run: int,
    hours: float,
    sbatch: tuple[str, ...],
    **options: Any,
) -> None:
    """Plan runs of several methods on splits and seeds, and run what is not finished.

    Interrupted runs go on, each run has a process of its own, and a failure does not end the sweep.
    Exits with 0 when all is finished (or queued), 1 when some runs failed, 2 for wrong input, 130 when
    interrupted.
    """
    from benchmark.sweep.cluster import Needs, sbatch_options
    from benchmark.sweep.plan import plan, show_plan
    from benchmark.sweep.request import request
    from benchmark.sweep.share import shares
    from benchmark.sweep.start import start

    asked = request(
        methods=methods,
        plan=file,
        datasets=datasets,
        splits=splits,
        seeds=seeds,
        options=options,
        settings=settings,
        per_class=per_class,
    )
    needs = Needs(partition, gpus_per_run, cpus_per_run, hours, sbatch_options(sbatch))
    runs = plan(asked, out, overwrite=overwrite, elsewhere=submit == "slurm")
    show_plan(runs, as_json)
    if not (dry_run or as_json):
        if devices and submit:
            raise InputError("--devices shares out this machine, --submit asks a cluster: give one of them")
        parts = shares(devices, options.get("device"))
        code = start(
            runs,
            out,
            overwrite=overwrite,
            submit=submit,
            needs=needs,
            shares=parts,
            quiet=quiet,
            say=click.echo,
        )
        click.get_current_context().exit(code)
