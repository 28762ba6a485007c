"""`make demo` and its script: what they install, and what of the user's surroundings they leave alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_the_demo_knows_no_other_coco_and_keeps_its_cache_to_itself(tmp_path: Path) -> None:
    for name in ("cocoad", "bench"):
        (tmp_path / name).write_text('#!/bin/sh\necho "$COCO_ROOT|$COCOAD_CACHE"\n')
        (tmp_path / name).chmod(0o755)
    surroundings = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "COCO_ROOT": "/mine", "COCOAD_CACHE": "/mine"}
    script = ["sh", str(ROOT / "docs" / "demo.sh"), str(tmp_path / "demo")]
    done = subprocess.run(script, env=surroundings, check=True, capture_output=True, text=True)
    said = {line for line in done.stdout.splitlines() if "|" in line}
    assert said == {f"|{tmp_path}/demo/cache"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder in which `make` has not been called yet."""
    if shutil.which("make") is None:
        pytest.skip("there is no make here")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    return tmp_path


def would_do(checkout: Path, *arguments: str) -> str:
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    alone = {
        name: value for name, value in os.environ.items() if "MAKE" not in name
    }  # we may be below `make test`
    done = subprocess.run(command, cwd=checkout, env=alone, check=True, capture_output=True, text=True)
    return done.stdout


def test_the_demo_installs_only_what_it_needs_and_the_tests_what_they_need_before_it_and_after(
    checkout: Path,
) -> None:
    assert "'.[offline,report]'" in would_do(checkout, "demo")
    assert "'.[dev]'" in would_do(checkout, "test")
    (checkout / ".venv" / ".demo").touch()
    assert "pip install" not in would_do(checkout, "demo")
    assert "'.[dev]'" in would_do(checkout, "test")
    (checkout / ".venv" / ".demo").unlink()
    (checkout / ".venv" / ".installed").touch()
    assert "pip install" not in would_do(checkout, "test")
    assert "pip install" not in would_do(checkout, "demo")  # the tests need all that the demo needs


def test_cleaning_up_deletes_no_folder_that_the_user_named(checkout: Path) -> None:
    assert would_do(checkout, "clean", "DEMO=/home/me") == "rm -rf .venv .venv-lowest build dist demo\n"
