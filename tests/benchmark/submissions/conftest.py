"""A drawn test set, maps of it, and a submission of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.submissions.format import About
from benchmark.submissions.pack import Packed, pack_split, source_of, write_packed
from benchmark.submissions.truth import Truth

SIZE = 128  # pixels
IMAGES = 30
ABOUT = About("mine", "none")

SaveMaps = Callable[..., Path]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> AnomalyDataset:
    """A test set of 30 images, two of three of them anomalous, in two categories."""
    folder = tmp_path_factory.mktemp("masks")
    samples = []
    for index in range(IMAGES):
        identity = f"val2017/{IMAGES - index:012d}"  # not ascending
        if index % 3 == 0:
            samples.append(Sample(identity, folder / f"{index}.jpg", "coco"))
            continue
        array = np.zeros((SIZE, SIZE), np.uint8)
        array[2 * index : 2 * index + 30, 20:75] = 255
        mask = folder / f"{index}.png"
        Image.fromarray(array).save(mask)
        groups = (f"category:{('dog', 'cat')[index % 2]}", "size:large")
        samples.append(Sample(identity, folder / f"{index}.jpg", "coco", 1, mask, groups))
    return AnomalyDataset("coco-ad", "built", 0, "a" * 64, (samples[0],) * 3, tuple(samples))


@pytest.fixture(scope="session")
def truth(dataset: AnomalyDataset) -> Truth:
    """The ground truth of that test set."""
    return Truth.of(dataset, SIZE)


@pytest.fixture
def save_maps(truth: Truth, tmp_path: Path) -> SaveMaps:
    """A function that writes a folder of maps: smooth noise and, times ``signal``, the blurred masks."""
    import cv2

    def save(name: str = "maps", seed: int = 0, signal: float = 0.7, blur: float = 5) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        random = np.random.default_rng(seed)
        for image, mask in zip(truth.images, truth.masks(slice(0, IMAGES)), strict=True):
            values = random.normal(size=mask.shape).astype(np.float32)
            if blur:
                values = cv2.GaussianBlur(values, (0, 0), blur) * 3 * blur
            values += signal * cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(blur, 1))
            np.save(folder / f"{image.id.split('/')[1]}.npy", np.exp(values))
        return folder

    return save


@pytest.fixture
def packed(dataset: AnomalyDataset, save_maps: SaveMaps) -> Packed:
    """The packed maps."""
    return pack_split(source_of(save_maps(), None), dataset, SIZE)


@pytest.fixture
def submission(packed: Packed, tmp_path: Path) -> Path:
    """The folder of a submission that is sound."""
    write_packed(tmp_path / "mine", ABOUT, [packed])
    return tmp_path / "mine"


@pytest.fixture(scope="session")
def real_dataset(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Split 0 of COCO-AD built from 159 photographs of COCO."""
    from click.testing import CliRunner

    from cocoad.cli import cocoad

    out = tmp_path_factory.mktemp("real") / "coco-ad"
    words = ["build", "--coco-root", str(shared / "data" / "coco-mini"), "--split", "0", "--out", str(out)]
    done = CliRunner().invoke(cocoad, words)
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="session")
def real_run(real_dataset: Path, shared: Path) -> Path:
    """A run on it that kept its maps: distances of a pretrained ResNet-34's features."""
    from click.testing import CliRunner

    from benchmark.cli import bench

    weights, out = shared / "weights" / "resnet34.safetensors", real_dataset.parent / "runs"
    words = ["--dataset", str(real_dataset), "--weights", str(weights), "--out", str(out), "--save-maps"]
    done = CliRunner().invoke(bench, ["run", "--method", "feature-distance", *words, "--workers", "0"])
    assert done.exit_code == 0, done.output
    (directory,) = out.glob("*_split-0_*")
    return directory
