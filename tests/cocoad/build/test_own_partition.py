"""A benchmark of one's own categories: from any files in COCO's format, under its own name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from pycocotools import mask as coco_mask

from benchmark.cli.run import command as bench_run
from benchmark.datasets import load_dataset
from cocoad.base.errors import InputError
from cocoad.build.builder import build_dataset
from cocoad.coco.own import read_plan
from cocoad.dataset.manifest import BuildOptions, read_dataset, read_split
from cocoad.dataset.masks import read_sample_mask
from cocoad.show.contact_sheet import write_contact_sheet
from cocoad.show.stats import dataset_stats
from cocoad.verify import verify

NORMAL = BuildOptions(unannotated="normal")


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    """Tiles with scratches and holes (defects), and labels (which are none): ids from 0, images in one folder."""
    rng = np.random.default_rng(0)
    root = tmp_path / "factory"
    (root / "img").mkdir(parents=True)
    named = [("scratch", "defect"), ("hole", "defect"), ("label", "part")]
    listed = [{"id": n, "name": name, "supercategory": kind} for n, (name, kind) in enumerate(named)]
    for part, count, first in (("train", 8, 0), ("test", 8, 100)):
        value: dict[str, Any] = {"images": [], "annotations": [], "categories": listed}
        for ident in range(first, first + count):
            name = f"tile_{ident}.png"
            Image.fromarray(rng.integers(0, 255, (20, 30, 3), np.uint8)).save(root / "img" / name)
            value["images"].append({"id": ident, "file_name": name, "width": 30, "height": 20})
            if kind := ident % 4:
                outline = [[2 * kind, 2, 2 * kind + 8, 2, 2 * kind + 8, 9]]
                row = {"id": ident, "image_id": ident, "category_id": kind - 1, "segmentation": outline}
                value["annotations"].append({**row, "area": 28, "iscrowd": 0, "bbox": [0, 0, 1, 1]})
        (root / f"{part}.json").write_text(json.dumps(value))
    return root


def plan(root: Path, text: str) -> Path:
    (root / "partition.yaml").write_text(text)
    return root / "partition.yaml"


DEFECTS = "name: my-tiles\nsplits:\n  - {name: all, supercategories: [defect]}\n  - {name: holes, held_out: [hole]}\n"


def test_a_partition_of_ones_own_is_built_verified_shown_and_read_by_the_bench(
    factory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COCO_ROOT", raising=False)
    out = tmp_path / "ad"
    report = build_dataset(factory, out, partition=plan(factory, DEFECTS), options=NORMAL)
    assert (report.benchmark, report.warnings) == ("my-tiles", [])
    assert list(verify(out, deep=True)) == []
    manifest = read_dataset(out)
    assert manifest.format_version == 2
    assert [split.name for split in manifest.partitions().splits] == ["all", "holes"]
    first = read_split(out, 0)
    assert [c.name for c in first.held_out] == ["scratch", "hole"]
    assert [s.id for s in first.train] == [0, 3, 4, 7]  # without annotation, or with a label
    assert [s.id for s in first.test if s.label] == [101, 102, 105, 106]
    assert [s.id for s in read_split(out, 1).train] == [0, 1, 3, 4, 5, 7]
    assert first.train[0].image == "train/tile_0.png"
    assert write_contact_sheet(out, 1, tmp_path / "sheet.png") == 2
    assert [c.instances for c in dataset_stats(out)[0].categories] == [2, 2]
    read = load_dataset(out, split=1)
    assert (read.name, len(read.train), len(read.test)) == ("my-tiles", 6, 8)
    assert any(text.startswith("partition=my-tiles@") for text in read.unofficial)
    assert {f.code for f in verify(out, official=True)} == {"options-not-official"}


@pytest.mark.parametrize(
    ("rule", "names"),
    [("one-vs-rest", ["scratch", "hole", "label"]), ("supercategories", ["defect", "part"])],
)
def test_one_vs_rest_and_supercategories_need_no_list(
    factory: Path, tmp_path: Path, rule: str, names: list[str]
) -> None:
    build_dataset(
        factory, tmp_path / "ad", partition=plan(factory, f"name: tiles\nsplits: {rule}\n"), options=NORMAL
    )
    assert [split.name for split in read_dataset(tmp_path / "ad").partitions().splits] == names


def test_all_splits_of_ones_own_partition_are_run(factory: Path, tmp_path: Path) -> None:
    rule = plan(factory, "name: tiles\nsplits: one-vs-rest\n")
    build_dataset(factory, tmp_path / "ad", partition=rule, options=NORMAL)
    words = ["--method", "mean-image", "--dataset", tmp_path / "ad", "--split", "all", "--image-size", "32"]
    words += ["--device", "cpu", "--workers", "0", "--no-cache", "--out", tmp_path / "runs"]
    done = CliRunner().invoke(bench_run, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "runs").glob("*/result.json"))) == 3
    words[words.index("all")] = "7"
    with pytest.raises(InputError, match="has no split 7"):
        CliRunner().invoke(bench_run, [str(word) for word in words], catch_exceptions=False)


def test_the_hash_tells_partitions_apart_whatever_they_are_called(factory: Path, tmp_path: Path) -> None:
    def digest(name: str, text: str) -> str:
        build_dataset(factory, tmp_path / name, partition=plan(factory, text), options=NORMAL)
        own = read_dataset(tmp_path / name).partition
        assert own is not None
        return own.sha256

    assert digest("a", DEFECTS) == digest("b", DEFECTS.replace("my-tiles", "theirs"))
    assert digest("c", DEFECTS.replace("[hole]", "[scratch]")) != digest("d", DEFECTS)


def test_a_split_that_lacks_images_is_warned_of_with_the_remedy(factory: Path, tmp_path: Path) -> None:
    everything = "name: tiles\nsplits:\n  - {name: all, held_out: [scratch, hole, label]}\n"
    report = build_dataset(factory, tmp_path / "ad", partition=plan(factory, everything))
    (warning,) = report.warnings
    assert "split 0 (all) has no image to train on, nor to test on that is normal" in warning
    assert "--unannotated normal" in warning


WRONG = {
    "COCO-AD's name": ("name: coco-ad\nsplits: one-vs-rest\n", "is COCO-AD's name"),
    "no such category": ("name: a\nsplits: [{name: b, held_out: [crack]}]\n", "no category 'crack' (there is hole"),
    "no such supercategory": ("name: a\nsplits: [{name: b, supercategories: [x]}]\n", "no supercategory 'x'"),
    "nothing held out": ("name: a\nsplits: [{name: b}]\n", "split 'b' holds out nothing"),
    "one name twice": ("name: a\nsplits: [{name: b, held_out: [hole]}, {name: b, held_out: [hole]}]\n", "two splits"),
    "no splits": ("name: a\nsplits: []\n", "0 splits"),
    "a path for a name": ("name: ../x\nsplits: one-vs-rest\n", "not a partition"),
    "no YAML": ("name: [", "not a partition"),
    "another rule": ("name: a\nsplits: by-colour\n", "not a partition"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_partition_is_refused_in_one_line(
    factory: Path, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        build_dataset(factory, tmp_path / "ad", partition=plan(factory, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ad").exists()


def test_own_categories_without_a_partition_say_what_is_missing(factory: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'scratch'.* is none of COCO's 80"):
        build_dataset(factory, tmp_path / "ad")
    with pytest.raises(InputError, match="No such file"):
        read_plan(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="there is no split 2: my-tiles has 0, 1"):
        build_dataset(factory, tmp_path / "ad", partition=plan(factory, DEFECTS), splits=[2])


def test_cocos_own_files_under_a_partition_of_ones_own_are_not_coco_ad(
    tiny_coco: Any, tmp_path: Path
) -> None:
    text = "name: people\nsplits: [{name: person, held_out: [person]}]\n"
    build_dataset(tiny_coco.root, tmp_path / "ad", partition=plan(tiny_coco.root, text))
    assert read_dataset(tmp_path / "ad").partitions().name == "people"
    assert [s.label for s in read_split(tmp_path / "ad", 0).test] == [1, 0, 0]


def test_real_tiles_whose_defects_are_masks_become_the_same_masks(shared: Path, tmp_path: Path) -> None:
    """Of each defect ten images, half of them in train; their masks as COCO's compressed RLE."""
    tiles = shared / "data" / "mtd" / "magnetic_tile"
    kinds = sorted(path.name for path in (tiles / "test").iterdir() if path.name != "good")
    listed = [{"id": n, "name": kind} for n, kind in enumerate(kinds)]
    values: dict[str, Any] = {
        part: {"images": [], "annotations": [], "categories": listed} for part in ("train", "val")
    }
    masks, number = {}, 0
    root = tmp_path / "tiles"
    for kind in (*kinds, "good"):
        for index, path in enumerate(sorted((tiles / "test" / kind).iterdir())[:10]):
            number += 1
            part = ("train", "val")[index % 2]
            (root / part).mkdir(parents=True, exist_ok=True)
            name = f"{kind}_{path.name}"
            (root / part / name).write_bytes(path.read_bytes())
            width, height = Image.open(path).size
            values[part]["images"].append({"id": number, "file_name": name, "width": width, "height": height})
            if kind == "good":
                continue
            (found,) = (tiles / "ground_truth" / kind).glob(f"{path.stem}*")
            mask = (cv2.imread(str(found), cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)
            packed = coco_mask.encode(np.asfortranarray(mask))
            outline = {"size": packed["size"], "counts": packed["counts"].decode()}
            row = {
                "id": number,
                "image_id": number,
                "category_id": kinds.index(kind),
                "segmentation": outline,
            }
            values[part]["annotations"].append({**row, "area": int(mask.sum()), "iscrowd": 0})
            masks[number] = mask
    for part, value in values.items():
        (root / f"{part}.json").write_text(json.dumps(value))
    text = f"name: magnetic-tiles\nsplits:\n  - {{name: all, held_out: {json.dumps(kinds)}}}\n"
    build_dataset(root, tmp_path / "ad", partition=plan(root, text), options=NORMAL)
    assert list(verify(tmp_path / "ad", deep=True)) == []
    split = read_split(tmp_path / "ad", 0)
    assert (len(split.train), len(split.test)) == (5, 30)
    anomalous = [sample for sample in split.test if sample.label]
    assert len(anomalous) == 25
    for sample in anomalous:
        assert np.array_equal(read_sample_mask(tmp_path / "ad", sample), masks[sample.id])
