"""``cocoad verify``."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad.base.commands import DIRECTORY, FILE, JSON, QUIET
from cocoad.dataset.manifest import COCO_ROOT_VARIABLE, DEFAULT_DATASET

EXAMPLES = (
    "cocoad verify coco-ad",
    "cocoad verify coco-ad --coco-root ~/coco --deep   # recompute every label and mask",
    "cocoad verify coco-ad --official --json",
)
PAGE = "docs/reference/findings.md"


@click.command()
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
@JSON
@QUIET
def command(
    dataset: Path,
    coco_root: Path | None,
    train_annotations: Path | None,
    val_annotations: Path | None,
    deep: bool,
    official: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Prove that a built DATASET, or one in the official layout, is sound.

    Exit code 0: sound; 1: something is wrong; 2: it could not be checked.
    """
    from cocoad.base.console import progress
    from cocoad.base.files import json_bytes
    from cocoad.verify import as_json as findings_json
    from cocoad.verify import exit_code, verify
    from cocoad.verify.display import print_findings

    with progress(quiet=quiet or as_json) as bars:
        findings = verify(
            dataset,
            coco_root=coco_root,
            train_annotations=train_annotations,
            val_annotations=val_annotations,
            deep=deep,
            official=official,
            progress=bars,
        )
    if as_json:
        click.echo(json_bytes(findings_json(dataset, findings)), nl=False)
    else:
        print_findings(dataset, findings, coco_root)
    return exit_code(findings)
