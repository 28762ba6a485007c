"""`bench reproduce` from the command line, on drawn classes that are called as MVTec AD's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmark.cli.reproduce import command
from benchmark.reproduction.page import write_section


def draw(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    random, root = np.random.default_rng(0), tmp_path / "mvtec"
    for name in ("bottle", "screw"):
        for index in range(6):
            draw(root / name / "train" / "good" / f"{index}.png", random.integers(90, 120, (64, 64, 3)))
        for index in range(2):
            draw(root / name / "test" / "good" / f"{index}.png", random.integers(90, 120, (64, 64, 3)))
            pixels, mask = random.integers(90, 120, (64, 64, 3)), np.zeros((64, 64))
            pixels[16:40, 16:40], mask[16:40, 16:40] = 250, 255
            draw(root / name / "test" / "square" / f"{index}.png", pixels)
            draw(root / name / "ground_truth" / "square" / f"{index}_mask.png", mask)
    return root


@pytest.mark.slow
def test_what_was_run_is_said_beside_what_was_published(
    classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["mvtec-ad-by-class", str(classes), "--methods", "padim-resnet18", "--classes", "bottle,screw"]
    words += ["--backbone", "test_resnet", "--weights", "random", "--image-size", "64", "--device", "cpu"]
    words += ["--set", "checkpoint_every_s=60"]
    dry = CliRunner().invoke(command, [*words, "--dry-run"], catch_exceptions=False)
    assert "2 to go" in dry.output
    assert not (tmp_path / "runs").exists()
    page = tmp_path / "page.md"
    done = CliRunner().invoke(command, [*words, "--page", str(page)], catch_exceptions=False)
    assert "0 reproduced" not in done.output
    assert "2 not comparable" in done.output
    text = page.read_text()
    assert "| padim-resnet18 | bottle | 1 |" in text
    assert "6/2/2 images (train, normal, anomalous), theirs 209/20/63" in text
    assert "64 pixels, theirs 256" in text
    assert "bench reproduce mvtec-ad-by-class DATASET --methods padim-resnet18" in text
    assert " --set checkpoint_every_s=60 --weights random\n" in text
    again = CliRunner().invoke(command, [*words, "--page", str(page)], catch_exceptions=False)
    assert "0 to go" in again.output
    assert page.read_text() == text


def test_a_section_of_a_page_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    write_section(page, "one", "first")
    write_section(page, "two", "second")
    page.write_text(page.read_text().replace("# Reproduction", "# Reproduction\nwords"))
    write_section(page, "one", r"mended \1")
    assert page.read_text() == (
        "# Reproduction\nwords\n\n<!-- one -->\nmended \\1\n<!-- end of one -->\n\n"
        "<!-- two -->\nsecond\n<!-- end of two -->\n"
    )
