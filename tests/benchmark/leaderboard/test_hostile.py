"""Records that anybody may have made: one of them never breaks the table for all."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmark.leaderboard.board import leaderboard
from benchmark.runs.listing import details, states, states_table
from benchmark.runs.record import read_record, record_hash
from cocoad.base.console import show

FORGED: dict[str, dict[str, Any]] = {
    "more images than a number holds": {"dataset": {"train_normal": 2**63}},
    "fewer than none": {"dataset": {"test_normal": -1}},
    "a network beyond any machine": {"method": {"parameters": 10**400}},
    "a metric above 1": {"metrics": {"ader": {"mad": 1.5}}},
    "a metric below 0": {"metrics": {"ader": {"mad": -0.5}}},
    "a time beyond the universe": {"cost": {"train_seconds": 1e300}},
    "no protocol": {"metrics": {}},
    "an empty group": {"per_group": {"category:x": {}}},
    "an empty class": {"per_class": {"a": {}, "b": {}}},
}
ODD: dict[str, dict[str, Any]] = {
    "no metric": {"metrics": {"ader": {}}},
    "an unknown protocol": {"metrics": {"mine": {"mad": 0.5}}},
    "a date that is none": {"finished_at": "yesterday"},
    "options of lists": {"method": {"options": {"a": [1, {"b": None}]}}},
    "no environment": {"environment": {}},
}


def forge(directory: Path, change: dict[str, dict[str, Any]]) -> None:
    """Change a record and give it the hash of what it says now, as anybody can."""
    path = directory / "result.json"
    values = json.loads(path.read_bytes())
    for name, value in change.items():
        values[name] = {**values[name], **value} if name in ("dataset", "method", "cost") else value
    values["sha256"] = record_hash({**values, "sha256": ""})
    path.write_text(json.dumps(values))


@pytest.mark.parametrize("name", FORGED)
def test_what_cannot_be_is_refused_and_the_others_ranked(make_run: Any, name: str) -> None:
    run = make_run("a", "rd", 0.4)
    forge(make_run("b", "vitad", 0.6), FORGED[name])
    board = leaderboard([run.parent])
    assert [entry.label for ranking in board.rankings() for entry in ranking.entries] == ["rd"]
    assert [refused.directory.name for refused in board.rejected] == ["b"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("form", ["csv", "md", "latex", "table"])
def test_what_is_odd_breaks_no_table(make_run: Any, name: str, form: Any, capsys: Any) -> None:
    run = make_run("a", "rd", 0.4)
    odd = make_run("b", "vitad", 0.6)
    forge(odd, ODD[name])
    text = leaderboard([run.parent]).text(form)
    assert "rd" in text.lower()
    show(states_table(states([run.parent])), *details(odd, read_record(odd)))


def test_escapes_in_names_never_reach_the_terminal_or_a_file(
    make_run: Any, tmp_path: Path, capsys: Any
) -> None:
    evil = "x\x1b]0;title\x07\x1b[31m\u202e\n"
    run = make_run("a", f"m{evil}", 0.4, dataset={"name": f"d{evil}", "layout": evil, "classes": [evil]},
                   environment={evil: evil}, method_info={"backbone": evil, "weights": evil})  # fmt: skip
    board = leaderboard([run])
    texts = [board.text(form) for form in ("csv", "md", "latex", "table", "bib")]  # type: ignore[arg-type]
    show(states_table(states([run])), *details(run, read_record(run)))
    for text in [*texts, capsys.readouterr().out, board.text("table", width=80).replace("\x1b[0m", "")]:
        assert "\x1b]" not in text
        assert "\x07" not in text
        assert "\u202e" not in text


def test_a_csv_holds_no_cell_that_a_spreadsheet_would_run(make_run: Any) -> None:
    formulas = ["=cmd|'/c calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1"]
    for index, formula in enumerate(formulas):
        run = make_run(str(index), formula, dataset={"name": formula}, environment={formula: formula})
    text = leaderboard([run.parent]).csv()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert "'=cmd|'/c calc'!A0" in cells


def test_a_record_of_a_class_with_a_semicolon_or_of_none_is_ranked(make_run: Any) -> None:
    run = make_run("a", "rd", dataset={"classes": ["a;b", ""]})
    make_run("b", "rd", dataset={"classes": [], "of_classes": ["x"], "per_class": True})
    assert len(leaderboard([run.parent]).rankings()) == 2
    assert msgspec.json.decode((run / "result.json").read_bytes())["dataset"]["classes"] == ["a;b", ""]
