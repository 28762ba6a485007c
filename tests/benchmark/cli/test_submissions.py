"""``bench pack``, ``truth`` and ``verify-submission`` as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmark.cli import bench

SIZE = 64


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A dataset of eight test images like MVTec AD, and a map of each in ``tmp_path/maps``."""
    root = tmp_path / "tiles"
    random = np.random.default_rng(0)
    for part in ("train/good", "test/good", "test/crack"):
        for index in range(4):
            path = root / part / f"{index:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (SIZE, SIZE), dtype=np.uint8)).save(path)
            if part.startswith("train"):
                continue
            values = random.random((SIZE, SIZE))
            if part == "test/crack":
                mask = np.zeros((SIZE, SIZE), np.uint8)
                mask[8:30, 8:30] = 255
                truth = root / "ground_truth" / "crack" / f"{index:03}_mask.png"
                truth.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(truth)
                values += 0.5 * (mask > 0)
            target = tmp_path / "maps" / part.split("/")[1] / f"{index:03}.npy"
            target.parent.mkdir(parents=True, exist_ok=True)
            np.save(target, values)
    (tmp_path / "about.yaml").write_text("method: mine\npretraining: none\n")
    return root


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(bench, [str(word) for word in words])


def pack(data: Path, *words: str | Path) -> Result:
    folder = data.parent
    fixed = (
        "--dataset",
        data,
        "--about",
        folder / "about.yaml",
        "--image-size",
        "64",
        "--out",
        folder / "mine",
    )
    return call("pack", folder / "maps", *fixed, *words)


def test_maps_are_packed_and_verified_with_the_dataset_or_its_truth(data: Path, tmp_path: Path) -> None:
    done = pack(data)
    assert done.exit_code == 0, done.output
    assert "points from the full maps (" in done.stdout
    assert f"{tmp_path / 'mine'}: mine, 1 split(s)" in done.stdout
    made = call("truth", "--dataset", data, "--image-size", "64", "--out", tmp_path / "truth")
    assert made.exit_code == 0, made.output
    assert "tiles, 8 images" in made.stdout
    for given in (("--dataset", data), ("--truth", tmp_path / "truth")):
        checked = call("verify-submission", tmp_path / "mine", *given)
        assert checked.exit_code == 0, checked.output
        assert checked.stdout.startswith("mine: verified, rescored\n  tiles: 8 maps scored again, mAD ")


def test_a_tampered_one_exits_with_1_and_says_so_as_json_too(data: Path, tmp_path: Path) -> None:
    pack(data)
    path = tmp_path / "mine" / "submission.json"
    content = json.loads(path.read_bytes())
    content["splits"][0]["metrics"]["ader"]["image_auroc"] = 0.123
    path.write_text(json.dumps(content))
    checked = call("verify-submission", tmp_path / "mine", "--dataset", data)
    assert checked.exit_code == 1
    assert "error [claims] tiles: ader/image_auroc is claimed to be 12.30000 %" in checked.stdout
    (found,) = json.loads(call("verify-submission", tmp_path / "mine", "--dataset", data, "--json").stdout)
    assert (found["sound"], found["trust"], found["method"]) == (False, None, "mine")
    assert [finding["code"] for finding in found["findings"]] == ["claims", "difference"]
    assert found["splits"][0]["metrics"]["ader"]["image_auroc"] == 1.0


def test_wrong_input_ends_in_one_line_and_2(data: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    cases = {
        ("verify-submission", tmp_path / "none", "--dataset", data): "holds no submission.json",
        ("verify-submission", tmp_path / "none"): "give --dataset DIR",
        ("pack", tmp_path / "gone", "--dataset", data, "--out", tmp_path / "x"): "no such folder",
        ("pack", tmp_path / "maps", "--dataset", data, "--out", tmp_path / "x"): "give --about FILE",
    }
    for words, said in cases.items():
        program = [sys.executable, "-m", "benchmark", *map(str, words)]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_submissions_never_import_torch() -> None:
    modules = "benchmark.submissions.pack, benchmark.submissions.verify, benchmark.cli.verify_submission"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; assert 'torch' not in sys.modules"], check=False
    )
    assert done.returncode == 0
