"""Files that appear whole or not at all: who may read them, and which paths are taken."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocoad.base.errors import InputError
from cocoad.base.files import clear_partials, inside, is_partial, naming, open_atomic, write_atomic


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_the_umask_says_who_may_read_a_file_however_it_is_written(umask: int, tmp_path: Path) -> None:
    with open_atomic(tmp_path / "result") as temporary:
        assert temporary.stat().st_mode & 0o777 == 0o666 & ~umask
        temporary.unlink()  # as safetensors does
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    assert (tmp_path / "result").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("name", ["a" * 240, "a" * 250 + ".json", "ä" * 127, "a." + "b" * 240])
def test_every_name_that_the_file_system_takes_can_be_written(tmp_path: Path, name: str) -> None:
    write_atomic(tmp_path / name, b"data")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_temporary_begins_and_ends_as_its_file_does(tmp_path: Path) -> None:
    with open_atomic(tmp_path / "step-000000012.safetensors") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".step-000000012.")
        assert temporary.suffix == ".safetensors"


def fail_to_write(path: Path) -> None:
    with open_atomic(path) as temporary:
        temporary.write_bytes(b"ne")
        raise RuntimeError


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"old")
    with pytest.raises(RuntimeError):
        fail_to_write(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("path", ["", ".", "folder"])
def test_a_directory_is_not_written_to_as_if_it_were_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a directory: give the path of a file"):
        write_atomic(Path(path), b"data")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_a_file_system_that_syncs_no_directory_is_written_to_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomic(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_failure_that_names_no_file_names_the_one_that_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path / 'result'}'"):
        write_atomic(tmp_path / "result", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_that_names_a_file_keeps_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as failed, naming(tmp_path):
        (tmp_path / "gone").read_bytes()
    assert failed.value.filename == str(tmp_path / "gone")


@given(st.text(alphabet="ab./\\\0", max_size=9))
def test_a_path_from_strangers_is_refused_or_stays_below_its_root(relative: str) -> None:
    parts = relative.split("/")
    if parts[0] == "" or ".." in parts or {"\\", "\0"} & set(relative):
        with pytest.raises(InputError, match="unsafe path"):
            inside(Path("/root"), relative)
    else:
        assert Path(os.path.normpath(inside(Path("/root"), relative))).is_relative_to("/root")


def test_what_a_killed_writer_left_is_known_and_nothing_else_is_cleared(tmp_path: Path) -> None:
    target = tmp_path / "a.long-name-of-a-file.json"
    with open_atomic(target) as temporary:
        left = temporary.with_name(temporary.name)
        data = temporary.read_bytes()
    left.write_bytes(data)
    others = [tmp_path / name for name in (".a.json", ".b.0123456789abcdef.partial.json", "a.partial.json")]
    for path in others:
        path.touch()
    assert [is_partial(path) for path in (left, *others)] == [True, False, True, False]
    clear_partials(target)
    assert sorted(tmp_path.iterdir()) == sorted([target, *others])
