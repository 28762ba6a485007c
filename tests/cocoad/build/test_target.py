"""Where a dataset may be built, and what is left alone there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cocoad.base.errors import InputError
from cocoad.build.builder import build_dataset
from cocoad.build.target import check_target
from cocoad.dataset.manifest import read_dataset

FilesOf = Callable[[Path], dict[str, bytes]]


def test_what_is_in_the_way_is_not_touched(tiny_coco: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build_dataset(tiny_coco.root, out)
    with pytest.raises(InputError, match="--overwrite builds it again"):
        build_dataset(tiny_coco.root, out)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").touch()
    with pytest.raises(InputError, match="not empty and not a built dataset"):
        build_dataset(tiny_coco.root, foreign, overwrite=True)
    assert (foreign / "thesis.tex").exists()
    with pytest.raises(InputError, match="is a file"):
        build_dataset(tiny_coco.root, foreign / "thesis.tex", overwrite=True)
    (tiny_coco.root / "dataset.json").touch()
    with pytest.raises(InputError, match="which the build reads"):
        build_dataset(tiny_coco.root, tiny_coco.root, overwrite=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    build_dataset(tiny_coco.root, empty)
    assert (empty / "dataset.json").is_file()


@pytest.mark.parametrize(
    "text", ['{"name": "my other dataset"}', "[1", '{"format": "cocoad-split"}', "[" * 10**5]
)
def test_what_another_program_calls_dataset_json_makes_no_built_dataset(
    tiny_coco: Any, tmp_path: Path, text: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "dataset.json").write_text(text)
    (out / "thesis.txt").touch()
    for overwrite in (False, True):
        with pytest.raises(InputError, match="not empty and not a built dataset"):
            build_dataset(tiny_coco.root, out, overwrite=overwrite)
    assert sorted(path.name for path in out.iterdir()) == ["dataset.json", "thesis.txt"]


def test_a_dataset_of_another_version_can_be_built_again(
    tiny_coco: Any, tmp_path: Path, files_of: FilesOf
) -> None:
    build_dataset(tiny_coco.root, tmp_path / "out")
    before = files_of(tmp_path / "out")
    (tmp_path / "out" / "dataset.json").write_text('{"format": "cocoad-dataset", "format_version": 2}')
    build_dataset(tiny_coco.root, tmp_path / "out", overwrite=True)
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize(
    "name", ["runs/r1/result.json", "thesis.txt", "split_4.json", "masks/split_0/mine.png", "masks/notes"]
)
def test_overwriting_deletes_no_file_that_is_not_the_datasets(
    tiny_coco: Any, tmp_path: Path, name: str
) -> None:
    mine = tmp_path / "out" / name
    build_dataset(tiny_coco.root, tmp_path / "out")
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.touch()
    with pytest.raises(InputError, match=f"{name} is not the dataset's: move it elsewhere"):
        build_dataset(tiny_coco.root, tmp_path / "out", overwrite=True)
    assert mine.exists()


@pytest.mark.parametrize("out", ["coco", "coco/train2017", "."])
def test_a_target_that_holds_what_the_build_reads_is_refused(
    tiny_coco: Any, tmp_path: Path, files_of: FilesOf, out: str
) -> None:
    """Empty or not, ``--overwrite`` or not: what a build replaces is deleted."""
    before = files_of(tmp_path)
    sources = [tiny_coco.root, tiny_coco.path("train"), tiny_coco.root / "train2017"]
    for overwrite in (False, True):
        with pytest.raises(InputError, match="which the build reads: give another --out"):
            check_target((tmp_path / out).resolve(), sources, [0, 1, 2, 3], overwrite)
    assert files_of(tmp_path) == before


def test_an_annotation_file_within_the_target_is_refused(tiny_coco: Any, tmp_path: Path) -> None:
    build_dataset(tiny_coco.root, tmp_path / "out")
    inside = shutil.copy(tiny_coco.path("val"), tmp_path / "out" / "val.json")
    with pytest.raises(InputError, match=r"out holds .*val\.json, which the build reads"):
        build_dataset(tiny_coco.root, tmp_path / "out", val_annotations=Path(inside), overwrite=True)


def test_overwriting_does_not_follow_or_delete_links(tiny_coco: Any, tmp_path: Path) -> None:
    build_dataset(tiny_coco.root, tmp_path / "out")
    (tmp_path / "out" / "runs").symlink_to(tiny_coco.root, target_is_directory=True)
    with pytest.raises(InputError, match="out/runs is not the dataset's"):
        build_dataset(tiny_coco.root, tmp_path / "out", overwrite=True)


def test_overwriting_loses_no_split(tiny_coco: Any, tmp_path: Path, files_of: FilesOf) -> None:
    out = tmp_path / "out"
    build_dataset(tiny_coco.root, out)
    before = files_of(out)
    with pytest.raises(InputError, match="has split 0, 1, 3 too, which would be gone: build all its splits"):
        build_dataset(tiny_coco.root, out, splits=[2], overwrite=True)
    assert files_of(out) == before
    build_dataset(tiny_coco.root, tmp_path / "one", splits=[2])
    build_dataset(tiny_coco.root, tmp_path / "one", splits=[1, 2], overwrite=True)
    assert sorted(read_dataset(tmp_path / "one").splits) == ["1", "2"]
