"""The public door of both packages: light, complete, typed, and what comes through it shows itself."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import benchmark
import cocoad
from cocoad.base.errors import InputError

SIZE = 32
OFFERED = {"cocoad": cocoad, "benchmark": benchmark}


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder dataset: four noisy tiles to train on, two good and two with a bright square to test on."""
    random, root = np.random.default_rng(0), tmp_path_factory.mktemp("door") / "tiles"
    for index, kind in enumerate(("train/good",) * 4 + ("test/good",) * 2 + ("test/square",) * 2):
        pixels, mask = random.integers(90, 120, (64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
        if kind == "test/square":
            pixels[16:40, 16:40], mask[16:40, 16:40] = 250, 255
            (root / "ground_truth" / "square").mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / "ground_truth" / "square" / f"{index}_mask.png")
        (root / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / kind / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def out(tiles: Path) -> str:
    return str(tiles.parent / "runs")


@pytest.fixture(scope="module")
def run(tiles: Path, out: str) -> benchmark.api.Run:  # type: ignore[name-defined]
    return benchmark.run("mean-image", dataset=str(tiles), image_size=64, out=out, device="cpu", workers=0)


@pytest.mark.parametrize("package", OFFERED)
def test_importing_a_package_and_listing_its_door_loads_nothing_heavy(package: str) -> None:
    code = f"import sys, {package} as p; dir(p); print(*p.__all__); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, modules = (line.split() for line in done.stdout.splitlines())
    assert set(names) == set(OFFERED[package].__all__)
    assert not {"torch", "numpy", "pandas", "cv2", "msgspec", "click"} & set(modules)


@pytest.mark.parametrize(("package", "name"), [(p, n) for p, door in OFFERED.items() for n in door.__all__])
def test_what_is_offered_is_there_to_tab_and_documented(package: str, name: str) -> None:
    offered = getattr(OFFERED[package], name)
    assert name in dir(OFFERED[package])
    if name != "__version__":
        assert callable(offered)
        assert inspect.getdoc(offered)
        assert inspect.signature(offered).parameters or name == "methods"


def test_a_name_that_is_not_offered_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        benchmark.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_a_room_can_be_called_also_after_its_modules_were_imported() -> None:
    code = (
        "import benchmark.leaderboard.board, cocoad.verify.findings, benchmark.methods.registry\n"
        "import benchmark, cocoad\n"
        "print(callable(benchmark.leaderboard), callable(cocoad.verify), len(benchmark.methods()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True True ")


def test_the_toolkit_builds_verifies_and_reads_by_texts(tmp_path: Path) -> None:
    coco, built = str(tmp_path / "coco"), str(tmp_path / "coco-ad")
    cocoad.sample(coco, train=12, val=8, size=64)
    cocoad.build_dataset(coco, built, jobs=1)
    findings = cocoad.verify(built, coco_root=coco)
    assert findings.errors == 0
    assert repr(findings).startswith("Findings(0 errors, ")
    assert "<th>code</th>" in findings._repr_html_()
    dataset, split = cocoad.read_dataset(built), cocoad.read_split(built, 1)
    assert "splits 0, 1, 2, 3" in repr(dataset)
    assert dataset._repr_html_().count("<tr>") == 5
    assert repr(split).startswith("SplitManifest(split 1: ")
    assert len(split.to_pandas()) == len(split.train) + len(split.test)
    assert len(benchmark.load_dataset(built, split=1).test) == len(split.test)


def test_a_run_takes_the_methods_own_preset_and_shows_itself(run: benchmark.api.Run, out: str) -> None:  # type: ignore[name-defined]
    config = run.record.config
    assert (config["preset"], config["recipe"]["epochs"]) == ("paper", 1)
    assert repr(run).startswith("Run(mean-image on tiles, mAD ")
    assert len(repr(run)) < 200
    assert "<td>image_auroc</td>" in run._repr_html_()
    assert run.to_pandas().loc["mad", "exact"] == run.metrics["exact"]["mad"]


def test_options_of_recipe_and_method_reach_the_run(tiles: Path, tmp_path: Path) -> None:
    fields = {"image_size": 64, "backbone": "test_resnet", "weights": "random", "device": "cpu"}
    found = benchmark.run(
        "padim", tiles, out=tmp_path, options={"dimensions": 7}, batch_size=2, split=None, **fields
    )
    assert found.record.method.options == {"dimensions": 7}
    assert found.record.config["recipe"]["batch_size"] == 2
    with pytest.raises(InputError, match="no field nonsense"):
        benchmark.run("padim", tiles, out=tmp_path, nonsense=1)
    with pytest.raises(InputError, match="no 'rang'"):
        benchmark.run("padim", tiles, out=tmp_path, options={"rang": 7})


def test_a_dataset_shows_itself(tiles: Path) -> None:
    dataset = benchmark.load_dataset(str(tiles))
    assert repr(dataset) == ("AnomalyDataset(tiles, folder: 4 train, 2 normal and 2 anomalous test images)")
    assert "<td>4</td><td>2</td><td>2</td>" in dataset._repr_html_()
    assert list(dataset.to_pandas()["part"]) == ["train"] * 4 + ["test"] * 4


def test_a_leaderboard_and_the_methods_show_themselves(run: object, out: str) -> None:
    board = benchmark.leaderboard(out)
    assert repr(board) == "Leaderboard(2 rows, 1 methods)"
    assert "mean-image" in board._repr_html_()
    assert len(board.to_pandas()) == 2
    known = benchmark.methods()
    assert "padim" in set(known.to_pandas()["name"])
    assert "<td>padim</td>" in known._repr_html_()


def test_an_evaluation_shows_itself() -> None:
    evaluator = benchmark.Evaluator()
    masks = np.zeros((2, 8, 8), bool)
    masks[1, :2, :2] = True
    evaluator.update(masks.astype(np.float32), masks)
    found = evaluator.compute()
    assert "exact/mad 1.0000" in repr(found)
    assert "<td>1.0000</td>" in found._repr_html_()
    assert found.to_pandas().loc[("all", "mad"), "exact"] == 1.0
    assert benchmark.evaluate(masks.astype(np.float32), masks)["pixel_auroc"] == 1.0


def test_runs_are_compared_and_reported_by_texts(
    run: benchmark.api.Run,  # type: ignore[name-defined]
    out: str,
    tiles: Path,
    tmp_path: Path,
) -> None:
    found = benchmark.compare(str(run.directory), str(run.directory), samples=100)
    assert repr(found).startswith("Comparison(")
    assert "<th>metric</th>" in found._repr_html_()
    assert set(found.to_pandas()["better"]) == {""}
    pytest.importorskip("jinja2")
    page = benchmark.report(out, out=str(tmp_path / "report"), images=False)
    assert page.is_file()
    with pytest.raises(InputError, match="which runs"):
        benchmark.report(out=str(tmp_path))


def test_a_model_predicts_on_paths_images_and_arrays_alike(
    run: benchmark.api.Run,  # type: ignore[name-defined]
    tiles: Path,
) -> None:
    model = benchmark.load_run(str(run.directory), device="cpu")
    assert repr(model) == "TrainedModel(mean-image at 64 pixels, on cpu)"
    path = tiles / "test" / "square" / "6.png"
    with Image.open(path) as image:
        given = [str(path), path, image.copy(), np.asarray(image)]
    scores = {model.predict(one).score for one in given}
    assert len(scores) == 1
    for wrong in (np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8), np.zeros((3, 8, 8), np.uint8)):
        with pytest.raises(ValueError, match=r"give uint8 \(height, width, 3\), RGB"):
            model.predict(wrong)


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "python.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(blocks) == 7
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    assert names["run"].record.method.name == "padim"
    assert np.isfinite(names["prediction"].score)
    assert names["evaluation"].metrics["exact"]["pixel_auroc"] > 0.8
