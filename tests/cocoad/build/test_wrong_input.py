"""What a user sees of wrong input through the real command: one line, exit code 2, no traceback, nothing left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cocoad.cli import main

COCOAD = Path(sys.executable).with_name("cocoad")
Damage = Callable[[Any], Any]
Build = Callable[..., "Done"]


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Build:
    """Run `cocoad build --coco-root coco` by its entry point, in `tmp_path`, without the cost of a process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COCO_ROOT", raising=False)

    def run(*options: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["cocoad", "build", "--coco-root", "coco", *map(str, options)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def real_build(cwd: Path, *options: object) -> Done:
    command = [str(COCOAD), "build", "--coco-root", "coco", *map(str, options)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


def write(coco: Any, part: str, text: bytes) -> None:
    coco.path(part).write_bytes(text)


def instances(change: Callable[[dict[str, Any]], Any], part: str = "val") -> Damage:
    def damage(coco: Any) -> None:
        change(getattr(coco, part))
        coco.save()

    return damage


def outline(segmentation: Any) -> Damage:
    def damage(coco: Any) -> None:
        coco.annotate(102, 50, segmentation)
        coco.save()

    return damage


def image(**fields: Any) -> Damage:
    return instances(lambda v: v["images"][1].update(fields))


def annotation(**fields: Any) -> Damage:
    return instances(lambda v: v["annotations"][0].update(fields))


GET = "get train2017, val2017 and annotations_trainval2017 from https://cocodataset.org/#download"
VAL, TRAIN = "annotations/instances_val2017.json", "annotations/instances_train2017.json"
ANNOTATION = "instances_val2017.json: annotation 102004 of image 102: "
WRONG: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "no train annotations": (lambda c: c.path("train").unlink(), (f"{TRAIN} is missing", GET)),
    "no val annotations": (lambda c: c.path("val").unlink(), (f"{VAL} is missing", GET)),
    "no image": (
        lambda c: (c.root / "val2017" / "000000000102.jpg").unlink(),
        ("1 of 6 images are missing, first", "val2017/000000000102.jpg", GET, "--allow-missing-images"),
    ),
    "an empty file": (lambda c: write(c, "val", b""), (VAL, "truncated: it ends at byte 0")),
    "a truncated file": (
        lambda c: write(c, "train", c.path("train").read_bytes()[:500]),
        (TRAIN, "truncated: it ends at byte 500", "download it again"),
    ),
    "invalid JSON": (lambda c: write(c, "val", b'{"images": [}'), (VAL, "not valid JSON at byte 12")),
    "JSON of something else": (lambda c: write(c, "val", b"[1]"), (VAL, "not COCO instances")),
    "an unknown image": (
        annotation(image_id=7),
        (VAL, "of an unknown image", "annotation 101000 of image 7"),
    ),
    "an unknown category": (
        annotation(category_id=12),
        (VAL, "of an unknown category", "annotation 101000 of category 12"),
    ),
    "a 91st category": (
        instances(lambda v: v["categories"].append({"id": 91, "name": "hat"})),
        (VAL, "category 91 ('hat') is none of COCO's 80"),
    ),
    "79 categories": (
        instances(lambda v: v["categories"].pop(), "train"),
        (TRAIN, "1 of COCO's 80 categories are absent, first 90"),
    ),
    "an image of no pixels": (image(width=0), (VAL, "image 102 has no pixels (0×10)")),
    "a ring of odd length": (outline([[1, 2, 3, 4, 5, 6, 7]]), (ANNOTATION, "a ring has 7 numbers")),
    "a ring of no points": (outline([[]]), (ANNOTATION, "a ring has 0 numbers")),
    "a coordinate that is no number": (
        outline([[1, 1, float("nan"), 5, 9, 9]]),
        (VAL, "not valid JSON at byte"),
    ),
    "an infinite coordinate": (outline([[1, 1, float("inf"), 5, 9, 9]]), (VAL, "not valid JSON at byte")),
    "a coordinate that is a word": (
        outline([["a", 1, 2, 2, 3, 3]]),
        (ANNOTATION, "neither polygons nor RLE"),
    ),
    "a coordinate far outside": (
        outline([[0, 0, 5, 0, 5, 1e9]]),
        (ANNOTATION, "the coordinate 1e+09, far outside the image of 12×10"),
    ),
    "RLE that is too short": (
        outline({"size": [10, 12], "counts": [1, 2]}),
        (ANNOTATION, "RLE counts sum to 3, not to h·w = 120"),
    ),
    "RLE of another size": (
        outline({"size": [12, 10], "counts": [120]}),
        (ANNOTATION, "RLE is of size 12×10"),
    ),
    "compressed RLE that is cut off": (
        outline({"size": [10, 12], "counts": "oo"}),
        (ANNOTATION, "in the middle of a compressed count"),
    ),
    "a path upwards": (image(file_name="../x.jpg"), (VAL, "image 102 has the unsafe file_name '../x.jpg'")),
    "an absolute path": (image(file_name="/etc/passwd"), (VAL, "unsafe file_name '/etc/passwd'")),
    "an image twice": (image(id=101), (VAL, "image id 101 occurs more than once")),
    "an annotation twice": (annotation(id=101001), (VAL, "annotation id 101001 occurs more than once")),
    "an id of 13 digits": (image(id=10**12), (VAL, "not COCO instances", "$.images[1].id")),
    "a crowd of 2": (annotation(iscrowd=2), (VAL, "not COCO instances", "$.annotations[0].iscrowd")),
    "no area": (annotation(area=None), (VAL, "not COCO instances", "$.annotations[0].area")),
    "a category twice": (
        instances(lambda v: v["categories"].append({"id": 1, "name": "person"})),
        (VAL, "category id 1 occurs more than once"),
    ),
}


def assert_one_line(done: Done, *messages: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    for message in messages:
        assert message in done.stderr


@pytest.mark.parametrize(("damage", "messages"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_costs_one_line_and_leaves_nothing(
    tiny_coco: Any, tmp_path: Path, build: Build, damage: Damage, messages: tuple[str, ...]
) -> None:
    damage(tiny_coco)
    assert_one_line(build(), *messages)
    assert [path.name for path in tmp_path.iterdir()] == ["coco"]


TAKEN: dict[str, tuple[Damage, str]] = {
    "a ring of two points": (outline([[3, 3, 9, 3]]), "1 rings of fewer than 3 points, drawn as"),
    "an outline that reaches outside": (outline([[-4, -4, 3, -4, 3, 3]]), "cut at its border"),
    "an annotation without a ring": (outline([]), "1 segmentations without any ring"),
    "two images of one file": (image(file_name="000000000101.jpg"), "1 images share their file"),
}


@pytest.mark.parametrize(("damage", "note"), TAKEN.values(), ids=TAKEN.keys())
def test_what_the_official_generator_takes_is_taken_and_reported(
    tiny_coco: Any, tmp_path: Path, build: Build, damage: Damage, note: str
) -> None:
    damage(tiny_coco)
    done = build()
    assert done.returncode == 0, done.stderr
    assert note in done.stdout
    recorded = json.loads((tmp_path / "coco-ad" / "dataset.json").read_bytes())["notes"]
    assert any(note in each for each in recorded)


def test_a_root_that_is_not_there_says_where_it_looked_and_how_to_get_coco(tmp_path: Path) -> None:
    assert_one_line(real_build(tmp_path), "the COCO root coco is not a directory", GET)


def test_annotation_files_that_are_given_are_the_ones_looked_for(
    tiny_coco: Any, tmp_path: Path, build: Build
) -> None:
    assert_one_line(build("--val-annotations", "other.json"), "other.json is missing", GET)
    tiny_coco.path("val").rename(tmp_path / "other.json")
    done = build("--val-annotations", "other.json")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("thesis", "thesis is not empty and not a built dataset: give another --out"),
        ("thesis/one.tex", "one.tex' is a file"),
        ("thesis/one.tex/ad", "one.tex"),
        ("coco", "which the build reads: give another --out"),
        (".", "which the build reads: give another --out"),
    ],
)
def test_an_out_path_that_is_taken_is_left_alone(
    tiny_coco: Any, tmp_path: Path, build: Build, name: str, message: str
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "one.tex").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for option in ((), ("--overwrite",)):
        done = build("--out", name, *option)
        assert done.returncode == 2
        assert done.stderr.lower().count("error: ") == 1
        assert "Traceback" not in done.stderr
        assert message in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "thesis" / "one.tex").read_text() == "mine"


def test_folders_whose_names_are_no_utf_8_are_built_and_verified(tiny_coco: Any, tmp_path: Path) -> None:
    strange = tmp_path / "\udcff"
    strange.mkdir()
    tiny_coco.root.rename(strange / "coco")
    done = real_build(strange, "--out", "\udcfe", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["out"] == "\udcfe"
    for image in strange.rglob("*.jpg"):
        image.unlink()
    verify = subprocess.run([str(COCOAD), "verify", "\udcfe"], cwd=strange, capture_output=True, timeout=60)
    assert verify.returncode == 1
    assert b"image-missing" in verify.stdout
    assert b"\xfe is not sound" in verify.stdout
    assert verify.stderr == b""
