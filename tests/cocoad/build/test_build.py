"""From COCO to COCO-AD: golden counts and masks, options, interruptions, and what the user is told."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import cocoad.build.draw
from cocoad.base.errors import InputError
from cocoad.build.builder import build_dataset
from cocoad.cli import cocoad as cli
from cocoad.coco.partition import Counts
from cocoad.dataset.manifest import BuildOptions, read_dataset, read_split
from cocoad.dataset.masks import mask_digest, read_mask_png

FilesOf = Callable[[Path], dict[str, bytes]]


def _cocoad(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from cocoad.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("rasterizer", ["ader", "coco"])
def test_real_images_give_the_golden_counts_ids_and_masks(
    shared: Path, tmp_path: Path, rasterizer: Any
) -> None:
    golden = json.loads((shared / "golden" / "coco_mini_expected.json").read_text())
    out = tmp_path / "out"
    build_dataset(shared / "data" / "coco-mini", out, options=BuildOptions(rasterizer=rasterizer))
    for key, expected in golden["splits"].items():
        split = read_split(out, int(key))
        assert [sample.id for sample in split.train] == sorted(expected["train_ids"])
        assert len(split.train) == expected["train_images"] == read_dataset(out).splits[key].train_normal
        normal = [sample.id for sample in split.test if not sample.label]
        assert normal == sorted(expected["test_normal_ids"])
        anomalous = [sample for sample in split.test if sample.label]
        assert len(anomalous) == expected["test_anomalous"]
        assert sorted(f"{sample.id:012d}" for sample in anomalous) == sorted(expected["masks"])
        for sample in anomalous:
            mask = read_mask_png(out / str(sample.mask))
            assert mask.shape == (sample.height, sample.width)
            assert mask_digest(mask) == sample.mask_sha256
            assert int(mask.sum()) == sample.anomalous_pixels
            of_mask = expected["masks"][f"{sample.id:012d}"]
            assert sample.anomalous_pixels == of_mask[f"{rasterizer}_pixels"]
            gray = np.array(Image.open(out / str(sample.mask)).convert("L"))
            assert hashlib.sha256(gray.tobytes()).hexdigest() == of_mask[f"{rasterizer}_sha256"]


def test_builds_are_byte_identical_whatever_the_jobs(
    shared: Path, tmp_path: Path, files_of: FilesOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cocoad.build.draw, "_WORTH_FORKING", 1)
    build_dataset(shared / "data" / "coco-mini", tmp_path / "first", jobs=1)
    for jobs in (1, 2, 3):
        build_dataset(shared / "data" / "coco-mini", tmp_path / "out", jobs=jobs, overwrite=True)
        assert files_of(tmp_path / "out") == files_of(tmp_path / "first")


def test_the_dataset_does_not_know_where_coco_lies(tiny_coco: Any, tmp_path: Path, files_of: FilesOf) -> None:
    build_dataset(tiny_coco.root, tmp_path / "out")
    tree = files_of(tmp_path / "out")
    assert tree.pop("coco-root.txt").decode().strip() == str(tiny_coco.root)
    assert not any(str(tmp_path).encode() in data for data in tree.values())


def test_the_manifest_records_options_and_inputs(tiny_coco: Any, tmp_path: Path) -> None:
    options = BuildOptions("coco", "normal", "exclude", True)
    build_dataset(tiny_coco.root, tmp_path / "out", options=options)
    found = read_dataset(tmp_path / "out")
    assert found.options == options
    for part in ("train", "val"):
        data = tiny_coco.path(part).read_bytes()
        assert found.inputs[part].name == f"instances_{part}2017.json"
        assert found.inputs[part].bytes == len(data)
        assert found.inputs[part].sha256 == hashlib.sha256(data).hexdigest()
    assert (found.splits["1"].train_normal, found.splits["1"].test_normal) == (3, 4)  # unannotated are normal


def test_images_are_neither_opened_nor_copied(tiny_coco: Any, tmp_path: Path) -> None:
    build_dataset(tiny_coco.root, tmp_path / "out")  # the images are empty files
    assert not list((tmp_path / "out").rglob("*.jpg"))


def test_other_annotation_files_can_be_given(tiny_coco: Any, tmp_path: Path) -> None:
    train, val = (tiny_coco.path(part).rename(tmp_path / f"{part}.json") for part in ("train", "val"))
    build_dataset(tiny_coco.root, tmp_path / "out", train_annotations=train, val_annotations=val)
    assert read_dataset(tmp_path / "out").inputs["val"].name == "val.json"


def test_the_command_as_typed_writes_coco_ad_and_names_the_next_one(tiny_coco: Any, tmp_path: Path) -> None:
    done = _cocoad("build", "--coco-root", "coco", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "coco-ad" / "dataset.json").is_file()
    lines = done.stdout.splitlines()
    assert lines[1].split() == ["0", "2", "2", "1", "30,438", "/", "1,291", "/", "3,661"]
    assert any("not the whole COCO 2017" in line for line in lines)
    assert lines[-1] == "next: cocoad verify"
    assert done.stderr == ""


def test_json_says_the_same_as_the_table(tiny_coco: Any, tmp_path: Path) -> None:
    out = tmp_path / "a b"
    result = CliRunner().invoke(
        cli, ["build", "--coco-root", str(tiny_coco.root), "--out", str(out), "--json"]
    )
    report = json.loads(result.stdout)
    assert result.stdout.endswith("\n}\n")
    assert report["out"] == str(out)
    assert report["masks"] == 4
    assert report["splits"]["1"]["counts"] == {"train_normal": 2, "test_normal": 2, "test_anomalous": 1}
    assert report["splits"]["1"]["equals_official"] is False
    again = CliRunner().invoke(
        cli, ["build", "--coco-root", str(tiny_coco.root), "--out", str(out), "--overwrite"]
    )
    assert again.stdout.splitlines()[-1] == f"next: cocoad verify '{out}'"


def test_a_dry_run_counts_and_writes_nothing(tiny_coco: Any, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    report = build_dataset(tiny_coco.root, tmp_path / "out", dry_run=True)
    assert report.out is None
    assert report.splits["0"].counts == Counts(2, 2, 1)
    assert sorted(tmp_path.iterdir()) == before
    wet = build_dataset(tiny_coco.root, tmp_path / "out")
    assert wet.splits == report.splits


def test_one_split_alone_is_the_same_as_among_all(tiny_coco: Any, tmp_path: Path, files_of: FilesOf) -> None:
    build_dataset(tiny_coco.root, tmp_path / "all")
    build_dataset(tiny_coco.root, tmp_path / "one", splits=[3])
    one, every = files_of(tmp_path / "one"), files_of(tmp_path / "all")
    assert set(one) == {"dataset.json", "coco-root.txt", "split_3.json", "masks/split_3/000000000102.png"}
    assert all(every[name] == data for name, data in one.items() if name != "dataset.json")


def _run(coco: Any, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["build", "--coco-root", str(coco.root), "--out", str(out), *options])


def test_missing_images_are_refused_unless_allowed(tiny_coco: Any, tmp_path: Path) -> None:
    (tiny_coco.root / "val2017" / "000000000102.jpg").unlink()
    result = _run(tiny_coco, tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert "1 of 6 images are missing, first" in str(result.exception)
    assert "000000000102.jpg" in str(result.exception)
    assert "--allow-missing-images" in str(result.exception)
    assert (
        "note: 1 of 6 images are missing"
        in _run(tiny_coco, tmp_path / "out", "--allow-missing-images").stdout
    )


def test_images_that_no_split_uses_need_not_be_there(tiny_coco: Any, tmp_path: Path) -> None:
    for path in ("train2017/000000000004.jpg", "val2017/000000000104.jpg"):  # both without annotations
        (tiny_coco.root / path).unlink()
    assert build_dataset(tiny_coco.root, tmp_path / "out").notes == []


def test_images_in_folders_below_are_found(tiny_coco: Any, tmp_path: Path) -> None:
    tiny_coco.val["images"][0]["file_name"] = "a/b.jpg"
    tiny_coco.save()
    with pytest.raises(InputError, match=r"val2017/a/b\.jpg"):
        build_dataset(tiny_coco.root, tmp_path / "out")
    (tiny_coco.root / "val2017" / "a").mkdir()
    (tiny_coco.root / "val2017" / "a" / "b.jpg").touch()
    build_dataset(tiny_coco.root, tmp_path / "out")
    assert read_split(tmp_path / "out", 0).test[0].image == "val2017/a/b.jpg"


@pytest.mark.parametrize("forking", [1, 500])
@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3, 4, 5]], "a ring has 5 numbers"),
        ([[0, 0, 5, 0, 5, 1e9]], "far outside the image"),
        ({"size": [10, 12], "counts": [1, 2]}, "RLE counts sum to 3, not to h·w = 120"),
    ],
)
def test_an_outline_that_cannot_be_drawn_is_named_and_nothing_is_left(
    tiny_coco: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    segmentation: Any,
    message: str,
    forking: int,
) -> None:
    monkeypatch.setattr(cocoad.build.draw, "_WORTH_FORKING", forking)
    annotation = tiny_coco.annotate(102, 50, segmentation)
    tiny_coco.save()
    with pytest.raises(InputError) as caught:
        build_dataset(tiny_coco.root, tmp_path / "out", jobs=2)
    prefix = f"instances_val2017.json: annotation {annotation['id']} of image 102: "
    assert str(caught.value).startswith(prefix + message) or message in str(caught.value)
    assert prefix in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coco"]


def test_oddities_are_taken_and_noted(tiny_coco: Any, tmp_path: Path) -> None:
    tiny_coco.annotate(102, 50, [[3, 3, 9, 3]])
    tiny_coco.annotate(103, 51, [])
    tiny_coco.annotate(101, 52, [[-4, -4, 3, -4, 3, 3]])
    tiny_coco.train["images"][3]["id"] = 104
    tiny_coco.save()
    notes = build_dataset(tiny_coco.root, tmp_path / "out").notes
    assert notes == read_dataset(tmp_path / "out").notes
    assert notes == [
        "1 image ids are in both train2017 and val2017",
        "instances_val2017.json: 1 rings of fewer than 3 points, drawn as the lines or points that they are",
        "instances_val2017.json: 1 segmentations that reach outside their image, cut at its border",
        "instances_val2017.json: 1 segmentations without any ring, which cover nothing",
        "1 masks of anomalous images are empty",
    ]


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_truncated_file_costs_one_line_and_exit_code_2(tiny_coco: Any, tmp_path: Path, part: str) -> None:
    data = tiny_coco.path(part).read_bytes()[:-40]
    tiny_coco.path(part).write_bytes(data)
    done = _cocoad("build", "--coco-root", "coco", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"instances_{part}2017.json: truncated: it ends at byte {len(data)}" in done.stderr
    assert not (tmp_path / "coco-ad").exists()


def test_missing_files_say_which_and_how_to_get_coco(tiny_coco: Any, tmp_path: Path) -> None:
    tiny_coco.path("train").unlink()
    done = _cocoad("build", "--coco-root", "coco", cwd=tmp_path)
    assert done.returncode == 2
    there = "(there is annotations/instances_val2017.json)"
    assert f"{tiny_coco.path('train')} is missing {there}: get train2017" in done.stderr
    done = _cocoad("build", "--coco-root", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "the COCO root nowhere is not a directory: get train2017" in done.stderr


def test_overwriting_replaces_the_whole_dataset(tiny_coco: Any, tmp_path: Path, files_of: FilesOf) -> None:
    out, coarse = tmp_path / "out", BuildOptions(rasterizer="coco", crowd="exclude")
    build_dataset(tiny_coco.root, out)
    build_dataset(tiny_coco.root, tmp_path / "other", options=coarse)
    assert files_of(out) != files_of(tmp_path / "other")
    build_dataset(tiny_coco.root, out, options=coarse, overwrite=True)
    assert files_of(out) == files_of(tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coco", "other", "out"]


def test_a_split_that_there_is_not_is_refused(tiny_coco: Any, tmp_path: Path) -> None:
    for dry_run in (False, True):
        with pytest.raises(InputError, match="there is no split 4: COCO-AD has 0, 1, 2, 3"):
            build_dataset(tiny_coco.root, tmp_path / "out", splits=[0, 4], dry_run=dry_run)


def test_a_failed_overwrite_leaves_the_old_dataset(tiny_coco: Any, tmp_path: Path, files_of: FilesOf) -> None:
    out = tmp_path / "out"
    build_dataset(tiny_coco.root, out)
    before = files_of(out)
    tiny_coco.annotate(102, 50, [[1]])
    tiny_coco.save()
    with pytest.raises(InputError):
        build_dataset(tiny_coco.root, out, overwrite=True)
    assert files_of(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coco", "out"]


KILLED = """
import os, sys, time
import cocoad.build.draw, cocoad.build.builder, cocoad.base.staging
from pathlib import Path
cocoad.build.draw._WORTH_FORKING = 1
real, count = cocoad.build.draw.write_mask_png, 0
def slow(path, mask):
    global count
    real(path, mask)
    count += 1
    if count == 2:
        Path(sys.argv[3]).touch()
        time.sleep(60)
