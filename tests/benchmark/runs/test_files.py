"""A record binds the files beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmark.runs.files import check_file, clear_leftovers, file_hashes
from benchmark.runs.outputs import read_curves, read_previews, read_scores, write_curves
from benchmark.runs.record import read_record, write_record
from cocoad.base.errors import InputError

READERS: dict[str, Callable[[Path], Any]] = {
    "scores.csv": read_scores, "curves.json": read_curves, "previews.npz": read_previews,
}  # fmt: skip


@pytest.fixture
def bound(make_scored_run: Any) -> Path:
    """A run whose record tells of its files."""
    directory: Path = make_scored_run("a")
    write_curves(directory, {"roc": [0.0, 1.0]})
    write_record(directory, msgspec.structs.replace(read_record(directory), files=file_hashes(directory)))
    return directory


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_was_changed_after_the_run_is_refused_in_one_line(name: str, bound: Path) -> None:
    READERS[name](bound)
    path = bound / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(InputError, match="was changed after the run") as error:
        READERS[name](bound)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_maps_are_bound_as_a_whole(bound: Path) -> None:
    (bound / "maps" / "test").mkdir(parents=True)
    (bound / "maps" / "test" / "1.npz").write_bytes(b"one")
    before = file_hashes(bound)["maps"]
    (bound / "maps" / "test" / "2.npz").write_bytes(b"two")
    assert file_hashes(bound)["maps"] != before


def test_files_of_a_run_without_hashes_are_taken_as_they_are(make_scored_run: Any) -> None:
    directory = make_scored_run("a")
    (directory / "scores.csv").write_text("anything")
    check_file(directory, "scores.csv")


def test_only_unfinished_files_are_cleared(tmp_path: Path) -> None:
    for name in (".lock", ".scores.0123456789abcdef.partial.csv", ".tmp3Xq", "scores.csv"):
        (tmp_path / name).touch()
    clear_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "scores.csv"}
