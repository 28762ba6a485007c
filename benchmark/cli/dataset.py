"""`bench dataset`: say which layout a dataset has, look at all of it and count its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmark.cli.options import COCO_ROOT, IMAGE_SIZE, LAYOUT, TEST_SHARE, WORKERS, splits
from benchmark.config import RunConfig
from cocoad.base.commands import DIRECTORY, JSON, QUIET

EXAMPLES = (
    "bench dataset coco-ad --split all",
    "bench dataset ~/mvtec/bottle --json",
    "bench dataset photos --test-share 0.3                     # photos holds good/ and bad/",
    "bench dataset import --good ok --bad ng --out line1       # see bench dataset import --help",
)
PAGE = "docs/how-to/datasets.md"


class _Dataset(click.Command):
    """The command, and with the word ``import`` in the place of the directory another one."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **more: Any) -> click.Context:
        if args[:1] == ["import"]:
            from benchmark.cli.dataset_import import import_command

            return import_command.make_context(f"{info_name} import", args[1:], *rest, **more)
        return super().make_context(info_name, args, *rest, **more)

    def invoke(self, ctx: click.Context) -> Any:
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command(name="dataset", cls=_Dataset)
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@LAYOUT
@splits("0")
@COCO_ROOT
@TEST_SHARE
@IMAGE_SIZE
@click.option("--headers", is_flag=True, help="Decode masks alone, of images read the headers: quicker.")
@WORKERS
@JSON
@QUIET
def command(
    directory: Path,
    layout: str | None,
    splits: tuple[int, ...],
    coco_root: Path | None,
    test_share: float | None,
    image_size: int | None,
    headers: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Read the dataset in DIR as a run would, all of each image and mask; say what is odd, and count by class.

    `bench dataset import` makes a dataset of folders of photos.
    """
    from benchmark.datasets import layout_of, load_dataset
    from benchmark.datasets.counts import counts, counts_text
    from benchmark.datasets.loading import loader_workers
    from benchmark.datasets.look import look
    from cocoad.base.console import progress_callback
    from cocoad.base.files import json_bytes

    found = []
    for split in splits if layout_of(directory, layout).splits(directory) and splits else (0,):
        data = load_dataset(directory, layout=layout, split=split, coco_root=coco_root, test_share=test_share)
        with progress_callback(quiet) as advance:
            seen = look(
                directory,
                data.train + data.test,
                image_size=image_size or RunConfig.image_size,
                pixels=not headers,
                workers=loader_workers(workers),
                on_image=advance,
            )
        notes = [*data.notes, *seen]
        found.append(counts(data) | {"notes": notes})
        if not as_json:
            for note in notes:
                click.echo(f"note: {note}", err=True)
            click.echo(counts_text(data, found[-1]))
    if as_json:
        click.echo(json_bytes(found[0] if len(found) == 1 else found), nl=False)
