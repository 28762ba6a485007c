"""What the commands that are disturbed begin with, and the machines that disturb them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cocoad.build.builder import build_dataset
from cocoad.sample import draw_sample
from tests.reliability.served import Server, built_shim


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn COCO, ``coco``, what is built of it, ``ad``, maps of its split 0, and ``about.yaml``."""
    place = tmp_path_factory.mktemp("sources")
    draw_sample(place / "coco", train=24, val=24, size=48)
    build_dataset(place / "coco", place / "ad")
    noise = np.random.default_rng(0)
    for sample in json.loads((place / "ad" / "split_0.json").read_bytes())["test"]:
        path = (place / "maps" / sample["image"]).with_suffix(".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, noise.random((16, 16), np.float32))
    (place / "about.yaml").write_text("pretraining: none\n")
    return place


@pytest.fixture(scope="session")
def sound_machine() -> Iterator[Server]:
    """A server of commands whose system does as it should."""
    server = Server(None)
    yield server
    server.close()


@pytest.fixture(scope="session")
def bad_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of commands whose system fails as its variables say."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    server = Server(built_shim(tmp_path_factory.mktemp("shim")))
    yield server
    server.close()
