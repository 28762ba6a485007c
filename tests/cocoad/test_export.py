"""Foreign layouts: they say what the dataset says, appear whole, and delete nobody's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cocoad.cli import cocoad
from cocoad.errors import InputError
from cocoad.export import LAYOUTS
from cocoad.manifest import read_split
from cocoad.masks import read_mask_png


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
    assert export(built, "ader", out).split() == [str(out / f"meta_20_{k}.json") for k in range(4)]
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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_damaged_mask_stops_the_export_before_its_split_appears(
    built: Any, tmp_path: Path, layout: str
) -> None:
    built.mask.write_bytes(b"no image")
    with pytest.raises(InputError, match="not a readable image"):
        export(built, layout, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
