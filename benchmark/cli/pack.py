"""``bench pack``: make a submission of runs or maps."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import DATASET, EVALUATION_SIZE, IMAGE_SCORES, data_options, splits
from cocoad.base.commands import DIRECTORY, FILE, QUIET, one_split

EXAMPLES = (
    "bench pack runs/invad_coco-ad_split-* --out submission/invad --about about.yaml",
    "bench pack my_maps --scores my_scores.csv --split 0 --out submission/mine --about about.yaml",
)
PAGE = "docs/how-to/submit.md"


@click.command("pack")
@click.argument("sources", nargs=-1, required=True, type=DIRECTORY)
@click.option(
    "--out", type=DIRECTORY, required=True, help="Folder of the submission; splits that it has are kept."
)
@DATASET
@splits("0; of a run, its own")
@data_options
@IMAGE_SCORES
@EVALUATION_SIZE
@click.option(
    "--about", type=FILE, help="YAML: method, pretraining, encoder, authors, paper, code and so on."
)
@click.option("--method", help="Its name.  [default: the run's, or as --about says]")
@click.option("--size", type=click.Choice(["64", "128", "256"]), default="64", show_default=True,
              help="Side of the packed maps: more than 64 for maps that were never smoothed.")  # fmt: skip
@click.option("--lossy", is_flag=True, help="Pack although a metric differs by more than 0.05 points.")
@QUIET
def command(
    sources: tuple[Path, ...],
    out: Path,
    dataset: Path,
    splits: tuple[int, ...],
    layout: str | None,
    classes: list[str] | None,
    coco_root: Path | None,
    test_share: float | None,
    scores: Path | None,
    image_size: int,
    about: Path | None,
    method: str | None,
    size: str,
    lossy: bool,
    quiet: bool,
) -> None:
    """Pack SOURCES into a submission: runs that kept their maps, or a folder of maps of one split.

    The maps become small enough for a git repository (about 10 MB a split), and from then on what is packed is what
    is scored: every number follows from the files. Says how far the metrics are from those of the full maps.
    """
    from benchmark.datasets import load_dataset
    from benchmark.scoring.score import UnusableMapsError
    from benchmark.submissions.format import TAKEN_MB
    from benchmark.submissions.pack import about_of, pack_split, source_of, write_packed
    from cocoad.base.console import progress_callback

    found = [source_of(path, scores) for path in sources]
    records = [source.record for source in found if source.record is not None]
    known = about_of(about, method, out, records)
    packed = []
    with progress_callback(quiet) as advance:
        for source in found:
            record = source.record
            data = load_dataset(
                dataset,
                split=one_split(splits) if record is None else record.dataset.split,
                layout=layout,
                classes=classes or (),
                coco_root=coco_root,
                test_share=test_share,
            )
            pixels = image_size if record is None else record.dataset.resolution
            try:
                packed.append(pack_split(source, data, pixels, int(size), lossy, advance))
            except UnusableMapsError as error:
                for problem in error.problems:
                    click.echo(str(problem), err=True)
                raise
    submission = write_packed(out, known, packed)
    for one in packed:
        mad = one.split.metrics["ader"]["mad"]
        click.echo(
            f"{one.split.title}: {one.size / 1e6:.1f} MB, mAD {'–' if mad is None else f'{100 * mad:.2f}'} %, at most "
            f"{one.split.difference:.4f} points from the full maps ({one.worst or 'no metric differs'})"
        )
        if one.largest > TAKEN_MB * 1_000_000:
            click.echo(
                f"note: a file has {one.largest / 1e6:.1f} MB; a leaderboard made of the template takes {TAKEN_MB}",
                err=True,
            )
    click.echo(f"{out}: {submission.about.method}, {len(submission.splits)} split(s)")
    click.echo(f"next: bench verify-submission {out} --dataset {dataset}", err=True)
