"""``bench leaderboard`` as a person types it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from benchmark.cli import bench


def call(*words: object) -> Any:
    return CliRunner().invoke(bench, ["leaderboard", *map(str, words)], catch_exceptions=True)


def test_it_prints_a_table_of_the_runs_under_a_folder(make_run: Any) -> None:
    run = make_run("a", "invad", 0.5)
    result = call(run.parent)
    assert result.exit_code == 0, result.output
    assert re.search(r"invad +50\.0 +native", result.stdout)


def test_it_writes_every_format_to_a_file(make_run: Any, tmp_path: Path) -> None:
    run = make_run("a", "invad", 0.5)
    marks = {
        "csv": "source,trust,method",
        "md": "| Method |",
        "latex": r"\toprule",
        "bib": "@misc{zhang2024invad",
        "table": "Method",
    }
    for form, mark in marks.items():
        out = tmp_path / f"board.{form}"
        result = call(run.parent, "--format", form, "--out", out)
        assert result.exit_code == 0, result.output
        assert mark in out.read_text()
        assert result.stdout == ""


def test_an_edited_record_is_named_left_out_and_turns_the_exit_code_to_1(
    make_run: Any, edit_record: Any
) -> None:
    run = make_run("a", "invad", 0.5)
    bad = make_run("b", "cheat", 0.5)
    edit_record(bad, seed=7)
    result = call(run.parent)
    assert result.exit_code == 1
    assert "cheat" not in result.stdout
    assert "invad" in result.stdout
    assert f"left out: {bad / 'result.json'}: its content does not match its hash" in result.stderr


def test_a_record_of_another_version_or_not_of_the_format_is_named(make_run: Any, edit_record: Any) -> None:
    run = make_run("a", "invad", 0.5)
    edit_record(make_run("old"), format_version=99)
    edit_record(make_run("wrong"), metrics="none")
    result = call(run.parent)
    assert result.exit_code == 1
    assert "record version 99" in result.stderr
    assert "wrong/result.json: not a run record" in result.stderr


def test_only_refused_records_give_no_ranking_and_exit_code_1(make_run: Any, edit_record: Any) -> None:
    run = make_run("a")
    edit_record(run, seed=7)
    for form in ("table", "csv", "md", "latex"):
        result = call(run.parent, "--format", form)
        assert result.exit_code == 1, result.output
        assert "Traceback" not in result.output


def test_wrong_input_is_one_line_and_exit_code_2(tmp_path: Path, make_run: Any) -> None:
    run = make_run("a")
    for words, message in [
        ([tmp_path / "nowhere"], "no such folder"),
        ([], "name a folder of runs"),
        ([run, "--sort", "nonsense"], "unknown column 'nonsense'"),
        ([run, "--metrics", "nonsense"], "unknown name 'nonsense'"),
        ([run, "--where", "method=rd"], "nothing to rank"),
        (["--published", "--protocol", "exact"], "no rows under the protocol exact"),
    ]:
        program = "import sys; from benchmark.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "leaderboard", *map(str, words)], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_an_unfinished_run_is_said_to_be_left_out(make_run: Any) -> None:
    run = make_run("a")
    (make_run("b") / "result.json").unlink()
    result = call(run.parent)
    assert result.exit_code == 0
    assert "1 unfinished run(s)" in result.stderr


def test_ranking_needs_no_torch(make_run: Any) -> None:
    run = make_run("a")
    program = (
        "import sys; from benchmark.cli import bench; "
        f"bench.main(['leaderboard', {str(run)!r}, '--published'], standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
