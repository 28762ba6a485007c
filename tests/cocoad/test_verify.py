"""Faults injected into a sound dataset, and the codes that name them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cocoad.build import build_dataset
from cocoad.cli import cocoad
from cocoad.export import export_ader
from cocoad.verify import verify

Fault = Callable[[Path], None]


@pytest.fixture(scope="module")
def sound(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("verify") / "coco-ad"
    build_dataset(shared / "data" / "coco-mini", out)
    return out


@pytest.fixture
def dataset(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "coco-ad"))


def mask_of(dataset: Path) -> Path:
    return sorted((dataset / "masks" / "split_0").iterdir())[0]


def edit(dataset: Path, change: Callable[[dict], None]) -> None:
    path = dataset / "split_0.json"
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


def anomalous(value: dict) -> dict:
    return next(sample for sample in value["test"] if sample["label"])


def redraw(dataset: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    path = mask_of(dataset)
    Image.fromarray(change(np.array(Image.open(path).convert("L")))).save(path)


def first_pixel(value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(mask: np.ndarray) -> np.ndarray:
        mask[0, 0] = value
        return mask

    return change


FAULTS: dict[str, Fault] = {
    "schema": lambda d: edit(d, lambda v: v.pop("train")) or None,
    "split-missing": lambda d: (d / "split_1.json").unlink(),
    "split-changed": lambda d: edit(d, lambda v: None),
    "counts-wrong": lambda d: edit(d, lambda v: v["train"].pop()) or None,
    "partition-wrong": lambda d: edit(d, lambda v: v["held_out"].reverse()),
    "sample-duplicate": lambda d: edit(d, lambda v: v["train"].append(v["train"][0])),
    "test-sets-differ": lambda d: edit(d, lambda v: v["test"].pop()) or None,
    "label-contradicts": lambda d: edit(d, lambda v: anomalous(v).update(label=0)),
    "image-missing": lambda d: edit(d, lambda v: v["train"][0].update(image="train2017/000000000001.jpg")),
    "image-size": lambda d: edit(d, lambda v: v["train"][0].update(width=3)),
    "mask-missing": lambda d: mask_of(d).unlink(),
    "mask-unreadable": lambda d: mask_of(d).write_bytes(b"no image") and None,
    "mask-not-bilevel": lambda d: redraw(d, first_pixel(7)),
    "mask-size": lambda d: redraw(d, lambda mask: mask[1:]),
    "mask-empty": lambda d: redraw(d, np.zeros_like),
    "mask-area": lambda d: redraw(d, first_pixel(255)),
    "mask-changed": lambda d: redraw(d, lambda mask: np.ascontiguousarray(mask[::-1])),
    "stray-file": lambda d: (d / "notes.txt").write_text("hello") and None,
    "deep-sample-missing": lambda d: edit(d, lambda v: v["train"].pop()) or None,
    "deep-mask": lambda d: redraw(d, first_pixel(255)),
}


def test_a_fresh_build_is_sound_even_in_depth(dataset: Path) -> None:
    assert list(verify(dataset, deep=True)) == []


@pytest.mark.parametrize("code", FAULTS)
def test_each_fault_is_named_by_its_code(dataset: Path, code: str) -> None:
    FAULTS[code](dataset)
    assert code in verify(dataset, deep=code.startswith("deep")).by_code()


def test_a_small_coco_does_not_have_the_official_counts(dataset: Path) -> None:
    assert "counts-not-official" in verify(dataset, official=True).by_code()


def test_the_command_says_sound_with_0_findings_with_1_and_cannot_check_with_2(dataset: Path) -> None:
    def code(*arguments: str) -> object:
        result = CliRunner().invoke(cocoad, ["verify", *arguments], standalone_mode=False)
        return result.return_value if result.exception is None else type(result.exception).__name__

    assert code(str(dataset)) == 0
    mask_of(dataset).unlink()
    assert code(str(dataset)) == 1
    assert code(str(dataset / "masks")) == "InputError"


def test_the_official_layout_is_verified_too(sound: Path, shared: Path, tmp_path: Path) -> None:
    root = shared / "data" / "coco-mini"
    export_ader(sound, root, tmp_path)
    assert list(verify(tmp_path, coco_root=root, deep=True)) == []
    mask = next((tmp_path / "val2017_mask_ad_20_2").iterdir())
    Image.fromarray(np.array(Image.open(mask)) // 2).save(mask)
    assert "mask-not-bilevel" in verify(tmp_path, coco_root=root).by_code()
