"""Exports read by the programs that they are for: pycocotools, datasets and mlcroissant."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cocoad.base.errors import InputError
from cocoad.dataset.manifest import read_split
from cocoad.dataset.masks import read_sample_mask
from cocoad.export import export_coco, export_croissant, export_hub


@pytest.fixture(scope="module")
def exported(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("exported")
    export_coco(sound / "coco-ad", place / "coco", sound / "coco")
    export_hub(sound / "coco-ad", place / "hub")
    return place


@pytest.mark.parametrize("number", range(4))
def test_pycocotools_reads_a_splits_instances_and_finds_them_perfect_against_themselves(
    exported: Path, sound: Path, number: int
) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    split = read_split(sound / "coco-ad", number)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(exported / "coco" / f"instances_split_{number}.json"))
        assert sorted(truth.getImgIds()) == [sample.id for sample in split.test]
        assert sorted(truth.getCatIds()) == [category.id for category in split.held_out]
        for sample in split.test:
            found = truth.loadAnns(truth.getAnnIds(imgIds=[sample.id]))
            assert tuple(sorted({one["category_id"] for one in found})) == sample.categories
        results = [
            {"image_id": one["image_id"], "category_id": one["category_id"], "score": 1.0,
             "segmentation": truth.annToRLE(one)}
            for one in truth.loadAnns(truth.getAnnIds(iscrowd=False))
        ]  # fmt: skip
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_coco_refuses_another_annotation_file_and_a_file_that_is_there(sound: Path, tmp_path: Path) -> None:
    annotations = tmp_path / "coco" / "annotations" / "instances_val2017.json"
    annotations.parent.mkdir(parents=True)
    annotations.write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(InputError, match=r"is not the file that .* was built from"):
        export_coco(sound / "coco-ad", tmp_path / "out", tmp_path / "coco")
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "instances_split_2.json").touch()
    with pytest.raises(InputError, match=r"instances_split_2\.json is there already"):
        export_coco(sound / "coco-ad", tmp_path / "out", sound / "coco")


def test_datasets_loads_every_split_with_boolean_masks_and_texts(
    exported: Path, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    for number in range(4):
        split = read_split(sound / "coco-ad", number)
        names = {category.id: category.name for category in split.held_out}
        loaded = datasets.load_dataset(
            str(exported / "hub"), f"split_{number}", cache_dir=str(tmp_path / "cache")
        )
        assert [row["image"] for row in loaded["train"]] == [sample.image for sample in split.train]
        assert len(loaded["test"]) == len(split.test)
        for row, sample in zip(loaded["test"], split.test, strict=True):
            assert (row["id"], row["label"], row["width"]) == (sample.id, sample.label, sample.width)
            assert row["categories"] == [names[each] for each in sample.categories]
            if sample.label:
                mask = np.asarray(row["mask"])
                assert mask.dtype == bool
                np.testing.assert_array_equal(mask, read_sample_mask(sound / "coco-ad", sample))
            else:
                assert row["mask"] is None


def test_mlcroissant_validates_without_an_issue_and_iterates_boolean_masks(
    exported: Path, sound: Path
) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(exported / "hub" / "croissant.json"))
    assert not described.metadata.issues.errors
    assert not described.metadata.issues.warnings
    split = read_split(sound / "coco-ad", 0)
    names = {category.id: category.name for category in split.held_out}
    rows = list(described.records("records_split_0_test"))
    assert len(rows) == len(split.test)
    prefix = "records_split_0_test/"
    for row, sample in zip(rows, split.test, strict=True):
        assert row[f"{prefix}id"] == sample.id
        assert row[f"{prefix}image"].decode() == sample.image  # the library gives any text as bytes
        assert [name.decode() for name in row[f"{prefix}categories"]] == [
            names[each] for each in sample.categories
        ]
        if sample.label:
            np.testing.assert_array_equal(
                np.asarray(row[f"{prefix}mask"]), read_sample_mask(sound / "coco-ad", sample)
            )
    assert len(list(described.records("records_split_3_train"))) == len(
        read_split(sound / "coco-ad", 3).train
    )


def test_croissant_has_the_responsible_ai_fields_and_the_hashes_of_its_files(
    sound: Path, tmp_path: Path
) -> None:
    from cocoad.base.files import sha256_file

    (path,) = export_croissant(sound / "coco-ad", tmp_path / "out")
    described = json.loads(path.read_bytes())
    for field in (
        "dataLimitations",
        "dataBiases",
        "personalSensitiveInformation",
        "dataUseCases",
        "dataSocialImpact",
    ):
        assert described[f"rai:{field}"]
    assert described["rai:hasSyntheticData"] is False
    assert described["conformsTo"].endswith("/1.1")
    assert len(described["distribution"]) == 8
    for file in described["distribution"]:
        assert sha256_file(tmp_path / "out" / file["contentUrl"]) == file["sha256"]
    assert not (tmp_path / "out" / "README.md").exists()


def test_the_same_dataset_gives_the_same_bytes(sound: Path, exported: Path, tmp_path: Path) -> None:
    export_hub(sound / "coco-ad", tmp_path / "again")
    for path in sorted((exported / "hub").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(exported / "hub")).read_bytes()


def test_without_pyarrow_one_line_says_which_extra(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"needs an extra: pip install '\.\[hub\]'"):
        export_hub(sound / "coco-ad", tmp_path / "out")
    assert not (tmp_path / "out").exists()
