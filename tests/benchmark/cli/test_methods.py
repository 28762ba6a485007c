"""`bench methods`."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from click.testing import CliRunner

from benchmark.cli.methods import command
from benchmark.methods.catalogue import catalogue
from benchmark.methods.registry import BUILT_IN


def test_every_built_in_method_is_listed_with_its_source() -> None:
    rows = json.loads(CliRunner().invoke(command, ["--json"], catch_exceptions=False).output)
    ours = {row["name"]: row for row in rows if row["package"] == "cocoad"}
    assert set(ours) == set(BUILT_IN)
    assert ours["invad"]["training"] == "100 epochs, adam"
    assert ours["patchcore"]["training"] == "one pass"
    assert all(row["source"] for row in rows)


def test_the_table_names_them_too() -> None:
    printed = CliRunner().invoke(command, [], catch_exceptions=False).output
    assert "Learning Feature Inversion" in printed
    assert "mean-image" in printed


def test_the_page_of_the_documentation_holds_the_table() -> None:
    root = Path(__file__).resolve().parents[3]
    script = runpy.run_path(str(root / "docs" / "scripts" / "methods.py"))
    page = (root / "docs" / "reference" / "methods.md").read_text("utf-8")
    assert page.endswith(f"{script['table'](catalogue())}\n")
    assert page.count("\n| `") > len(BUILT_IN)
