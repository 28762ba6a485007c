"""One process at a time in a run's directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.runs.lock import held, is_held
from cocoad.base.errors import InputError


def test_a_second_process_is_refused_until_the_first_one_is_gone_even_killed(
    tmp_path: Path, held_elsewhere: Any
) -> None:
    directory = tmp_path / "run"
    assert not is_held(directory)
    with held_elsewhere(directory):
        assert is_held(directory)
        with pytest.raises(InputError, match="run is being written by another process"), held(directory):
            pytest.fail("held twice")
    assert not is_held(directory)
    with held(directory):
        pass
