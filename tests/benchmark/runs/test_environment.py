"""What a record says of the machine and the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import torch

from benchmark.runs import environment as module
from benchmark.runs.environment import environment, has_native_bf16
from benchmark.training.recording import PACKAGES, device_facts


def test_processor_device_and_versions_are_named() -> None:
    found = environment(PACKAGES) | device_facts(torch.device("cpu"))
    assert found["device"] == "cpu"
    assert found["cpu"]
    assert found["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert found["gpu"] is found["driver"] is None


def test_the_commit_is_that_of_our_own_clone_and_says_when_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    code = tmp_path / "environment.py"
    code.write_text("1")
    git("init")
    git("commit", "--allow-empty", "-m", "somebody's thesis")
    monkeypatch.setattr("benchmark.runs.environment.__file__", str(code))

    def commit() -> str | None:
        found: str | None = environment()["commit"]
        return found

    assert commit() is None
    git("add", ".")
    git("commit", "-m", "a clone of ours")
    clean = commit()
    assert clean is not None
    assert re.fullmatch("[0-9a-f]{40}", clean)
    code.write_text("2")
    assert commit() == f"{clean}-dirty"


@pytest.mark.parametrize(
    ("flags", "native"), [("fpu avx512_bf16", True), ("amx_bf16 sse", True), ("avx512f avx2", False)]
)
def test_a_processor_computes_in_bf16_if_linux_says_so(
    flags: str, native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(f"model name : A\nflags : {flags}\n")
    monkeypatch.setattr(module, "CPU_INFO", tmp_path / "cpuinfo")
    assert has_native_bf16() is native
