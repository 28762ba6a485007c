"""Looks at the test set during a training, on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.runs.evaluations import EVALUATIONS_FILE, Look, read_evaluations, write_evaluations
from cocoad.base.errors import InputError

LOOK = Look(1, 209, {"ader": {"image_auroc": 0.5, "aupro": None}}, {"bottle": {"ader": {"image_auroc": 0.5}}})


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    assert read_evaluations(tmp_path) == []
    write_evaluations(tmp_path, [LOOK, LOOK])
    assert read_evaluations(tmp_path) == [LOOK, LOOK]
    assert LOOK.of_classes("ader") == {"bottle": {"image_auroc": 0.5}}


@pytest.mark.parametrize("content", [b"{", b"[]\n", b'{"epoch": "one"}\n', b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / EVALUATIONS_FILE).write_bytes(content)
    with pytest.raises(InputError, match="not a run's evaluations"):
        read_evaluations(tmp_path)
