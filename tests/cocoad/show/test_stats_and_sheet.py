"""Statistics and contact sheets of built datasets."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cocoad.base.errors import InputError
from cocoad.build.builder import build_dataset
from cocoad.cli import cocoad
from cocoad.dataset.manifest import HINT_FILE, read_split
from cocoad.sample import draw_sample
from cocoad.show.contact_sheet import write_contact_sheet
from cocoad.show.stats import dataset_stats, write_figure


@pytest.fixture(autouse=True)
def no_root_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COCO_ROOT", raising=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn")
    draw_sample(root / "coco", train=40, val=40, size=96)
    build_dataset(root / "coco", root / "coco-ad")
    return root / "coco-ad"


def run(*arguments: object, stdout: bool = False) -> str:
    result = CliRunner().invoke(cocoad, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout if stdout else result.output


def test_statistics_agree_with_a_count_by_hand(built: Path) -> None:
    instances = json.loads((built.parent / "coco" / "annotations" / "instances_val2017.json").read_bytes())
    for stats in dataset_stats(built):
        split = read_split(built, stats.split)
        anomalous = [sample for sample in split.test if sample.label]
        assert stats.test_anomalous == len(anomalous)
        assert sum(stats.mask_sizes.__getattribute__(size) for size in ("small", "medium", "large")) == len(
            anomalous
        )
        area = sum(sample.width * sample.height for sample in split.test)
        assert stats.anomalous_share == pytest.approx(sum(s.anomalous_pixels for s in anomalous) / area)
        ids = {category.name: category.id for category in split.held_out}
        for category in stats.categories:
            ident = ids[category.name]
            rows = [a for a in instances["annotations"] if a["category_id"] == ident]
            assert category.instances == len(rows)
            assert category.images == len({a["image_id"] for a in rows})
            assert category.share == pytest.approx(sum(a["area"] for a in rows) / area)
            assert category.instance_sizes is not None
            assert category.instance_sizes.small == sum(a["area"] < 1024 for a in rows)


def test_without_annotations_instances_are_not_invented(built: Path, tmp_path: Path) -> None:
    hint = built / HINT_FILE
    kept = hint.read_text()
    try:
        hint.write_text(str(tmp_path))  # a root without annotations
        categories = [c for stats in dataset_stats(built) for c in stats.categories]
        assert all(c.instances is None and c.share is None for c in categories)
        assert "–" in run("stats", built)
    finally:
        hint.write_text(kept)


def counted(built: Path, **where: Path) -> tuple[set[bool], list[str]]:
    """Return whether instances are counted, and what was noted."""
    notes: list[str] = []
    stats = dataset_stats(built, note=notes.append, **where)
    return {category.instances is not None for each in stats for category in each.categories}, notes


def test_instances_are_counted_in_the_file_that_the_build_recorded(built: Path, tmp_path: Path) -> None:
    root = shutil.copytree(built.parent / "coco", tmp_path / "coco")
    val = (root / "annotations" / "instances_val2017.json").rename(root / "annotations" / "val.json")
    build_dataset(root, tmp_path / "ad", val_annotations=val)
    assert counted(tmp_path / "ad") == ({True}, [])
    val = val.rename(tmp_path / "val.json")
    assert counted(tmp_path / "ad", val_annotations=val) == ({True}, [])
    assert "Instances" in run("stats", tmp_path / "ad", "--val-annotations", val)
    found, (note,) = counted(tmp_path / "ad")
    assert found == {False}
    assert note == f"instances are not counted: there is no {root}/annotations/val.json"
    with pytest.raises(InputError, match=r"other\.json is missing"):
        dataset_stats(tmp_path / "ad", val_annotations=tmp_path / "other.json")


def test_instances_of_another_file_than_was_built_from_are_not_counted(built: Path, tmp_path: Path) -> None:
    root = shutil.copytree(built.parent / "coco", tmp_path / "coco")
    val = root / "annotations" / "instances_val2017.json"
    val.write_bytes(val.read_bytes() + b" ")
    found, (note,) = counted(built, coco_root=root)
    assert found == {False}
    assert note == f"instances are not counted: {val} is not what the dataset was built from"
    assert json.loads(run("stats", built, "--coco-root", root, "--json", stdout=True))[0]["split"] == 0
    assert f"note: {note}" in run("stats", built, "--coco-root", root)


def test_a_wrong_root_that_was_given_is_refused_and_one_that_was_remembered_is_noted(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"nowhere \(from --coco-root\) is not a directory"):
        dataset_stats(built, tmp_path / "nowhere")
    monkeypatch.setenv("COCO_ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"nowhere \(from \$COCO_ROOT\) is not a directory"):
        dataset_stats(built)
    monkeypatch.delenv("COCO_ROOT")
    moved = shutil.copytree(built, tmp_path / "ad")
    (moved / HINT_FILE).write_text(str(tmp_path / "nowhere"))
    found, (note,) = counted(moved)
    assert found == {False}
    assert "nowhere" in note


@pytest.mark.parametrize("command", [("show", "--out"), ("stats", "--figure")])
def test_an_empty_path_to_write_to_is_refused(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is a directory: give the path of a file"):
        run(command[0], built, command[1], "")
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_tables_json_and_a_figure(built: Path, tmp_path: Path) -> None:
    printed = run("stats", built, "--figure", tmp_path / "stats.png")
    assert "Held out in split 3" in printed
    assert "toothbrush" in printed
    assert Image.open(tmp_path / "stats.png").size[0] > 1000
    assert [stats["split"] for stats in json.loads(run("stats", built, "--json"))] == [0, 1, 2, 3]


def test_a_sheet_shows_every_anomalous_image_with_an_outline(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    anomalous = sum(sample.label for sample in read_split(built, 1).test)
    assert f"{anomalous} images of split 1" in run("show", built, "--split", 1, "--out", out, "--columns", 4)
    pixels = np.asarray(Image.open(out))
    assert pixels.shape[:2] == (-(-anomalous // 4) * (256 + 34 + 8) + 8, 4 * (256 + 8) + 8)
    assert (pixels == (255, 200, 0)).all(axis=2).sum() > 50 * anomalous


def test_the_outline_lies_around_the_mask_and_a_dark_halo_around_the_outline(
    tiny_coco: Any, tmp_path: Path
) -> None:
    """Of an image that is not scaled: white, with a mask of 40 × 20 pixels at (100, 60)."""
    tiny_coco.val["images"][0].update(width=256, height=256)
    tiny_coco.val["annotations"] = []
    tiny_coco.annotate(101, 1, [[100, 60, 139, 60, 139, 79, 100, 79]])
    Image.new("RGB", (256, 256), "white").save(tiny_coco.root / "val2017" / "000000000101.jpg", quality=100)
    build_dataset(tiny_coco.save(), tmp_path / "ad", splits=[0])
    write_contact_sheet(tmp_path / "ad", 0, tmp_path / "sheet.png")
    tile = np.asarray(Image.open(tmp_path / "sheet.png"))[8 : 8 + 256, 8 : 8 + 256]
    expected = np.full((256, 256, 3), 255, np.uint8)
    expected[58:82, 98:142] = (0, 0, 0)
    expected[59:81, 99:141] = (255, 200, 0)
    expected[60:80, 100:140] = 255
    assert np.array_equal(tile, expected)


def test_a_figure_without_matplotlib_says_what_to_install(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"pip install '.\[figures\]'"):
        write_figure(dataset_stats(built), tmp_path / "figure.png")


def test_a_sheet_of_one_category_shows_its_images_only(built: Path, tmp_path: Path) -> None:
    stats = dataset_stats(built)[0]
    category = max(stats.categories, key=lambda each: each.images)
    printed = run("show", built, "--category", category.name, "--out", tmp_path / "sheet.png")
    assert f"{category.images} images" in printed
    with pytest.raises(InputError, match="split 0 does not hold out 'toothbrush'"):
        run("show", built, "--category", "toothbrush", "--out", tmp_path / "sheet.png")


def test_a_missing_image_is_named_and_no_sheet_is_left(built: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.jpg is missing: give --coco-root DIR"):
        run("show", built, "--coco-root", tmp_path, "--out", tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_an_image_or_mask_of_another_size_is_refused_before_its_pixels_are_made(
    built: Path, tmp_path: Path
) -> None:
    shutil.copytree(built.parent, tmp_path, dirs_exist_ok=True)
    first = next(sample for sample in read_split(tmp_path / "coco-ad", 0).test if sample.label)
    arguments = (
        "show",
        tmp_path / "coco-ad",
        "--coco-root",
        tmp_path / "coco",
        "--out",
        tmp_path / "sheet.png",
    )
    huge = Image.new("1", (11_000, 11_000))
    huge.save(tmp_path / "coco-ad" / str(first.mask), "PNG")
    with pytest.raises(InputError, match=rf"{first.mask}: 121000000 pixels"):
        run(*arguments)
    huge.save(tmp_path / "coco" / first.image, "PNG")
    with pytest.raises(InputError, match=rf"{first.image}: 121000000 pixels"):
        run(*arguments)
