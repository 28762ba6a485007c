"""The installed package is complete: what works in a checkout works from a wheel."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_a_wheel_holds_the_splits_the_schemas_and_the_data_files(tmp_path: Path) -> None:
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    tracked = subprocess.run(
        ["git", "ls-files", "cocoad", "benchmark", "splits"],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    installed = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    wanted = {name if not name.startswith("splits/") else f"cocoad/{name}" for name in tracked} - {
        "cocoad/splits"
    }
    assert wanted <= installed


@pytest.mark.parametrize("command", ["cocoad", "bench"])
def test_help_comes_at_once(command: str) -> None:
    script = Path(sys.executable).parent / command
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([str(script), "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.3
