"""What all bench commands share."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmark.cli import bench
from cocoad.base.errors import ResourceError


@pytest.mark.parametrize(
    ("words", "kind"), [("DefaultCPUAllocator: can't allocate", ResourceError), ("a bug", RuntimeError)]
)
def test_running_out_of_memory_anywhere_is_one_line_and_a_bug_stays_a_bug(
    words: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr("benchmark.training.runner.settled", fail)
    result = CliRunner().invoke(bench, ["run", "--method", "mean-image"])
    assert isinstance(result.exception, kind)
