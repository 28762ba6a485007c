"""One process at a time: the lock, who is told, and what outlives a killed process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cocoad.base import locks
from cocoad.base.errors import InputError
from cocoad.base.locks import FOREVER, is_locked, locked

HOLD = """
import os, sys, time
from pathlib import Path
from cocoad.base.locks import locked
with locked(Path(sys.argv[1]), busy="no"):
    if len(sys.argv) > 2 and os.fork() == 0:
        os.close(1)
        time.sleep(60)
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def holder(path: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(path), *more]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, start_new_session=True, **streams) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


def test_a_file_is_held_by_one_process_and_free_when_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    with holder(path) as process:
        assert is_locked(path)
        with pytest.raises(InputError, match="busy here"), locked(path, busy="busy here"):
            pytest.fail("held twice")
        process.kill()
        process.wait()
        assert not is_locked(path)
        with locked(path, busy="busy"):
            pass


def test_what_a_killed_process_leaves_running_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path, "with a helper that outlives it") as process:
        process.kill()
        process.wait()
        assert not is_locked(path)


def test_a_process_stops_itself_too_and_asking_does_not_end_its_hold(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, busy="busy"):
        assert is_locked(path)
        with pytest.raises(InputError, match="busy"), locked(path, busy="busy"):
            pytest.fail("held twice")
        code = "import sys; from pathlib import Path; from cocoad.base.locks import is_locked"
        command = [sys.executable, "-c", f"{code}; sys.exit(is_locked(Path(sys.argv[1])))", str(path)]
        assert subprocess.run(command).returncode == 1
    assert not is_locked(path)


def test_the_file_is_gone_afterwards_where_that_is_asked_for(tmp_path: Path) -> None:
    with locked(tmp_path / "kept", busy="busy"), locked(tmp_path / "gone", busy="busy", remove=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_who_waits_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    monkeypatch.setattr(locks, "_SAID_AFTER_S", 0.0)
    with holder(path) as process:
        assert process.stdin is not None
        real = locks.time.sleep
        monkeypatch.setattr(locks.time, "sleep", lambda s: (process.kill(), process.wait(), real(s)))
        with locked(path, busy="busy", patience_s=FOREVER, waiting="waiting for it"):
            pass
    assert capsys.readouterr().err == "waiting for it\n"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_stops_nobody_and_is_told_of_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    monkeypatch.setattr(locks, "_lockless", set())
    for name in ("a", "b"):
        with locked(tmp_path / name, busy="busy"):
            pass
    assert capsys.readouterr().err.count("\n") == 1
