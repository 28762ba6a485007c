"""Experiment trackers on request: each with its real package, on this machine alone."""

from __future__ import annotations

import json
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmark
from benchmark.config import RunConfig
from benchmark.runs.outputs import ImageScore, Previews
from benchmark.training import trackers as module
from benchmark.training.examples import examples
from benchmark.training.log import EpochRow
from benchmark.training.runner import run
from benchmark.training.trackers import Picture, Tracker, Trackers, check_installed
from cocoad.base.errors import InputError

Config = Callable[..., RunConfig]
ROW = EpochRow(1, 2, 0.5, 1e-3, 12.0, 0.1, 3.0)


class Notes(Tracker):
    """Writes down what it hears."""

    heard: list[Any]

    def __init__(self, directory: Path, settings: module.Settings) -> None:
        super().__init__(directory, settings)
        type(self).heard = [dict(settings)]

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self.heard.append((dict(values), step))

    def pictures(self, pictures: Mapping[str, Picture], step: int) -> None:
        self.heard.append({name: picture.shape for name, picture in pictures.items()})

    def record(self, path: Path) -> None:
        self.heard.append(path)

    def close(self, finished: bool) -> None:
        self.heard.append(finished)


class Broken(Notes):
    """Loses its server."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        raise ConnectionError("no route to the server\nand more")


@pytest.fixture
def taking_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.KINDS, "wandb", (Notes, "json"))
    monkeypatch.setitem(module.KINDS, "mlflow", (Broken, "json"))


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow", "trackio"])
def test_a_tracker_that_is_not_installed_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: Any
) -> None:
    monkeypatch.setitem(sys.modules, module.KINDS[name][1], None)
    with pytest.raises(InputError, match=rf"^--log {name} needs an extra: pip install '\.\[{name}\]' in a"):
        check_installed([name])


@pytest.mark.usefixtures("taking_notes")
def test_a_tracker_hears_the_settings_flat_then_curves_metrics_pictures_and_the_record(
    tmp_path: Path,
) -> None:
    told = Trackers(["wandb"], tmp_path, {"seed": 1, "recipe": {"betas": [0.5, 0.9]}}, pytest.fail)
    told.epoch(ROW)
    told.metrics({"ader": {"image_auroc": 0.9, "aupro": None}})
    told.finished(tmp_path, {"a": np.zeros((2, 6, 3), np.uint8)})
    told.close(True)
    settings, curves, metrics, pictures, record, finished = Notes.heard
    assert settings == {"seed": 1, "recipe.betas": "[0.5, 0.9]"}
    assert curves == (
        {"train/loss": 0.5, "train/learning_rate": 1e-3, "train/images_per_s": 12.0, "train/data_wait_s": 0.1,
         "train/epoch": 1}, 2,
    )  # fmt: skip
    assert metrics == ({"test/ader/image_auroc": 0.9}, 2)
    assert (pictures, record, finished) == ({"a": (2, 6, 3)}, tmp_path / "result.json", True)


@pytest.mark.usefixtures("taking_notes")
def test_a_tracker_that_fails_is_warned_of_once_and_the_others_are_told_on(tmp_path: Path) -> None:
    said: list[str] = []
    told = Trackers(["mlflow", "wandb"], tmp_path, {}, said.append)
    told.epoch(ROW)
    told.epoch(ROW._replace(epoch=2, step=4))
    assert said == ["--log mlflow failed and is told no more: no route to the server"]
    assert [step for _, step in Notes.heard[1:]] == [2, 4]


@pytest.mark.usefixtures("taking_notes")
def test_a_run_tells_each_epoch_once_and_its_looks_and_its_examples(config: Config, tmp_path: Path) -> None:
    directory = run(config(log=("wandb",), evaluate_every=2), tmp_path / "runs")
    steps = [
        step for values, step in (h for h in Notes.heard if isinstance(h, tuple)) if "train/loss" in values
    ]
    looks = [
        step
        for values, step in (h for h in Notes.heard if isinstance(h, tuple))
        if "train/loss" not in values
    ]
    assert Notes.heard[0]["recipe.batch_size"] == 4
    assert len(steps) == len(set(steps)) > 1
    assert looks[-1] == steps[-1]
    assert set(Notes.heard[-3].values()) == {(192, 576, 3)}
    assert len(Notes.heard[-3]) == 6
    assert Notes.heard[-2:] == [directory / "result.json", True]


@pytest.mark.usefixtures("taking_notes")
def test_a_run_that_fails_closes_its_trackers_as_failed(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise InputError("no")

    monkeypatch.setattr("benchmark.training.runner.fit", broken)
    with pytest.raises(InputError, match=r"^no$"):
        run(config(log=("wandb",)), tmp_path / "runs")
    assert Notes.heard[-1] is False


def test_examples_are_spread_over_the_test_set_and_show_image_map_and_mask(tiles: Path) -> None:
    good = sorted((tiles / "test" / "good").iterdir())
    scores = [ImageScore(f"n{i}", str(good[0]), "tiles", 0, 0.0) for i in range(9)]
    scores += [ImageScore("a", str(good[1]), "tiles", 1, 1.0)]
    maps, masks = np.zeros((10, 64, 64), np.float32), np.zeros((10, 64, 64), bool)
    maps[9, :32], masks[9, 32:] = 1, True
    found = examples(scores, Previews(maps, masks))
    assert list(found) == ["n0", "n3", "n5", "n8", "a"]
    picture = found["a"]
    assert picture.shape == (192, 576, 3)
    assert picture[10, 200].sum() > 500 > 20 > picture[180, 200].sum()  # bright where the map is large
    assert (picture[10, 400].tolist(), picture[180, 400].tolist()) == ([0] * 3, [255] * 3)
    assert examples(scores, None) == {}


REAL = """
import sys
from pathlib import Path
import numpy as np
from benchmark.training.trackers import Trackers
from benchmark.training.log import EpochRow
name, directory = sys.argv[1], Path(sys.argv[2])
def fail(message):
    raise SystemExit(message)
