"""Foreign layouts: they say what the dataset says, appear whole, and delete nobody's files."""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cocoad.base.errors import InputError
from cocoad.build.builder import build_dataset
from cocoad.cli import cocoad
from cocoad.dataset.manifest import read_split
from cocoad.dataset.masks import mask_digest, read_mask_png, write_mask_png
from cocoad.export import LAYOUTS, export_folder, export_official
from cocoad.verify import verify


def export(dataset: Any, layout: str, out: Path) -> str:
    result = CliRunner().invoke(
        cocoad,
        ["export", str(dataset.directory), "--layout", layout, "--out", str(out)],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    return result.output


def test_the_official_layout_has_the_same_samples_labels_and_masks(built: Any, tmp_path: Path) -> None:
    out = tmp_path / "official"
    assert export(built, "official", out).split() == [str(out / f"meta_20_{k}.json") for k in range(4)]
    for k in range(4):
        split = read_split(built.directory, k)
        meta = json.loads((out / f"meta_20_{k}.json").read_bytes())
        assert [e["img_path"] for e in meta["train"]["coco"]] == [s.image for s in split.train]
        for entry, sample in zip(meta["test"]["coco"], split.test, strict=True):
            assert (entry["img_path"], entry["anomaly"]) == (sample.image, sample.label)
            assert (entry["cls_name"], entry["specie_name"]) == ("coco", "")
            if sample.label:
                assert entry["mask_path"] == f"val2017_mask_ad_20_{k}/{sample.id:012d}.png"
                with Image.open(out / entry["mask_path"]) as mask:
                    assert mask.mode == "L"
                    expected = read_mask_png(built.directory / str(sample.mask)) * np.uint8(255)
                    np.testing.assert_array_equal(np.asarray(mask), expected)
            else:
                assert entry["mask_path"] == ""


def test_the_folder_layout_has_a_mask_for_each_held_out_image_and_copies_none(
    built: Any, tmp_path: Path
) -> None:
    export(built, "folder", tmp_path / "mvtec")
    for k in range(4):
        split, root = read_split(built.directory, k), tmp_path / "mvtec" / f"split_{k}" / "coco"
        images = {
            part: sorted((root / part).iterdir()) for part in ("train/good", "test/good", "test/held_out")
        }
        assert all(image.is_symlink() and image.is_file() for part in images.values() for image in part)
        assert len(images["train/good"]) == len(split.train)
        assert [i.name for i in images["test/good"]] == [
            Path(s.image).name for s in split.test if not s.label
        ]
        masks = sorted(mask.name for mask in (root / "ground_truth" / "held_out").iterdir())
        assert masks == [f"{image.stem}_mask.png" for image in images["test/held_out"]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_there_already_is_not_written_over(built: Any, tmp_path: Path, layout: str) -> None:
    out = tmp_path / "out"
    export(built, layout, out)
    before = sorted(out.rglob("*"))
    with pytest.raises(InputError, match="is there already"):
        export(built, layout, out)
    assert sorted(out.rglob("*")) == before


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"coco"}))  # which has outlines, no masks
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda mask: mask.write_bytes(b"no image"), "not a readable image"),
        (lambda mask: mask.unlink(), "is missing"),
        (lambda mask: write_mask_png(mask, ~read_mask_png(mask)), "was changed after the build"),
        (
            lambda mask: write_mask_png(mask, read_mask_png(mask).reshape(1, -1)),
            "was changed after the build",
        ),
    ],
)
def test_a_mask_that_is_not_as_built_stops_the_export_before_any_split_appears(
    built: Any, tmp_path: Path, layout: str, damage: Callable[[Path], object], message: str
) -> None:
    mask = sorted((built.directory / "masks" / "split_2").iterdir())[-1]
    sound = mask.read_bytes()
    damage(mask)
    with pytest.raises(InputError, match=message):
        export(built, layout, tmp_path / "out")
    assert list((tmp_path / "out").rglob("*")) == []
    mask.write_bytes(sound)
    export(built, layout, tmp_path / "out")


