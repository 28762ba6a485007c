"""What `cocoad verify` checks beyond single faults, and what its command says."""

from __future__ import annotations

import json
import os
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from PIL import Image

from cocoad.build.builder import build_dataset
from cocoad.cli import cocoad
from cocoad.coco.partition import Counts, partition
from cocoad.dataset.manifest import BuildOptions
from cocoad.export import export_official
from cocoad.verify import CATALOGUE, checks, verify


@pytest.fixture(autouse=True)
def no_root_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COCO_ROOT", raising=False)


@pytest.mark.parametrize("split", [0, 1, 2, 3])
def test_only_split_2_may_differ_from_the_papers_test_pair(
    official: Any, monkeypatch: pytest.MonkeyPatch, split: int
) -> None:
    """As if the sample were the whole of COCO and one test image stood on the other side."""
    value = json.loads((official.directory / f"meta_20_{split}.json").read_bytes())
    labels = [entry["anomaly"] for entry in value["test"]["coco"]]
    published = Counts(len(value["train"]["coco"]), labels.count(0) + 1, labels.count(1) - 1)
    for other in {0, 1, 2, 3} - {split}:
        (official.directory / f"meta_20_{other}.json").unlink()
        shutil.rmtree(official.directory / f"val2017_mask_ad_20_{other}")
    monkeypatch.setattr(
        checks, "partition", lambda k: msgspec.structs.replace(partition(k), official=published)
    )
    expected = "counts-unconfirmed" if split == 2 else "counts-not-official"
    assert list(official.check(official=True).by_code()) == ["split-missing", expected]


def test_masks_of_the_other_rasteriser_are_more_than_a_border_apart(built: Any, tmp_path: Path) -> None:
    build_dataset(built.root, tmp_path / "accurate", options=BuildOptions(rasterizer="coco"))
    assert list(verify(tmp_path / "accurate", deep=True)) == []
    export_official(tmp_path / "accurate", tmp_path / "official")
    assert "deep-mask" in verify(tmp_path / "official", coco_root=built.root, deep=True).by_code()


def test_annotations_can_lie_elsewhere(built: Any, tmp_path: Path) -> None:
    files = {}
    for part in ("train", "val"):
        path = built.root / "annotations" / f"instances_{part}2017.json"
        files[f"{part}_annotations"] = path.rename(tmp_path / f"{part}.json")
    build_dataset(built.root, built.directory, overwrite=True, **files)
    assert set(built.check().by_code()) == {"input-unchecked"}
    assert list(built.check(deep=True, **files)) == []
    for path in files.values():
        path.rename(built.root / "annotations" / path.name)  # under the recorded names
    assert list(built.check(deep=True)) == []


def test_a_mask_that_was_built_empty_is_a_warning(tiny_coco: Any, tmp_path: Path) -> None:
    tiny_coco.val["annotations"][2]["segmentation"] = []
    tiny_coco.save()
    build_dataset(tiny_coco.root, tmp_path / "ad")
    found = verify(tmp_path / "ad", deep=True).by_code()
    assert found.keys() == {"mask-blank", "image-unreadable"}  # the images of this COCO are empty files
    assert (found["mask-blank"][0].ids, found["mask-blank"][0].rule.severity) == ([102], "warning")


@pytest.mark.parametrize(
    ("part", "kept", "detail"),
    [
        ("train", [], "it has no training image"),
        ("val", [], "it has no test image"),
        ("val", [1], "it has no anomalous test image"),
    ],
)
def test_a_split_without_images_to_train_on_or_to_find_is_not_sound(
    tiny_coco: Any, tmp_path: Path, part: str, kept: list[int], detail: str
) -> None:
    instances = getattr(tiny_coco, part)
    instances["annotations"] = [a for a in instances["annotations"] if a["category_id"] in kept]
    tiny_coco.save()
    build_dataset(tiny_coco.root, tmp_path / "ad", splits=[3])
    finding = verify(tmp_path / "ad").by_code()["split-empty"][0]
    assert (finding.where, finding.detail, finding.rule.severity) == ("split_3.json", detail, "error")


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cocoad, ["verify", *map(str, arguments)], standalone_mode=False)
    assert result.exception is None, result.exception
    return int(result.return_value), result.stdout


def test_the_command_says_sound_with_0_findings_with_1_and_cannot_check_with_2(built: Any) -> None:
    assert run(built.directory)[0] == 0
    (built.directory / "notes.txt").touch()
    code, text = run(built.directory)
    assert code == 0
    assert "is sound, 1 warning" in text
    built.mask.unlink()
    code, text = run(built.directory)
    assert code == 1
    assert "not sound: 1 error, 1 warning" in text
    result = CliRunner().invoke(cocoad, ["verify", str(built.directory / "masks")], standalone_mode=False)
    assert type(result.exception).__name__ == "InputError"


def test_the_table_names_code_place_ids_and_remedy_in_full_even_in_a_pipe(built: Any) -> None:
    for mask in sorted(built.mask.parent.iterdir()):
        mask.unlink()
    _, text = run(built.directory, "--official")
    assert "counts-not-official" in text
    assert "(--json lists all)" in text
    assert CATALOGUE["mask-missing"].remedy in text


def test_json_says_all_for_programs(built: Any) -> None:
    concerned = [int(built.mask.stem)]
    built.mask.unlink()
    code, text = run(built.directory, "--json")
    found = json.loads(text)
    assert (code, found["format"], found["sound"]) == (1, "cocoad-findings", False)
    (finding,) = found["findings"]
    rule = CATALOGUE["mask-missing"]
    assert finding == {
        "code": "mask-missing",
        "severity": "error",
        "where": "split_0.json",
        "meaning": rule.meaning,
        "detail": f"masks/split_0/{concerned[0]:012d}.png",
        "ids": concerned,
        "remedy": rule.remedy,
    }


