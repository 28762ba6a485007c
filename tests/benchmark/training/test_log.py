"""TensorBoard on request."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmark.training.log import TensorBoard
from cocoad.base.errors import InputError


def test_without_tensorboard_one_line_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"pip install '\.\[tensorboard\]' in a clone"):
        TensorBoard(tmp_path)
