"""A full disk, a read-only folder, a limit, Ctrl-C and kill -9: what the real command says, and what it leaves."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cocoad.sample import draw_sample

COCOAD = Path(sys.executable).with_name("cocoad")


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hard") / "coco"
    draw_sample(root, train=40, val=200, size=64)
    return root


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = list(map(str, arguments))
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def assert_no_traceback(done: subprocess.CompletedProcess[str], code: int, message: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.fixture
def tiny_disk(tmp_path: Path) -> list[str]:
    """Return the start of a command that runs below a disk of 200 kB at `tmp_path/disk`, gone when it ends."""
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs -o size=200k none "$0" && cd "$0" && "$@"; code=$?; ls -A >&2; exit $code'
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(tmp_path / "disk")]
    if shutil.which("unshare") is None or run(*prefix, "true").returncode:
        pytest.skip("this system lets no user mount a small disk")
    return prefix


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_costs_one_line_exit_code_3_and_leaves_nothing(
    coco: Path, tiny_disk: list[str], jobs: int
) -> None:
    done = run(*tiny_disk, COCOAD, "build", "--coco-root", coco, "--jobs", jobs)
    assert_no_traceback(done, 3, "No space left on device; free some space and run the same command again")


def test_a_sample_that_does_not_fit_on_the_disk_leaves_nothing(tiny_disk: list[str]) -> None:
    done = run(*tiny_disk, COCOAD, "sample", "coco")
    assert_no_traceback(done, 3, "No space left on device")


@pytest.mark.parametrize("layout", ["official", "folder"])
def test_an_export_that_does_not_fit_on_the_disk_says_so(
    coco: Path, tmp_path: Path, tiny_disk: list[str], layout: str
) -> None:
    run(COCOAD, "build", "--coco-root", coco, "--out", tmp_path / "ad", check=True)
    done = run(*tiny_disk, COCOAD, "export", tmp_path / "ad", "--layout", layout, "--out", ".")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr
    assert ".building" not in done.stderr.split("again")[1]  # the listing of what is left


def test_a_limit_on_file_sizes_is_told_like_a_full_disk(coco: Path, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = run(COCOAD, "build", "--coco-root", coco, cwd=tmp_path, preexec_fn=limit)
    assert_no_traceback(done, 3, "File too large")
    assert list(tmp_path.iterdir()) == []


def without_root_powers() -> None:
    """Let permissions count even for root: drop what overrides them (CAP_DAC_OVERRIDE, …_READ_SEARCH)."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


def test_a_read_only_folder_costs_one_line_and_exit_code_2(coco: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    for command in (
        ("build", "--coco-root", coco, "--out", "locked/ad"),
        ("sample", "locked/coco"),
        ("stats", "ad", "--figure", "locked/figure.png"),
        ("show", "ad", "--out", "locked/sheet.png"),
        ("export", "ad", "--layout", "official", "--out", "locked"),
    ):
        if command[0] == "stats":
            run(COCOAD, "build", "--coco-root", coco, "--out", "ad", cwd=tmp_path, check=True)
        done = run(COCOAD, *command, cwd=tmp_path, preexec_fn=without_root_powers)
        assert_no_traceback(done, 2, "Permission denied")
        assert "locked" in done.stderr
    assert list((tmp_path / "locked").iterdir()) == []


def test_annotations_that_may_not_be_read_are_named(coco: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(coco, tmp_path / "coco"))
    (root / "annotations" / "instances_val2017.json").chmod(0)
    done = run(COCOAD, "build", "--coco-root", root, cwd=tmp_path, preexec_fn=without_root_powers)
    assert_no_traceback(done, 2, "instances_val2017.json: Permission denied")


def hear_interrupts() -> None:
    """Undo what a shell does to a test run in the background: ignoring Ctrl-C is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Annotations that take a second or so to build from."""
    root = tmp_path_factory.mktemp("large") / "coco"
    subprocess.run(
        [COCOAD, "sample", root, "--annotations-only", "--train", "3000", "--val", "800"],
        check=True,
        capture_output=True,
    )
    return root


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_command_that_is_stopped_leaves_nothing_whole_and_the_next_one_works(
    large: Path, tmp_path: Path, how: str, jobs: int
) -> None:
    command = [COCOAD, "build", "--coco-root", large, "--allow-missing-images", "--jobs", str(jobs)]
    staging = tmp_path / ".coco-ad.building"
    pipe = {"stderr": subprocess.PIPE, "text": True, "preexec_fn": hear_interrupts}
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **pipe) as process:
        deadline = time.monotonic() + 30
        while not list(staging.glob("masks/*/*.png")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.killpg(process.pid, signal.Signals[how])  # its helpers hear it too
        stderr = process.communicate()[1]
    left = sorted(path.name for path in tmp_path.iterdir())
    if how == "SIGKILL":
        assert (process.returncode, stderr) == (-9, "")
        assert left == [".coco-ad.building", ".coco-ad.lock"]
    else:
        assert (process.returncode, stderr.strip()) == (130, "error: interrupted")
        assert left == []
    run(*command, cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["coco-ad"]
    assert (
        run(COCOAD, "verify", "coco-ad", cwd=tmp_path, env=os.environ | {"COCO_ROOT": str(large)}).returncode
        == 0
    )


def test_output_that_nobody_reads_any_more_is_no_error(coco: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        f"{COCOAD} build --coco-root {coco} && {COCOAD} stats | head -1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
