"""The ``cocoad`` command: options in, one call, words out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from cocoad import __version__
from cocoad.console import run_cli, stopped_like_interrupted
from cocoad.errors import EXIT_OK
from cocoad.manifest import COCO_ROOT_VARIABLE, DEFAULT_DATASET, Rasterizer

DIRECTORY = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="cocoad")
def cocoad() -> None:
    """From COCO 2017 to COCO-AD, the general-purpose anomaly-detection benchmark."""


@cocoad.command()
@click.option(
    "--coco-root",
    type=DIRECTORY,
    required=True,
    envvar=COCO_ROOT_VARIABLE,
    show_envvar=True,
    help="Where annotations/, train2017/ and val2017/ lie.",
)
@click.option(
    "--out", type=DIRECTORY, default=DEFAULT_DATASET, show_default=True, help="The dataset to make."
)
@click.option(
    "--split",
    "splits",
    type=click.IntRange(0, 3),
    multiple=True,
    help="Build this split only; may be repeated.  [default: all four]",
)
@click.option(
    "--rasterizer",
    type=click.Choice(["ader", "coco"]),
    default="ader",
    show_default=True,
    help="How outlines become masks: as the published benchmark does, or as COCO does.",
)
@click.option(
    "--unannotated",
    type=click.Choice(["exclude", "normal"]),
    default="exclude",
    show_default=True,
    help="What becomes of images without any annotation.",
)
@click.option(
    "--crowd",
    type=click.Choice(["include", "exclude"]),
    default="include",
    show_default=True,
    help="Whether crowd annotations count.",
)
@click.option("--train-annotations", type=FILE, help="Instead of annotations/instances_train2017.json.")
@click.option("--val-annotations", type=FILE, help="Instead of annotations/instances_val2017.json.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes.  [default: processors, at most 4]")
@click.option("--allow-missing-images", is_flag=True, help="Build although images are not there.")
@click.option("--overwrite", is_flag=True, help="Replace a dataset that was built before.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def build(
    coco_root: Path,
    out: Path,
    splits: tuple[int, ...],
    rasterizer: Rasterizer,
    unannotated: Literal["exclude", "normal"],
    crowd: Literal["include", "exclude"],
    train_annotations: Path | None,
    val_annotations: Path | None,
    jobs: int | None,
    allow_missing_images: bool,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Turn COCO 2017 into COCO-AD: four class partitions with pixel masks.

    No image is opened or copied. The dataset appears whole or not at all.
    """
    import msgspec

    from cocoad.build import build_dataset
    from cocoad.build_report import describe
    from cocoad.console import progress_callback
    from cocoad.files import json_bytes
    from cocoad.manifest import BuildOptions
    from cocoad.partition import SPLITS

    options = BuildOptions(rasterizer, unannotated, crowd, allow_missing_images)
    with progress_callback(quiet=as_json) as advance:
        report = build_dataset(
            coco_root,
            out,
            splits=sorted(set(splits)) or SPLITS,
            options=options,
            jobs=jobs,
            train_annotations=train_annotations,
            val_annotations=val_annotations,
            overwrite=overwrite,
            dry_run=dry_run,
            advance=advance,
        )
    if as_json:
        click.echo(json_bytes(msgspec.to_builtins(report)), nl=False)
    else:
        click.echo(describe(report))


@cocoad.command()
@click.argument("dataset", type=DIRECTORY, default=DEFAULT_DATASET)
@click.option(
    "--coco-root",
    type=DIRECTORY,
    help=f"Where COCO's images are [default: ${COCO_ROOT_VARIABLE}, else the build's hint].",
)
@click.option("--train-annotations", type=FILE, help="Where that file is, if not under the COCO root.")
@click.option("--val-annotations", type=FILE, help="Where that file is, if not under the COCO root.")
@click.option("--deep", is_flag=True, help="Also recompute every label and mask from the annotations.")
@click.option("--official", is_flag=True, help="Also demand the published counts and options.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--codes", is_flag=True, help="Check nothing; list what can be found, as Markdown.")
def verify(
    dataset: Path,
    coco_root: Path | None,
    train_annotations: Path | None,
    val_annotations: Path | None,
    deep: bool,
    official: bool,
    as_json: bool,
    codes: bool,
) -> int:
    """Prove that a built DATASET, or one in the official layout, is sound.

    Exit code 0: sound; 1: something is wrong; 2: it could not be checked.
    """
    from cocoad import verify as verification
    from cocoad.console import progress
    from cocoad.files import json_bytes
    from cocoad.verify.display import catalogue_markdown, print_findings

    if codes:
        click.echo(catalogue_markdown())
        return EXIT_OK
    with progress(quiet=as_json) as bars:
        findings = verification.verify(
            dataset,
            coco_root=coco_root,
            train_annotations=train_annotations,
            val_annotations=val_annotations,
            deep=deep,
            official=official,
            progress=bars,
        )
    if as_json:
        click.echo(json_bytes(verification.as_json(dataset, findings)), nl=False)
    else:
        print_findings(dataset, findings, coco_root)
    return verification.exit_code(findings)


