"""Hashes of files: remembered as long as a file is surely the same, and bound to what it holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.datasets import filefacts
from benchmark.datasets.filefacts import FileFacts
from cocoad.base.errors import InputError
from cocoad.base.files import sha256_bytes, sha256_file


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The files that were read, in a cache folder of their own, where any file counts as settled."""
    seen: list[Path] = []

    def reading(file: Path) -> str:
        seen.append(file)
        return sha256_file(file)

    monkeypatch.setattr(filefacts, "sha256_file", reading)
    monkeypatch.setattr(filefacts, "SETTLED_NS", -(10**12))
    monkeypatch.setenv("COCOAD_CACHE", str(tmp_path / "cache"))
    return seen


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    root = tmp_path / "data"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.bmp").write_bytes(bytes([number]) * 100)
    return sorted(root.iterdir())


def test_a_file_is_read_once(files: list[Path], read: list[Path]) -> None:
    for _ in range(2):
        facts = FileFacts(files[0].parent, files)
        assert [facts.sha256(file) for file in files] == [sha256_bytes(bytes([n]) * 100) for n in range(3)]
    assert sorted(read) == files


def test_a_file_replaced_by_one_of_its_size_and_time_is_read_again(
    files: list[Path], read: list[Path]
) -> None:
    FileFacts(files[0].parent, files)
    before = files[1].stat()
    for replace in ("in place", "by another file"):
        read.clear()
        target = files[1] if replace == "in place" else files[1].with_suffix(".new")
        target.write_bytes(replace[:1].encode() * 100)
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
        target.replace(files[1])
        assert FileFacts(files[0].parent, files).sha256(files[1]) == sha256_bytes(replace[:1].encode() * 100)
        assert read == [files[1]]


def test_a_file_that_has_just_changed_is_not_remembered(
    files: list[Path], read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filefacts, "SETTLED_NS", 10**15)
    for _ in range(2):
        FileFacts(files[0].parent, files)
    assert len(read) == 6


@pytest.mark.parametrize("content", [b"nonsense\n", b"\xff\xfe", b"1.2.3.4.5\tshort\t0\n"])
def test_a_damaged_memory_is_forgotten(
    content: bytes, files: list[Path], read: list[Path], tmp_path: Path
) -> None:
    FileFacts(files[0].parent, files)
    (memory,) = (tmp_path / "cache/files").iterdir()
    memory.write_bytes(content)
    read.clear()
    assert FileFacts(files[0].parent, files).sha256(files[2]) == sha256_bytes(b"\2" * 100)
    assert len(read) == 3


def test_without_a_place_to_remember_in_all_is_read_each_time(
    files: list[Path], read: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    for _ in range(2):
        FileFacts(files[0].parent, files)
    assert len(read) == 6


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.bmp: No such file"):
        FileFacts(tmp_path, [tmp_path / "gone.bmp"])
