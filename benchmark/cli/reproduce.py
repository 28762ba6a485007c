"""`bench reproduce`: are the published numbers met here?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmark.cli.options import engine_options, recipe_options
from cocoad.base.commands import DIRECTORY, FILE

EXAMPLES = (
    "bench reproduce mvtec-ad ~/mvtec --methods invad-lite --dry-run",
    "bench reproduce mvtec-ad-by-class ~/mvtec --methods patchcore,padim --classes bottle,screw",
    "bench reproduce coco-ad coco-ad --methods invad --page reproduction.md",
)
PAGE = "docs/how-to/reproduce.md"


@click.command(name="reproduce")
@click.argument("plan_name", metavar="PLAN")
@click.argument("dataset", type=DIRECTORY)
@click.option("--methods", help="Some of the plan's targets or methods, as patchcore,padim.  [default: all]")
@click.option("--classes", help="Some of the plan's classes or splits, as bottle,screw.  [default: all]")
@recipe_options
@engine_options
@click.option("--dry-run", is_flag=True, help="Show the runs that are needed and their hours; do nothing.")
@click.option("--verdict-only", is_flag=True, help="Run nothing; hold what is finished against the figures.")
@click.option(
    "--page", type=FILE, help="Also write the outcome into this Markdown page, in the plan's section."
)
def command(
    plan_name: str,
    dataset: Path,
    methods: str | None,
    classes: str | None,
    settings: tuple[str, ...],
    out: Path,
    overwrite: bool,
    dry_run: bool,
    verdict_only: bool,
    page: Path | None,
    **options: Any,
) -> None:
    """Run what PLAN needs on DATASET and say of each published figure: reproduced, off by …, or not comparable.

    PLAN is mvtec-ad, mvtec-ad-by-class, coco-ad or a YAML file. Finished runs are kept, interrupted ones go on:
    the same command may be given as often as it takes.

    Exits with 0 when no figure is missed, 1 when some are or a run failed, 2 for wrong input, 130 when interrupted.
    """
    from benchmark.config import Settings
    from benchmark.reproduction.page import markdown, summary, table, write_section
    from benchmark.reproduction.plan import read_plan
    from benchmark.reproduction.runs import chosen, request, verdicts
    from benchmark.sweep.cluster import Needs
    from benchmark.sweep.plan import plan, show_plan
    from benchmark.sweep.start import start
    from cocoad.base.console import show
    from cocoad.base.errors import EXIT_FINDINGS, EXIT_OK

    asked = read_plan(plan_name)
    targets, parts = chosen(asked, _names(methods), _names(classes))
    code = EXIT_OK
    if not verdict_only:
        given = Settings.of_texts(settings).over(Settings.of_options(options))
        runs = plan(request(asked, targets, parts, dataset, given), out, overwrite=overwrite)
        show_plan(runs, as_json=False)
        if dry_run:
            return
        code = start(runs, out, overwrite=overwrite, submit=None, needs=Needs(), say=click.echo)
    found = verdicts(asked, targets, parts, out)
    show(table(asked, found))
    click.echo(f"{asked.title}: {summary(found)}")
    if page is not None:
        write_section(
            page, plan_name, markdown(asked, found, _command(plan_name, methods, classes, settings, options))
        )
        click.echo(f"wrote {page}")
    missed = any(each.finding == "off" for each in found)
    click.get_current_context().exit(code or (EXIT_FINDINGS if missed else EXIT_OK))


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def _command(
    plan: str, methods: str | None, classes: str | None, settings: Sequence[str], options: dict[str, Any]
) -> str:
    """Return the command that makes the page's section, without what names places on this machine."""
    words = [f"bench reproduce {plan} DATASET"]
    words += [f"--{name} {value}" for name, value in (("methods", methods), ("classes", classes)) if value]
    told = ("epochs", "batch_size", "learning_rate", "preset", "backbone")
    words += [f"--{name.replace('_', '-')} {options[name]}" for name in told if options.get(name) is not None]
    words += [f"--set {setting}" for setting in settings]
    if weights := options.get("weights"):
        words.append(f"--weights {Path(weights).name}")
    return " ".join(words)
