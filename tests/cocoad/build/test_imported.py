"""A copy in the official layout becomes the dataset that a build makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cocoad.base.errors import InputError
from cocoad.build.imported import import_official
from cocoad.cli import cocoad
from cocoad.dataset.manifest import read_dataset
from cocoad.export import export_official


def call(*words: object) -> Result:
    return CliRunner().invoke(cocoad, [str(word) for word in words])


@pytest.fixture
def copy(built: Any, tmp_path: Path) -> Path:
    export_official(built.directory, tmp_path / "copy")
    return tmp_path / "copy"


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_exported_and_imported_again_it_is_the_build_to_the_byte_and_verifies(
    built: Any, copy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    result = call("import", copy, "--coco-root", built.root, "--out", out)
    assert result.exit_code == 0, result.output
    assert "split 3: " in result.stdout
    again, before = files(out), files(built.directory)
    assert sorted(again) == sorted(before)
    assert [name for name in before if again[name] != before[name]] == ["coco-root.txt"]  # a fixture's own
    assert call("verify", out, "--coco-root", built.root).exit_code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda meta: meta["train"]["coco"][0].update(img_path="train2017/999999999999.jpg"), "is none of"),
        (lambda meta: meta["train"]["coco"].append(meta["train"]["coco"][0]), "is listed twice"),
        (
            lambda meta: meta["train"]["coco"][0].update(anomaly=1),
            "is anomalous, and among the images to train",
        ),
        (
            lambda meta: next(e for e in meta["test"]["coco"] if e["anomaly"]).update(anomaly=0),
            "shows a held-out",
        ),
        (
            lambda meta: next(e for e in meta["test"]["coco"] if not e["anomaly"]).update(anomaly=1),
            "shows no held",
        ),
        (lambda meta: meta.pop("test"), "not a split in the official layout"),
    ],
)
def test_a_list_that_the_annotations_contradict_is_refused_by_name(
    built: Any, copy: Path, tmp_path: Path, change: Callable[[Any], Any], said: str
) -> None:
    file = copy / "meta_20_1.json"
    meta = json.loads(file.read_bytes())
    change(meta)
    file.write_text(json.dumps(meta))
    with pytest.raises(InputError, match=rf"meta_20_1\.json: .*{said}"):
        import_official(copy, tmp_path / "out", built.root)
    assert not (tmp_path / "out").exists()


def test_a_mask_of_another_size_or_none_is_refused_by_name(built: Any, copy: Path, tmp_path: Path) -> None:
    mask = next((copy / "val2017_mask_ad_20_0").iterdir())
    with Image.open(mask) as image:
        size = image.size
    Image.new("L", (size[0], size[1] - 1)).save(mask)
    with pytest.raises(InputError, match=rf"{mask.name}: .* pixels, and its image {size[0]}×{size[1]}"):
        import_official(copy, tmp_path / "out", built.root)
    mask.unlink()
    with pytest.raises(InputError, match=rf"{mask.name} is missing"):
        import_official(copy, tmp_path / "out", built.root)


def test_lists_of_other_images_than_a_build_takes_are_taken_with_a_note(
    built: Any, copy: Path, tmp_path: Path
) -> None:
    file = copy / "meta_20_2.json"
    meta = json.loads(file.read_bytes())
    del meta["train"]["coco"][:2]
    file.write_text(json.dumps(meta))
    import_official(copy, tmp_path / "out", built.root)
    notes = read_dataset(tmp_path / "out").notes
    assert "split 2, train2017: 0 images more and 2 fewer than a build takes" in notes


def test_a_folder_without_the_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no meta_20_K"):
        import_official(tmp_path, tmp_path / "out")
