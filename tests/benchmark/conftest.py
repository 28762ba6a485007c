"""Fixtures of the harness's tests: runs made up on disk, with the files that real ones have."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmark.runs.outputs import PREVIEW_SIZE, ImageScore, write_previews, write_scores
from benchmark.runs.record import Cost, DatasetInfo, MethodInfo, Record, Status, write_record, write_status

NAMES = (
    "image_auroc", "image_ap", "image_f1_max",
    "pixel_auroc", "pixel_ap", "pixel_f1_max", "pixel_iou_max", "aupro",
    "pixel_f1_.2_.8", "pixel_acc_.2_.8", "pixel_iou_.2_.8", "mad_image", "mad_pixel", "mad_.2_.8", "mad",
)  # fmt: skip

MakeRun = Callable[..., Path]


REAL = msgspec.json.decode((Path(__file__).parent / "record.json").read_bytes())
"""What a real `bench run` of mean-image wrote, without its scores; test_real_records.py holds it to one of today."""


def record_with(
    method: str = "invad",
    score: float | None = 0.5,
    *,
    split: int | None = 0,
    seed: int = 42,
    exact: float | None = None,
    dataset: dict[str, Any] | None = None,
    method_info: dict[str, Any] | None = None,
    **changes: Any,
) -> Record:
    """Return a real run's record whose every ``ader`` metric is ``score`` and every ``exact`` one ``exact``."""
    info = {
        **REAL["dataset"], "split": split, "hash": f"{split}" * 64, "image_size": 256,
        "train_normal": 30, "test_normal": 10, "test_anomalous": 20, **(dataset or {}),
    }  # fmt: skip
    about = {
        **REAL["method"], "name": method, "backbone": "wide_resnet50_2.racm_in1k", "parameters": None,
        "trainable_parameters": None, "gmacs": None, **(method_info or {}),
    }  # fmt: skip
    fields: dict[str, Any] = {
        **REAL,
        "method": MethodInfo(**about),
        "dataset": DatasetInfo(**info),
        "seed": seed,
        "epochs": 100,
        "metrics": {"ader": dict.fromkeys(NAMES, score), "exact": dict.fromkeys(NAMES, exact or score)},
        "cost": Cost(train_seconds=120.0, test_images_per_s=50.0, peak_memory_bytes=1 << 30),
    }
    return Record(**{**fields, **changes})


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A function that writes a finished run ``tmp_path/runs/NAME`` and returns its directory."""

    def make(name: str, *args: Any, **kwargs: Any) -> Path:
        directory = tmp_path / "runs" / name
        directory.mkdir(parents=True)
        record = write_record(directory, record_with(*args, **kwargs))
        write_status(directory, Status("finished", record.epochs or 0, record.epochs or 0))
        return directory

    return make


@pytest.fixture
def edit_record() -> Callable[..., None]:
    """A function that changes fields of a run's ``result.json`` without its hash."""

    def edit(directory: Path, **changes: Any) -> None:
        path = directory / "result.json"
        path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), **changes}))

    return edit


@pytest.fixture
def make_scored_run(make_run: MakeRun) -> MakeRun:
    """A function that writes a run with scores and previews made up by drawing maps.

    All runs have the same images and masks; ``signal`` is how far anomalous pixels stand out, ``seed`` is of
    the noise.
    """

    def make(name: str, signal: float = 1.0, seed: int = 1, images: int = 60, **kwargs: Any) -> Path:
        directory = make_run(name, name, **kwargs)
        labels = np.arange(images) % 3 != 0
        masks = np.zeros((images, PREVIEW_SIZE, PREVIEW_SIZE), bool)
        for index in np.flatnonzero(labels):
            masks[index, 8 : 12 + index % 30, 20:40] = True
        noise = np.random.default_rng(seed)
        maps = noise.normal(size=masks.shape).astype(np.float32) + np.float32(signal) * masks
        offsets = noise.normal(size=images)
        kinds = ("category:person", "category:car")
        scores = [
            ImageScore(
                id=f"val/{index:03d}",
                image=f"val/{index:03d}.jpg",
                class_name="coco",
                label=int(labels[index]),
                score=float(signal * labels[index] + offsets[index]),
                groups=(kinds[index % 2],) if labels[index] else (),
            )
            for index in range(images)
        ]
        write_scores(directory, scores)
        write_previews(directory, maps, masks.astype(np.float32))
        return directory

    return make


HOLDER = """
import sys
from pathlib import Path
from benchmark.runs.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held_elsewhere() -> Callable[[Path], contextlib.AbstractContextManager[int]]:
    """Hold a run's directory in a process of its own, whose number it gives; it is killed when the block ends."""

    @contextlib.contextmanager
    def hold(directory: Path) -> Iterator[int]:
        command = [sys.executable, "-c", HOLDER, str(directory)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            try:
                yield holder.pid
            finally:
                holder.kill()

    return hold


@pytest.fixture
def browser() -> Iterator[Any]:
    """Headless Chromium; tests skip without it."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not chromium or not driver:
        pytest.skip("needs chromium and chromedriver (chromium-driver) on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(driver)
    started = webdriver.Chrome(options=options, service=service)
    yield started
    started.quit()
