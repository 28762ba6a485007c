"""The tutorial's notebook runs as it stands, and what is stored in it is what running it shows."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "notebook_script", ROOT / "docs" / "scripts" / "notebook.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def shown(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """Return the kinds of output of each cell of code."""
    return [
        [kind for output in cell.outputs for kind in sorted(output.get("data", {}))]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
def test_the_notebook_runs_from_sample_to_report_and_shows_what_is_stored(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = script.executed(tmp_path)
    assert (tmp_path / "report" / "index.html").is_file()
    assert shown(notebook) == shown(nbformat.read(script.NOTEBOOK, as_version=4))


def test_the_stored_notebook_has_pictures_and_no_errors_and_is_small(script: ModuleType) -> None:
    stored = nbformat.read(script.NOTEBOOK, as_version=4)
    kinds = [kind for cell in shown(stored) for kind in cell]
    assert kinds.count("image/jpeg") == 2
    assert kinds.count("text/html") >= 4
    outputs = [output for cell in stored.cells if cell.cell_type == "code" for output in cell.outputs]
    assert all(output.output_type == "execute_result" for output in outputs)
    assert script.NOTEBOOK.stat().st_size < 300_000
