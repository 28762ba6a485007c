"""The ``cocoad`` command: one file per subcommand, found by its name and imported when it is called."""

from __future__ import annotations

import click

from cocoad import __version__
from cocoad.base.commands import LazyGroup
from cocoad.base.console import run_cli, stopped_like_interrupted

COMMANDS = {
    "check": "Say what a COCO is, and everything that is wrong with it.",
    "build": "Turn COCO 2017 into COCO-AD: four class partitions with pixel masks.",
    "verify": "Prove that a dataset is sound.",
    "export": "Write a built dataset in a layout that other programs read.",
    "import": "Make a built dataset of a copy in the official layout.",
    "stats": "Count images, instances, anomalous pixels and sizes.",
    "show": "Draw a contact sheet with the masks outlined.",
    "sample": "Draw a small, licence-free COCO to try things out.",
}


@click.group(cls=LazyGroup, package="cocoad.cli", summaries=COMMANDS)
@click.version_option(__version__, prog_name="cocoad")
def cocoad() -> None:
    """From COCO 2017 to COCO-AD, the general-purpose anomaly-detection benchmark."""


def main() -> None:
    """Entry point of the ``cocoad`` command."""
    with stopped_like_interrupted():
        run_cli(cocoad)
