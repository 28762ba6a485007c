"""The commands that are disturbed, and what is left when they are: absent, unfinished or whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cocoad.verify import verify

Sound = Callable[[Path, Path], bool]  # of what is at the place, and the sources: is it whole?


def anything(out: Path, sources: Path) -> bool:
    return True


def sound(out: Path, sources: Path) -> bool:
    return verify(out / "made", coco_root=sources / "coco").errors == 0


@dataclass(frozen=True)
class Case:
    """A command: its arguments, ``OUT`` and ``SRC`` put in; which file appears last; and what it made."""

    arguments: list[str]
    last: str  # once it is there, the result is whole
    whole: Sound = anything
    same: tuple[str, ...] = ("*",)  # the files that an undisturbed command makes to the byte
    before: tuple[list[str], ...] = ()  # commands whose results it needs
    refuses: bool = False  # to write where its result lies, unless it is asked to

    def given(self, sources: Path, out: Path) -> list[str]:
        return given(self.arguments, sources, out)


def given(arguments: list[str], sources: Path, out: Path) -> list[str]:
    return [a.replace("SRC", str(sources)).replace("OUT", str(out)) for a in arguments]


WHOLE = "KILLS" in os.environ  # as `make reliability` has it: every command and situation; else what is quick
RUN = ["bench", "run", "--dataset", "SRC/ad", "--coco-root", "SRC/coco", "--split", "0", "--device", "cpu"]
SMALL = ["--image-size", "32", "--workers", "0", "--batch-size", "8"]
RD = ["--method", "rd", "--backbone", "test_resnet", "--weights", "random", "--epochs", "2"]
RD += ["--image-size", "64", "--workers", "0", "--batch-size", "4"]
ONE_PASS = [*RUN, *SMALL, "--method", "mean-image", "--name", "one", "--out", "OUT/runs"]
BUILD = ["cocoad", "build", "--coco-root", "SRC/coco", "--out", "OUT/made"]
SCORED = ("scores.csv", "curves.json", "previews.npz")
CASES = {
    "build": Case(BUILD, "made", sound, refuses=True),
    "build with hashes": Case([*BUILD, "--hash-images"], "made", sound, refuses=True),
    "export official": Case(
        ["cocoad", "export", "SRC/ad", "--layout", "official", "--out", "OUT/made"],
        "made/meta_20_3.json",
        sound,
        refuses=True,
    ),
    "export folder": Case(
        ["cocoad", "export", "SRC/ad", "--layout", "folder", "--coco-root", "SRC/coco", "--out", "OUT/made"],
        "made/split_0",  # which appears last
        refuses=True,
    ),
    "export coco": Case(
        ["cocoad", "export", "SRC/ad", "--layout", "coco", "--coco-root", "SRC/coco", "--out", "OUT/made"],
        "made/instances_split_3.json",
        refuses=True,
    ),
    "cache": Case(
        ["bench", "cache", "SRC/ad", "--coco-root", "SRC/coco", "--split", "0", "--image-size", "32"],
        "cache/whole",
        same=("*.u8",),
    ),
    "run in one pass": Case(ONE_PASS, "runs/*/result.json", same=SCORED),
    "run by gradient": Case(
        [*RUN, *RD, "--name", "rd", "--checkpoint-every", "0", "--out", "OUT/runs"],
        "runs/*/result.json",
        same=(*SCORED, "weights.safetensors"),
    ),
    "run in two processes": Case(
        ["torchrun", "--nproc-per-node", "2", "--no-python", *RUN, *RD, "--name", "rd", "--out", "OUT/runs"],
        "runs/*/result.json",
        same=SCORED,
    ),
    "sweep": Case(
        ["bench", "sweep", "--methods", "mean-image", "--seeds", "1,2", *RUN[2:], *SMALL, "--out", "OUT/runs"],
        "runs/x",
        same=("scores.csv",),
    ),
    "score": Case(
        ["bench", "score", "--dataset", "SRC/ad", "--coco-root", "SRC/coco", "--split", "0", "--maps", "SRC/maps",
         "--image-size", "32", "--name", "mine", "--out", "OUT/runs"],
        "runs/*/result.json",
        same=SCORED,
        refuses=True,
    ),
    "report": Case(
        ["bench", "report", "OUT/runs", "--out", "OUT/made"],
        "made/index.html",
        before=(ONE_PASS,),
        same=("made/**/*",),
    ),
    "pack": Case(
        ["bench", "pack", "SRC/maps", "--dataset", "SRC/ad", "--coco-root", "SRC/coco", "--split", "0", "--lossy",
         "--image-size", "64", "--method", "one", "--about", "SRC/about.yaml", "--out", "OUT/made"],
        "made/submission.json",
        same=("made/**/*",),
    ),
}  # fmt: skip


def made(out: Path, patterns: tuple[str, ...]) -> dict[str, bytes]:
    names = {path for pattern in patterns for path in out.rglob(pattern) if path.is_file()}
    hints = {"coco-root.txt"}
    return {str(path.relative_to(out)): path.read_bytes() for path in names if path.name not in hints}


OTHERS = (
    "torchinductor_",
    "torchelastic_",
    "wandb",
)  # what torch, torchrun and wandb keep or leave is theirs


def leftovers(out: Path) -> list[str]:
    """Return what no finished command leaves: temporary files and folders, locks of outputs."""
    marks = ("partial", "building", "replaced", "unfin", ".tmp")
    hidden = [path for path in out.rglob(".*") if any(mark in path.name for mark in marks)]
    temporary = [path for path in (out / "tmp").glob("*") if not any(name in path.name for name in OTHERS)]
    return sorted(str(path.relative_to(out)) for path in [*hidden, *temporary])


def cleared(out: Path) -> Path:
    """Return the place ``out``, empty but for its folder of temporary files."""
    shutil.rmtree(out, ignore_errors=True)
    (out / "tmp").mkdir(parents=True)
    return out
