"""The ``cocoad`` command: options in, one call, words out."""

from __future__ import annotations

from pathlib import Path

import click

from cocoad import __version__
from cocoad.console import run_cli
from cocoad.manifest import COCO_ROOT_VARIABLE, DEFAULT_DATASET

DIRECTORY = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="cocoad")
def cocoad() -> None:
    """From COCO 2017 to COCO-AD, the general-purpose anomaly-detection benchmark."""


def main() -> None:
    """Entry point of the ``cocoad`` command."""
    run_cli(cocoad)