@cocoad.command()
@click.argument("dataset", type=DIRECTORY, default=DEFAULT_DATASET)
@click.option(
    "--layout",
    type=click.Choice(["ader", "folder"]),
    required=True,
    help="ader: meta_20_K.json and masks; folder: as MVTec AD.",
)
@click.option(
    "--out",
    type=DIRECTORY,
    required=True,
    help="Where to write (for ader: the COCO root, or a folder to merge into it).",
)
@click.option(
    "--coco-root",
    type=DIRECTORY,
    help=f"For folder: where COCO's images are [default: ${COCO_ROOT_VARIABLE}, else the build's hint].",
)
def export(dataset: Path, layout: str, out: Path, coco_root: Path | None) -> None:
    """Write a built DATASET in a layout that other programs read."""
    from cocoad.export import LAYOUTS

    for path in LAYOUTS[layout](dataset, out, coco_root):
        click.echo(path)


@cocoad.command()
@click.argument("directory", type=DIRECTORY)
@click.option(
    "--train", type=click.IntRange(1, 1_000_000), help="Images.  [default: 240; 118,287 without pixels]"
)
@click.option(
    "--val", type=click.IntRange(1, 1_000_000), help="Images.  [default: 120; 5,000 without pixels]"
)
@click.option("--size", type=click.IntRange(64, 2048), default=256, show_default=True, help="Pixels.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--annotations-only", is_flag=True, help="Write annotation files of COCO's full size, no images."
)
def sample(
    directory: Path, train: int | None, val: int | None, size: int, seed: int, annotations_only: bool
) -> None:
    """Draw a small, licence-free COCO into DIRECTORY, to try things out."""
    from cocoad.console import next_line, path_line, progress_callback
    from cocoad.sample import draw_annotations, draw_sample

    counts = {name: count for name, count in (("train", train), ("val", val)) if count is not None}
    build_it = ("cocoad", "build", "--coco-root", directory)
    if annotations_only:
        draw_annotations(directory, **counts, seed=seed)
        click.echo("wrote annotations")
        click.echo(next_line(*build_it, "--allow-missing-images"))
        return
    with progress_callback() as advance:
        draw_sample(directory, **counts, size=size, seed=seed, advance=advance)
    click.echo(f"drew a COCO in {path_line(str(directory))}")
    click.echo(next_line(*build_it))


@cocoad.command()
@click.argument("dataset", type=DIRECTORY, default=DEFAULT_DATASET)
@click.option("--coco-root", type=DIRECTORY, help="Where the annotations are: they count the instances.")
@click.option("--val-annotations", type=FILE, help="Where that file is, if not under the COCO root.")
@click.option("--figure", type=FILE, help="Also draw a PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print the statistics as JSON.")
def stats(
    dataset: Path, coco_root: Path | None, val_annotations: Path | None, figure: Path | None, as_json: bool
) -> None:
    """Count a built DATASET's images, instances, anomalous pixels and sizes, by split and held-out category."""
    import msgspec

    from cocoad.console import path_line
    from cocoad.console import show as show_tables
    from cocoad.files import json_bytes
    from cocoad.stats import dataset_stats, tables, write_figure

    def note(what: str) -> None:
        click.echo(f"note: {path_line(what)}", err=True)

    found = dataset_stats(dataset, coco_root, val_annotations=val_annotations, note=note)
    if figure is not None:
        write_figure(found, figure)
    if as_json:
        click.echo(json_bytes(msgspec.to_builtins(found)), nl=False)
    else:
        show_tables(*tables(found))


@cocoad.command()
@click.argument("dataset", type=DIRECTORY, default=DEFAULT_DATASET)
@click.option("--split", type=click.IntRange(0, 3), default=0, show_default=True)
@click.option("--out", type=FILE, default="sheet.png", show_default=True, help="The PNG to write.")
@click.option("--coco-root", type=DIRECTORY, help="Where COCO's images are.")
@click.option("--count", type=click.IntRange(1, 400), default=24, show_default=True, help="Images at most.")
@click.option("--columns", type=click.IntRange(1, 40), default=6, show_default=True)
@click.option("--category", help="Only images that show this held-out category.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the choice of images."
)
def show(
    dataset: Path,
    split: int,
    out: Path,
    coco_root: Path | None,
    count: int,
    columns: int,
    category: str | None,
    seed: int,
) -> None:
    """Draw a contact sheet of DATASET: anomalous images with the mask outlined and the categories named."""
    from cocoad.console import path_line
    from cocoad.contact_sheet import write_contact_sheet

    choice = {"count": count, "columns": columns, "seed": seed}
    shown = write_contact_sheet(dataset, split, out, coco_root=coco_root, category=category, **choice)
    click.echo(f"{path_line(str(out))}: {shown} images of split {split}")


def main() -> None:
    """Entry point of the ``cocoad`` command."""
    with stopped_like_interrupted():
        run_cli(cocoad)
