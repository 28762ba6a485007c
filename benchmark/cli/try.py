"""``bench try``: which method to use on photos of good and bad parts."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import BACKBONE, CACHE, DEVICE, IMAGE_SIZE, TEST_SHARE
from cocoad.base.commands import DIRECTORY, JSON, QUIET

EXAMPLES = (
    "bench try photos/good photos/bad --out decision",
    "bench try photos/good photos/bad --out decision --minutes 5 --weights offline",
    "bench try mvtec_ad --methods padim,patchcore,rd --minutes 60 --device cuda",
)
PAGE = "docs/tutorials/from-photos-to-a-decision.md"
PATH = click.Path(path_type=Path)


@click.command("try")
@click.argument("good", metavar="GOOD|DATASET", type=PATH)
@click.argument("bad", required=False, type=PATH)
@click.option(
    "--masks", type=PATH, help="Of the bad ones: a folder, or a JSON, as bench dataset import takes."
)
@click.option("--out", type=DIRECTORY, default="decision", show_default=True, help="Folder to write into.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True,
              help="That training and scoring may take.")  # fmt: skip
@click.option("--methods", help="Some of `bench methods`, as a,b.  [default: padim,patchcore,invad-lite]")
@click.option("--weights", default="imagenet", show_default=True, help="imagenet, offline, random or a file.")
@BACKBONE
@IMAGE_SIZE
@click.option("--seed", type=int, default=42, show_default=True)
@TEST_SHARE
@DEVICE
@CACHE
@JSON
@QUIET
def command(
    good: Path,
    bad: Path | None,
    masks: Path | None,
    out: Path,
    minutes: float,
    methods: str | None,
    weights: str,
    backbone: str | None,
    image_size: int | None,
    seed: int,
    test_share: float | None,
    device: str | None,
    cache: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Try several methods on the folders GOOD and BAD (or a dataset) and say which to use, and why.

    OUT gets the runs, the recommended method as a checked ONNX file, a report and decision.json. Of the good images
    15 % are held out, to find the threshold with. Finished runs of an earlier call are kept.
    """
    from benchmark.trial.execute import gathered, try_methods
    from benchmark.trial.plan import Asked
    from benchmark.trial.said import as_json as plain
    from benchmark.trial.said import sentences, table
    from cocoad.base.console import progress, show
    from cocoad.base.files import json_bytes, write_atomic

    dataset = gathered(good, bad, masks, test_share, out) if bad is not None else good
    names = tuple(name for name in (methods or "").split(",") if name)
    share = test_share if bad is None else None
    asked = Asked(dataset, names, weights, backbone, image_size, device or "auto", seed, share, cache)
    tried = try_methods(asked, out, minutes, lambda line: click.echo(line, err=True), lambda: progress(quiet))
    write_atomic(out / "decision.json", json_bytes(plain(tried)))
    if as_json:
        click.echo(json_bytes(plain(tried)), nl=False)
    else:
        show(table(tried))
        for line in sentences(tried):
            click.echo(line)
