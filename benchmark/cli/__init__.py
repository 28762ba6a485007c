"""The ``bench`` command: one file per subcommand, found by its name and imported when it is called."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from benchmark.sweep.share import take_share
from cocoad import __version__
from cocoad.base.commands import LazyGroup
from cocoad.base.console import run_cli, stopped_like_interrupted
from cocoad.base.errors import InputError, ResourceError

COMMANDS = {  # name -> one line of help; the module benchmark.cli.<name> holds a click command `command`
    "try": "Say which method to use on photos of good and bad parts, with threshold and file.",
    "run": "Train and score a method on a dataset.",
    "sweep": "Run several methods on splits and seeds, here or on a cluster.",
    "score": "Score anomaly maps made by any code.",
    "predict": "Apply a trained run to images of your own.",
    "leaderboard": "Rank finished runs: terminal, CSV, Markdown or LaTeX.",
    "compare": "Say which of two runs is better, and on what.",
    "reproduce": "Meet published numbers: run what a plan needs, and say which are met.",
    "report": "Write one HTML page about finished runs.",
    "pack": "Make a small submission of runs or maps, for a leaderboard.",
    "verify-submission": "Score submissions again and say what is wrong with them.",
    "site": "Write a leaderboard's site from a folder of submissions.",
    "truth": "Write the ground truth that submissions are verified with.",
    "runs": "List runs and their state.",
    "show": "Print one run.",
    "methods": "List the methods.",
    "dataset": "Look at all of a dataset and count its images; or make one of photos.",
    "datasets": "List the datasets that are read, where to get them, and on what terms.",
    "cache": "Decode and resize a dataset's images once, for all runs.",
    "profile": "Measure a method's speed on this machine.",
    "export": "Export a trained run for production.",
    "doctor": "Say what this machine and installation are like: for bug reports.",
}
# How long torch's threads keep a processor busy while they wait for one another: 300,000 turns unless it is said.
# Beside other work that is what all of them do most of the time (docs/performance.md).
SPINS = "2000"
HEAVY = ("torch", "torchvision", "timm", "lightning", "lightning_fabric", "safetensors")  # light leaves out


class _Bench(LazyGroup):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in HEAVY:
                raise
            raise InputError(
                f"bench {ctx.invoked_subcommand} needs {missing}, which a light installation leaves out: "
                "pip install . in a clone of the repository installs all of it"
            ) from None
        except (click.exceptions.Exit, click.Abort):  # of click, and runtime errors too
            raise
        except RuntimeError as error:
            if "torch" in sys.modules and _is_out_of_memory(error):
                raise ResourceError("out of memory: give a smaller --image-size or --batch-size") from None
            raise


def _is_out_of_memory(error: RuntimeError) -> bool:
    from benchmark.training.memory import is_out_of_memory

    return is_out_of_memory(error)


@click.group(cls=_Bench, package="benchmark.cli", summaries=COMMANDS)
@click.version_option(__version__, prog_name="bench")
def bench() -> None:
    """Train, score and compare anomaly-detection methods on COCO-AD."""


def main() -> None:
    """Entry point of the ``bench`` command."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    take_share()
    with stopped_like_interrupted():
        run_cli(bench)
