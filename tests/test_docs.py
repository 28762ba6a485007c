"""The pages: every command in them is one that there is, and runs here or says why not.

A block of commands runs unless the line before it is ``<!-- not run: WHY -->`` or ``<!-- run by tests/FILE -->``.
Lines that install are the business of test_light.py and test_packaging.py.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pytest
from PIL import Image

from benchmark.cli import bench
from cocoad.base.errors import InputError
from cocoad.cli import cocoad

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>(?:(?!-->).)*?) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)
COMMAND = re.compile(r"^(cocoad|bench|python|pip|make|torchrun) ", re.MULTILINE)
COMPLETE_PAGES = {"docs/start.md", "docs/tutorials/your-method.md"}  # they draw their own COCO


class Block(NamedTuple):
    """Commands of a page, or one of its Python files (whose name is in the text before it)."""

    kind: str
    text: str
    mark: str
    before: str

    @property
    def lines(self) -> list[str]:
        """The commands, with continued lines joined and comments left out."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in (each.partition(" #")[0].strip() for each in joined.splitlines()) if line]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for match in BLOCK.finditer(text):
        before = text[: match.start()].strip().rpartition("\n")[2]
        yield Block(match["kind"], match["text"], match["mark"] or "", before)


def command_blocks(page: Path) -> list[Block]:
    return [each for each in blocks(page) if each.kind in ("", "sh", "console") and COMMAND.search(each.text)]


RUNNING = [page for page in PAGES if any(not each.mark for each in command_blocks(page))]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_the_page_exist_with_their_options(page: Path) -> None:
    for block in command_blocks(page):
        for line in block.lines:
            name, *arguments = shlex.split(line.partition(" > ")[0])
            if name not in ("cocoad", "bench"):
                continue
            group: click.Group = {"cocoad": cocoad, "bench": bench}[name]
            given = [each for each in arguments if each != "…"]
            context = click.Context(group, info_name=name)
            command = group.get_command(context, given[0])
            assert command is not None, line
            try:
                command.make_context(given[0], given[1:], parent=context)
            except click.exceptions.Exit:
                pass  # --help
            except (click.UsageError, InputError) as error:
                pytest.fail(f"{line}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_of_commands_are_marked_as_such_and_what_is_not_run_says_why(page: Path) -> None:
    for block in command_blocks(page):
        assert block.kind == "sh", block.text
        if block.mark:
            assert re.match(r"not run: \w|run by tests/", block.mark), block.mark
            if block.mark.startswith("run by "):
                assert (ROOT / block.mark.removeprefix("run by ")).is_file()


def execute(line: str, place: Path) -> None:
    scripts = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if name != "COCO_ROOT"}
    environment |= {"PATH": f"{scripts}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    environment["COCOAD_CACHE"] = str(place / ".cache")
    done = subprocess.run(["sh", "-c", line], cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What how-to pages speak of: a COCO, a built dataset, maps, scores, photographs, and runs, trained and scored."""
    place = tmp_path_factory.mktemp("prepared")
    execute("cocoad sample coco --train 24 --val 24 --size 64", place)
    execute("cocoad build --coco-root coco", place)
    noise = np.random.default_rng(0)
    scores = ["id,score"]
    for sample in json.loads((place / "coco-ad" / "split_0.json").read_bytes())["test"]:
        path = (place / "my_maps" / sample["image"]).with_suffix(".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, noise.random((16, 16), np.float32))
        scores.append(f"{Path(sample['image']).with_suffix('')},{noise.random():.4f}")
    (place / "my_scores.csv").write_text("\n".join(scores) + "\n")
    execute("bench run --method mean-image --split 0 --image-size 64 --out trained", place)
    for name in ("invad", "rd"):
        execute(f"bench score --maps my_maps --split 0 --name {name} --image-size 64 --out trained", place)
    runs = {
        "mean-image_coco-ad_split-0_seed-42": ("runs/invad-lite-s0", "A"),
        "invad_coco-ad_split-0": ("runs/invad-s0", "B"),
        "rd_coco-ad_split-0": ("runs/rd",),
    }
    for run, copies in runs.items():
        for copy in copies:
            shutil.copytree(place / "trained" / run, place / copy)
    for photograph in ("photo.jpg", "folder/one.jpg", "more/deep/two.png"):
        (place / photograph).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 255, (70, 90, 3), np.uint8)).save(place / photograph)
    for index in range(10):
        photo = place / "photos" / ("good" if index < 8 else "bad") / f"{index}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 255, (70, 90, 3), np.uint8)).save(photo)
    outline = {"image_id": 1, "segmentation": [[5, 5, 40, 5, 40, 40]]}
    images = [{"id": 1, "file_name": "8.png", "width": 90, "height": 70}]
    (place / "labels.json").write_text(json.dumps({"images": images, "annotations": [outline]}))
    (place / "DIR").symlink_to("coco-ad")
    return place


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNING, ids=name_of)
def test_what_the_page_runs_works(page: Path, prepared: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    if name_of(page) in COMPLETE_PAGES:
        place.mkdir()
    else:
        shutil.copytree(prepared, place, symlinks=True)
        if name_of(page) == "docs/how-to/build.md":
            shutil.rmtree(place / "coco-ad")
    for block in blocks(page):
        if block.kind == "python" and (named := re.match(r"`(\w+\.py)`", block.before)):
            (place / named[1]).write_text(block.text)
        if block in command_blocks(page) and not block.mark:
            for line in block.lines:
                if not line.startswith("pip install "):
                    execute(line, place)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_the_pages_python_imports_of_the_two_packages_is_there(page: Path) -> None:
    for block in (each for each in blocks(page) if each.kind == "python"):
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
                "cocoad",
                "benchmark",
            ):
                module = importlib.import_module(node.module or "")
                for name in node.names:
                    assert hasattr(module, name.name), f"from {node.module} import {name.name}"


def test_every_link_between_pages_leads_to_a_file() -> None:
    wrong = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
                wrong.append(f"{name_of(page)}: {target}")
    assert wrong == []