def test_the_same_damage_is_told_in_the_same_words_every_time(built: Any) -> None:
    built.mask.write_bytes(b"BM")
    assert run(built.directory, "--json") == run(built.directory, "--json")


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_an_enormous_image_and_a_pipe_are_findings(built: Any) -> None:
    images = built.root / "val2017"
    huge, pipe = sorted(images.iterdir())[:2]
    Image.new("1", (11_000, 11_000)).save(huge, "PNG")
    pipe.unlink()
    os.mkfifo(pipe)
    found = built.check().by_code()
    assert found.keys() == {"image-unreadable"}  # so many pixels do not come of so few bytes
    (finding,) = found["image-unreadable"]
    assert len(finding.ids) == 2
    assert finding.detail.startswith(f"{huge}: 121000000 pixels")


Change = Callable[[dict[str, Any]], Any]
HOSTILE: dict[str, Change] = {
    "an integer written as 1.0": lambda v: v["test"][0].update(id=241.0),
    "a width beyond 64 bits": lambda v: v["test"][0].update(width=10**40),
    "markup in a path": lambda v: v["train"][0].update(image="train2017/[/bold]\n\x1b[31m.jpg"),
    "a lone surrogate": lambda v: v["train"][0].update(image="train2017/\udcff.jpg"),
    "a NUL": lambda v: v["train"][0].update(image="train2017/\0.jpg"),
    "a path of a megabyte": lambda v: v["train"][0].update(image="train2017/" + "a" * 10**6),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("how", [(), ("--json",)], ids=["table", "json"])
def test_hostile_values_end_in_findings_not_in_a_traceback(
    built: Any, change: Change, how: tuple[str, ...]
) -> None:
    built.edit(change)
    code, text = run(built.directory, "--deep", *how)
    assert code == 1
    assert "\x1b" not in text


@pytest.mark.parametrize("text", [b"", b"[1", b"null", b"[" * 100_000, b"\xff", b'{"a": NaN}'])
@pytest.mark.parametrize("name", ["dataset.json", "split_0.json"])
def test_a_file_that_is_no_manifest_is_a_finding_even_when_depth_is_asked_for(
    built: Any, name: str, text: bytes
) -> None:
    (built.directory / name).write_bytes(text)
    assert "schema" in built.check(deep=True, official=True).by_code()


def test_a_dataset_of_a_later_format_is_told_by_its_version_not_by_what_is_new_in_it(built: Any) -> None:
    built.edit_manifest(lambda v: v["options"].update(rasterizer="ader-2") or v.update(format_version=3))
    (finding,) = built.check()
    assert (finding.code, finding.detail) == ("schema", "format version 3, this cocoad reads 1 and 2")


@pytest.mark.parametrize("name", ["/etc/passwd", "../../half.json", ".."])
def test_an_annotation_file_outside_its_folder_is_not_looked_at(built: Any, name: str) -> None:
    built.edit_manifest(lambda v: v["inputs"]["val"].update(name=name))
    (finding,) = built.check(deep=True)
    assert finding.code == "schema"
    assert finding.detail.startswith("at $.inputs.val.name: ")


def test_a_held_out_category_of_another_name_is_a_finding(built: Any) -> None:
    built.edit(lambda v: v["held_out"][0].update(name="cat"))
    (finding,) = built.check()
    assert (finding.code, finding.detail) == ("partition-wrong", "1 'cat' is where 1 'person' should be")


def test_an_image_id_of_thousands_of_digits_breaks_the_schema(official: Any) -> None:
    official.edit(lambda v: v["train"]["coco"][0].update(img_path="9" * 5000 + ".jpg"))
    assert "schema" in official.check().by_code()


@pytest.fixture(scope="module")
def page() -> str:
    return (Path(__file__).parents[3] / "docs" / "reference" / "findings.md").read_text()


def test_the_documented_catalogue_is_the_one_in_the_code(page: str) -> None:
    script = Path(__file__).parents[3] / "docs" / "scripts" / "findings.py"
    assert runpy.run_path(str(script))["table"]() in page, (
        f"bring docs/reference/findings.md up to date with {script}"
    )


@pytest.mark.parametrize(
    ("layout", "remedy"),
    [("built", "cocoad build --coco-root DIR --overwrite"), ("official", "the tool that made it")],
)
def test_a_remedy_is_one_that_can_help_whoever_made_the_dataset(
    request: pytest.FixtureRequest, layout: str, remedy: str
) -> None:
    dataset = request.getfixturevalue(layout)
    dataset.mask.unlink()
    (finding,) = dataset.check()
    assert remedy in finding.rule.remedy


@pytest.mark.parametrize("image", ["1.jpg", "000000000001." + 300 * "x"])
def test_a_mask_whose_name_is_too_long_for_any_file_is_missing(tmp_path: Path, image: str) -> None:
    entry = {"img_path": f"val2017/{image}", "cls_name": "coco", "specie_name": "", "anomaly": 1}
    lists = {"train": {"coco": []}, "test": {"coco": [{**entry, "mask_path": 300 * "a"}]}}
    (tmp_path / "meta_20_0.json").write_text(json.dumps(lists))
    assert "mask-missing" in verify(tmp_path).by_code()
