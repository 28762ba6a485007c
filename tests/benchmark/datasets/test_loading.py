"""Helpers that load: their order, their errors, their end; and that they need no shared memory."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmark.datasets.loading import loaded
from cocoad.base.errors import InputError, ResourceError

ORDER = [[index, index + 1] for index in range(0, 20, 2)]


def squares(indices: Sequence[int]) -> np.ndarray:
    return np.array(indices) ** 2


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order_whoever_fetched_them(workers: int) -> None:
    found = list(loaded(squares, ORDER, workers))
    np.testing.assert_array_equal(np.concatenate(found), np.arange(20) ** 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_expected_error_comes_out_as_it_was(workers: int) -> None:
    def fetch(indices: Sequence[int]) -> np.ndarray:
        if 4 in indices:
            raise InputError("the fifth is bad")
        return squares(indices)

    with pytest.raises(InputError, match=r"^the fifth is bad$"):
        list(loaded(fetch, ORDER, workers))


def test_an_error_that_nobody_expected_is_told_with_where_it_was() -> None:
    def fetch(indices: Sequence[int]) -> int:
        return 1 // 0

    with pytest.raises(RuntimeError, match=r"in a loader process: (?s:.*)ZeroDivisionError"):
        list(loaded(fetch, ORDER, 1))


def test_a_helper_that_is_killed_ends_the_loading_with_its_reason() -> None:
    def fetch(indices: Sequence[int]) -> np.ndarray:
        if 6 in indices:
            os.kill(os.getpid(), signal.SIGKILL)
        return squares(indices)

    with pytest.raises(ResourceError, match=r"a loader process died .killed by SIGKILL.: out of memory"):
        list(loaded(fetch, ORDER, 2))


LARGE = """
import numpy as np
from benchmark.datasets.loading import loaded
def fetch(indices):
    return np.full((4, 1 << 20), indices[0], np.uint8)
for index, rows in enumerate(loaded(fetch, ([number] for number in range(20)), 2)):
    assert (rows == index).all()
print(index)
"""


@pytest.mark.parametrize("size", ["4k", "0"])
def test_results_of_any_size_come_with_next_to_no_shared_memory(size: str, tmp_path: Path) -> None:
    """As in a container, whose /dev/shm is small; ``size`` 0: it cannot be written at all."""
    options = "ro" if size == "0" else f"size={size}"
    mount = f"mount -t tmpfs -o {options} tmpfs /dev/shm"
    unshare = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, mount], check=False).returncode:
        pytest.skip("no namespace of its own may be made here")
    (tmp_path / "large.py").write_text(LARGE)
    command = f"{mount} && {sys.executable} {tmp_path / 'large.py'}"
    assert subprocess.run([*unshare, command], check=True, capture_output=True, text=True).stdout == "19\n"


def test_an_abandoned_loading_leaves_no_process() -> None:
    def fetch(indices: Sequence[int]) -> int:
        return os.getpid()

    loading = loaded(fetch, ORDER, 2)
    helpers = {next(loading), next(loading)}
    loading.close()
    assert not any(Path(f"/proc/{number}").exists() for number in helpers)


def test_helpers_hold_no_lock_of_their_parent(tmp_path: Path) -> None:
    def fetch(indices: Sequence[int]) -> list[str]:
        return [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.exists()]

    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for files in loaded(fetch, ORDER, 2):
            assert str(tmp_path / "lock") not in files


KILLED = """
import os, sys, time
from benchmark.datasets.loading import loaded
def fetch(indices):
    with open(sys.argv[1], "a") as file:
        print(os.getpid(), file=file)
    time.sleep(0.02)
    return indices
for _ in loaded(fetch, ([index] for index in range(10**6)), 2):
    pass
"""


def test_helpers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "helpers"
    file.touch()
    with subprocess.Popen([sys.executable, "-c", KILLED, str(file)]) as parent:
        while len(set(file.read_text().split())) < 2:
            time.sleep(0.01)
        parent.kill()
    helpers = set(map(int, file.read_text().split()))
    while any(alive(number) for number in helpers):  # the suite's own limit ends a test that waits for ever
        time.sleep(0.01)


def alive(number: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except FileNotFoundError:
        return False