def test_the_official_layout_needs_no_images(
    built: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COCO_ROOT", raising=False)
    (built.directory / "coco-root.txt").unlink()
    export(built, "official", tmp_path / "official")
    with pytest.raises(InputError, match="where is COCO"):
        export(built, "folder", tmp_path / "mvtec")


@pytest.mark.parametrize(
    "name", ["cat.jpg", "-rf.jpg", "777.jpg", "a/103.jpg", "000000000101.jpg", "102", "102.mp3"]
)
def test_the_official_layout_refuses_images_that_are_not_named_by_their_ids(
    tiny_coco: Any, tmp_path: Path, name: str
) -> None:
    rename(tiny_coco, 1, name)
    build_dataset(tiny_coco.root, tmp_path / "ad")
    with pytest.raises(InputError, match=rf"val2017/{name} is not named by its id 102.*--layout folder"):
        export_official(tmp_path / "ad", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def rename(coco: Any, index: int, name: str) -> None:
    """Give a val2017 image another file."""
    coco.val["images"][index]["file_name"] = name
    coco.save()
    path = coco.root / "val2017" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()


@pytest.mark.parametrize(
    "names",
    [
        ("1.jpg", "1.png"),
        ("a/1.jpg", "b/1.jpg"),
        ("1.jpg", "1.jpg"),
        ("000000000102.jpg", "000000000101.jpg"),
    ],
    ids=["one stem", "one name in two folders", "one file", "each other's ids"],
)
def test_images_whose_names_collide_keep_a_link_and_a_mask_each(
    tiny_coco: Any, tmp_path: Path, names: tuple[str, str]
) -> None:
    tiny_coco.annotate(102, 1, [[0, 0, 5, 0, 5, 9]])
    for index, name in enumerate(names):
        rename(tiny_coco, index, name)
    build_dataset(tiny_coco.root, tmp_path / "ad")
    export_folder(tmp_path / "ad", tmp_path / "out")
    root = tmp_path / "out" / "split_0" / "coco"
    links = sorted((root / "test" / "held_out").iterdir())
    assert [link.stem for link in links] == ["000000000101", "000000000102"]
    assert [link.readlink() for link in links] == [tiny_coco.root / "val2017" / name for name in names]
    for sample in read_split(tmp_path / "ad", 0).test[:2]:
        mask = read_mask_png(root / "ground_truth" / "held_out" / f"{sample.id:012d}_mask.png")
        assert mask_digest(mask) == sample.mask_sha256


def test_images_that_are_not_there_are_counted_before_anything_is_written(built: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=r"^(\d+) of \1 images are missing, first .*/empty/train2017/.*--coco-root"
    ):
        export_folder(built.directory, tmp_path / "out", tmp_path / "empty")
    assert not (tmp_path / "out").exists()


def test_an_official_export_that_was_killed_midway_is_known_and_cleared_by_the_next(
    built: Any, tmp_path: Path
) -> None:
    out = tmp_path / "official"
    whole = [path.name for path in export_official(built.directory, out)]
    (out / whole[-1]).unlink()  # killed between the metas
    (out / ".official-export.unfinished").write_text(
        json.dumps([*whole, *(path.name for path in out.iterdir() if path.is_dir())])
    )
    assert "split-missing" in verify(out, coco_root=built.root).by_code()
    assert [path.name for path in export_official(built.directory, out)] == whole
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("layout", ["folder", "coco", "official"])
def test_an_export_that_was_killed_as_its_splits_appeared_is_repeated_to_the_same(
    built: Any, tmp_path: Path, layout: str
) -> None:
    def exported(out: Path) -> list[str]:
        paths = LAYOUTS[layout](built.directory, out, built.root, False, print)
        return [path.name for path in paths]

    whole = exported(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", out := tmp_path / "killed", symlinks=True)
    first, *others = made = list(out.iterdir())
    names = [*(path.name for path in made), "mine.txt", "../whole"]
    (out / f".{layout}-export.unfinished").write_text(json.dumps(names))
    shutil.rmtree(first) if first.is_dir() else first.unlink()
    for path in others:
        (path / "damaged" if path.is_dir() else path).write_bytes(b"")
    (out / "mine.txt").touch()
    assert exported(out) == whole
    (out / "mine.txt").unlink()
    comparison = filecmp.dircmp(tmp_path / "whole", out)
    assert not comparison.left_only + comparison.right_only + comparison.diff_files
    assert not [path for path in others if (path / "damaged").exists()]
