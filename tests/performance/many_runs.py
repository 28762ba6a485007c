"""The leaderboard and the report of hundreds of runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from msgspec import structs
from table import Bench, Row, drawn, tool

from benchmark.runs.record import read_record, write_record
from cocoad.coco.partition import SPLITS

RUNS = 600  # of each split
METHODS = 12  # that they are of, the others being seeds
IMAGES = 48, 24  # to train on, to score, of each run
LONGEST = {"leaderboard": 5.0, "report": 20.0}  # seconds
MOST_MB = 20.0  # of the page


def measure(bench: Bench) -> Iterator[Row]:
    """Make a real run of each split ``share`` times 600 times, under other names, and table them."""
    runs = _made(bench)
    what = f"{len(list(runs.iterdir())) // len(SPLITS):,} runs × {len(SPLITS)} splits"
    report = bench.work / "report"
    words = {
        "leaderboard": ("leaderboard", runs, "--format", "csv", "--out", bench.work / "table.csv"),
        "report": ("report", runs, "--out", report),
    }
    for name, longest in LONGEST.items():
        (cost,) = bench.turns(lambda name=name: tool("benchmark", *words[name]))  # type: ignore[misc]
        seconds = bench.seconds(cost)
        yield Row(f"`bench {name}` of {what}", bench.told(cost), "–", seconds, longest, unit="s")
    size = (report / "index.html").stat().st_size / 1e6
    yield Row(f"the report of {what}", f"{size:.1f} MB", "–", size, MOST_MB, unit="MB")


def _made(bench: Bench) -> Path:
    data, real, runs = drawn(bench.work, *IMAGES, 64), bench.work / "real", bench.work / "runs"
    run = ("--method", "mean-image", "--dataset", data, "--image-size", 64, "--split", "all", "--no-cache")
    tool("benchmark", "run", *run, "--out", real)
    for made in sorted(real.iterdir()):
        record = read_record(made)
        for number in range(max(METHODS, round(RUNS * bench.share))):
            copy = runs / f"{number}-{made.name}"
            shutil.copytree(made, copy)
            method = structs.replace(record.method, name=f"method-{number % METHODS}")
            write_record(copy, structs.replace(record, method=method, seed=number // METHODS))
    return runs
