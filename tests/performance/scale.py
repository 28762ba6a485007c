"""A hundredth, a tenth and all of COCO's number of images, through every stage: does time grow as they do?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from table import Bench, Cost, Row, tool

TRAIN, VAL = 118_287, 5_000  # images of COCO 2017
SHARES = 0.01, 0.1, 1.0  # of them
SIDE = 64  # pixels
METHODS = "mean-image", "padim", "patchcore"
SLOWER, LARGER = 1.2, 1.2  # by image at the largest size, and in memory, beside the size before it
WHOLE_FILES = ("`cocoad build`", "`cocoad verify --deep`")  # stages that hold the annotations in memory


@dataclass
class Stage:
    """What a stage took at each size, smallest first, and of how many images."""

    costs: list[Cost] = field(default_factory=list)
    images: list[int] = field(default_factory=list)


def measure(bench: Bench) -> Iterator[Row]:
    """Draw, build, verify, cache, score by three one-pass methods and report, at ``share`` times each size."""
    stages: dict[str, Stage] = {}
    for share in SHARES:
        train, val = (max(32, round(count * bench.share * share)) for count in (TRAIN, VAL))
        for name, work in _stages(bench, train, val).items():
            stage = stages.setdefault(name, Stage())
            stage.costs.append(work())
            stage.images.append(train + val)
    for name, stage in stages.items():
        yield from _rows(bench, name, stage)


def _stages(bench: Bench, train: int, val: int) -> dict[str, Callable[[], Cost]]:
    home = bench.work / f"{train}"
    root, data, runs = (home / name for name in ("coco", "data", "runs"))
    cache = ("--split", "0", "--image-size", SIDE, "--cache", home / "cache")
    run = ("run", "--dataset", data, *cache, "--backbone", "resnet18", "--weights", "random", "--out", runs)
    return {
        "`cocoad sample`": lambda: tool(
            "cocoad", "sample", root, "--train", train, "--val", val, "--size", SIDE
        ),
        "`cocoad build`": lambda: tool("cocoad", "build", "--coco-root", root, "--out", data),
        "`cocoad verify --deep`": lambda: tool("cocoad", "verify", "--deep", data),
        "`bench cache`": lambda: tool("benchmark", "cache", data, *cache),
        **{
            f"`bench run`, {method}": lambda method=method: tool("benchmark", *run, "--method", method)  # type: ignore[misc]
            for method in METHODS
        },
        "`bench report`": lambda: tool("benchmark", "report", runs, "--out", home / "report"),
    }


def _rows(bench: Bench, name: str, stage: Stage) -> Iterator[Row]:
    *_, before, last = (
        bench.seconds(cost) / images for cost, images in zip(stage.costs, stage.images, strict=True)
    )
    told = "; ".join(
        f"{images:,}: {bench.told(cost)}" for cost, images in zip(stage.costs, stage.images, strict=True)
    )
    yield Row(f"{name} by images", told, "an image at the size before", last / before, SLOWER)
    *_, less, most = (cost.peak_mb or 0.0 for cost in stage.costs)
    wanted = None if name in WHOLE_FILES else LARGER
    yield Row(f"{name}, memory", f"{most:,.0f} MB", f"{less:,.0f} MB (the size before)", most / less, wanted)