told = Trackers([name], directory, {"seed": 7, "recipe": {"epochs": 2}}, fail)
told.epoch(EpochRow(1, 2, 0.75, 1e-3, 12.0, 0.1, 3.0))
told.epoch(EpochRow(2, 4, 0.25, 1e-3, 13.0, 0.1, 6.0))
told.metrics({"ader": {"image_auroc": 0.9, "pixel_f1_.2_.8": 0.5, "aupro": None}})
told.finished(directory, {"test/bad/000": np.full((20, 60, 3), 200, np.uint8)})
told.close(True)
"""


def real(name: str, directory: Path, **environment: str) -> str:
    """Tell a real tracker of a run, in a process of its own; return what it said."""
    directory.mkdir(parents=True)
    (directory / "result.json").write_text('{"format": "cocoad-run"}')
    plain = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(directory.parent),
        "PYTHONPATH": str(Path(benchmark.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", REAL, name, str(directory)],
        env=plain | environment, cwd=directory.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_tensorboard_shows_what_it_was_told(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    real("tensorboard", tmp_path / "runs" / "a")
    events = accumulator.EventAccumulator(str(tmp_path / "runs" / "a" / "tensorboard")).Reload()
    assert [(one.step, one.value) for one in events.Scalars("train/loss")] == [(2, 0.75), (4, 0.25)]
    assert events.Scalars("train/images_per_s")[1].value == 13
    assert events.Scalars("test/ader/image_auroc")[0].value == pytest.approx(0.9)
    assert events.Images("maps/test/bad/000")[0].width == 60
    texts = {tag: events.Tensors(tag)[0].tensor_proto.string_val[0] for tag in events.Tags()["tensors"]}
    assert b"| recipe.epochs | 2 |" in texts["configuration/text_summary"]
    assert b"cocoad-run" in texts["record/text_summary"]


def logged(file: Path) -> Iterator[bytes]:
    """Yield the records of a LevelDB log after W&B's header of 7 bytes: blocks of 32 KiB, records in pieces."""
    data, place, whole = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # full, last
            yield whole
            whole = b""


@pytest.mark.slow
def test_weights_and_biases_keeps_an_offline_run_and_says_nothing(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    records = import_module("wandb.proto.wandb_internal_pb2")
    assert real("wandb", tmp_path / "runs" / "a") == ""
    (file,) = (tmp_path / "runs" / "a" / "wandb").glob("offline-run-*/run-*.wandb")
    found = [records.Record.FromString(data) for data in logged(file)]
    started = next(one.run for one in found if one.HasField("run"))
    assert (started.project, started.display_name) == ("cocoad", "a")
    rows = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in one.history.item}
        for one in found if one.HasField("history")
    ]  # fmt: skip
    assert [row["train/loss"] for row in rows if "train/loss" in row] == [0.75, 0.25]
    assert any(row.get("test/ader/image_auroc") == 0.9 for row in rows)
    assert any("maps" in row or "maps/filenames" in row for row in rows)
    (artifact,) = [
        one.artifact for one in found if one.HasField("artifact") and one.artifact.type == "record"
    ]
    assert [entry.path for entry in artifact.manifest.contents] == ["result.json"]


@pytest.mark.slow
def test_mlflow_keeps_all_runs_of_a_folder_in_one_local_store(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    said = [real("mlflow", tmp_path / "runs" / name) for name in ("a", "b")]
    assert said == ["", ""]
    with sqlite3.connect(tmp_path / "runs" / "mlflow.db") as store:
        runs = store.execute("select name, status, run_uuid, artifact_uri from runs order by name").fetchall()
        assert [run[:2] for run in runs] == [("a", "FINISHED"), ("b", "FINISHED")]
        ident, artifacts = runs[0][2:]
        losses = store.execute(
            "select step, value from metrics where run_uuid = ? and key = 'train/loss' order by step", [ident]
        ).fetchall()
        assert losses == [(2, 0.75), (4, 0.25)]
        keys = {row[0] for row in store.execute("select key from metrics where run_uuid = ?", [ident])}
        assert {"test/ader/image_auroc", "test/ader/pixel_f1_.2_.8", "train/images_per_s"} <= keys
        settings = dict(store.execute("select key, value from params where run_uuid = ?", [ident]).fetchall())
        assert settings == {"seed": "7", "recipe.epochs": "2"}
    folder = Path(artifacts.removeprefix("file://"))
    assert folder.is_relative_to(tmp_path / "runs" / "mlartifacts")
    assert json.loads((folder / "result.json").read_text()) == {"format": "cocoad-run"}
    assert (folder / "maps" / "test_bad_000.png").is_file()


@pytest.mark.slow
def test_trackio_keeps_a_run_in_its_local_database(tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    folder = tmp_path / "trackio"
    real("trackio", tmp_path / "runs" / "a", TRACKIO_DIR=str(folder), HF_HUB_OFFLINE="1")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "result.json" for path in files), files
    with sqlite3.connect(folder / "cocoad.db") as store:
        rows = [
            json.loads(row[0])
            for row in store.execute("select metrics from metrics order by step").fetchall()
        ]
    assert [row["train/loss"] for row in rows if "train/loss" in row] == [0.75, 0.25]
    assert any(row.get("test/ader/image_auroc") == 0.9 for row in rows)
    assert any(path.suffix == ".png" for path in files)