cocoad.build.draw.write_mask_png = slow
cocoad.build.builder.build_dataset(Path(sys.argv[1]), Path(sys.argv[2]), jobs=int(sys.argv[4]))
"""


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_build_leaves_nothing_that_looks_whole_and_the_next_one_cleans_up(
    tiny_coco: Any, tmp_path: Path, how: signal.Signals, jobs: int
) -> None:
    for image_id in (101, 102, 103):
        for category_id in (1, 22, 47, 80):
            tiny_coco.annotate(image_id, category_id, [[1, 1, 4, 1, 4, 4]])
    extra = [{"id": i, "file_name": f"{i}.jpg", "width": 12, "height": 10} for i in range(200, 240)]
    tiny_coco.val["images"] += extra
    for image in extra:
        (tiny_coco.root / "val2017" / str(image["file_name"])).touch()
        tiny_coco.annotate(int(image["id"]), 1, [[1, 1, 4, 1, 4, 4]])
    tiny_coco.save()
    out, reached = tmp_path / "out", tmp_path / "reached"
    command = [sys.executable, "-c", KILLED, str(tiny_coco.root), str(out), str(reached), str(jobs)]
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731  not so below a shell's "&"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=heard) as process:
        deadline = time.monotonic() + 30
        while not reached.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert reached.exists()
        with pytest.raises(InputError, match=r"another build of .* is running"):
            build_dataset(tiny_coco.root, out)
        process.send_signal(how)
    assert not out.exists()
    if how == signal.SIGKILL:
        assert (tmp_path / ".out.building").is_dir()
    build_dataset(tiny_coco.root, out)
    assert (out / "dataset.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coco", "out", "reached"]


def test_a_full_disk_is_reported_by_its_errno(
    tiny_coco: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def full(path: Path, mask: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(cocoad.build.draw, "write_mask_png", full)
    for forking in (1, 500):
        monkeypatch.setattr(cocoad.build.draw, "_WORTH_FORKING", forking)
        with pytest.raises(OSError, match="No space left") as caught:
            build_dataset(tiny_coco.root, tmp_path / "out", jobs=2)
        assert caught.value.errno == errno.ENOSPC
        assert sorted(path.name for path in tmp_path.iterdir()) == ["coco"]


def test_the_coco_root_is_given_remembered_or_set_in_the_environment(
    tiny_coco: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COCO_ROOT", str(tiny_coco.root))
    out = str(tmp_path / "out")
    assert CliRunner().invoke(cli, ["build", "--out", out]).exit_code == 0
    monkeypatch.delenv("COCO_ROOT")
    moved = tiny_coco.root.rename(tmp_path / "moved")

    def codes(*options: str) -> set[str]:
        printed = CliRunner().invoke(cli, ["verify", out, "--json", *options]).stdout
        return {finding["code"] for finding in json.loads(printed)["findings"]}

    assert codes() == {"images-unchecked"}  # what was remembered is gone
    empty = {"image-unreadable"}  # the images are empty files
    assert codes("--coco-root", str(moved)) == empty
    monkeypatch.setenv("COCO_ROOT", str(moved))
    assert codes() == empty


def test_every_option_that_changes_the_result_is_recorded_and_takes_effect(
    tiny_coco: Any, tmp_path: Path
) -> None:
    options = (
        "--rasterizer",
        "coco",
        "--unannotated",
        "normal",
        "--crowd",
        "exclude",
        "--split",
        "1",
        "--split",
        "0",
    )
    assert _run(tiny_coco, tmp_path / "out", *options, "--jobs", "2").exit_code == 0
    found = read_dataset(tmp_path / "out")
    assert found.options == BuildOptions("coco", "normal", "exclude", False)
    assert sorted(found.splits) == ["0", "1"]
    assert read_split(tmp_path / "out", 1).test[2].label == 0  # image 103 shows a crowd of elephants alone
    assert len(read_split(tmp_path / "out", 0).test) == 4
    assert len(read_split(tmp_path / "out", 0).train) == 3
