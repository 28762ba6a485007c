"""What both command lines promise: examples that are right, one spelling for one thing, quick starts."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmark.cli import bench
from cocoad.base.commands import LazyGroup, one_split, splits_of
from cocoad.base.console import run_cli
from cocoad.base.errors import InputError
from cocoad.cli import cocoad

GROUPS = {"cocoad": cocoad, "bench": bench}
COMMANDS = [(group, name) for group, owner in GROUPS.items() for name in owner.summaries]  # type: ignore[attr-defined]
EXAMPLE = "    {} "  # how one begins in a help page
ROOT = Path(__file__).resolve().parents[1]


def help_of(group: str, name: str) -> str:
    return CliRunner().invoke(GROUPS[group], [name, "--help"], catch_exceptions=False).output


@pytest.mark.parametrize(("group", "name"), COMMANDS)
def test_every_help_has_examples_that_parse_exit_codes_and_a_page_that_exists(group: str, name: str) -> None:
    lines = help_of(group, name).splitlines()
    examples = [shlex.split(line, comments=True) for line in lines if line.startswith(EXAMPLE.format(group))]
    assert examples
    for words in examples:
        ends = [index for index, word in enumerate(words) if word in ("|", ">")]
        words = words[: ends[0]] if ends else words
        assert words[:2] == [group, name]
        command = GROUPS[group].get_command(click.Context(GROUPS[group]), name)
        assert command is not None
        command.make_context(name, words[2:])
    assert any(line.startswith("  Exit codes: 0 done") for line in lines)
    (page,) = [line.split()[-1] for line in lines if line.startswith("  Documentation: ")]
    assert (ROOT / page).is_file()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["run", "--force"], "--overwrite"),
        (["sweep", "--force"], "--overwrite"),
        (["score", "--force"], "--overwrite"),
        (["sweep", "--splits", "all"], "--split"),
        (["show", "--run", "runs/a"], "comes first"),
        (["predict", "--run=runs/a", "x.png"], "comes first"),
        (["export", "--run", "runs/a", "--format", "onnx"], "comes first"),
        (["export", "runs/a", "--format", "onnx"], "ONNX"),
    ],
)
def test_an_old_spelling_answers_in_one_line_with_the_new_one(words: list[str], answer: str) -> None:
    error = CliRunner().invoke(bench, words).exception
    assert isinstance(error, InputError)
    assert answer in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("words", "splits"),
    [
        ([], ()),
        (["--split", "2"], (2,)),
        (["--split", "0,2"], (0, 2)),
        (["--split", "2", "--split", "0,2"], (2, 0)),
        (["--split", "all"], (0, 1, 2, 3)),
    ],
)
@pytest.mark.parametrize(
    ("group", "name", "more"),
    [
        ("cocoad", "build", ["--coco-root", "x"]),
        ("cocoad", "show", []),
        ("bench", "run", []),
        ("bench", "sweep", []),
        ("bench", "cache", []),
        ("bench", "dataset", ["x"]),
        ("bench", "score", []),
    ],
)
def test_splits_are_said_in_the_same_ways_everywhere(
    words: list[str], splits: tuple[int, ...], group: str, name: str, more: list[str]
) -> None:
    command = GROUPS[group].get_command(click.Context(GROUPS[group]), name)
    assert command is not None
    if name == "build" and "all" in words:
        splits = ()  # as many as the partition has
    assert command.make_context(name, [*more, *words]).params["splits"] == splits


@pytest.mark.parametrize("text", ["4", "x", "0,", "-1", "ALL"])
def test_a_split_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="there are 0, 1, 2, 3 and all"):
        splits_of(text, range(4))


def test_a_command_for_one_split_refuses_several() -> None:
    assert (one_split(()), one_split((3,))) == (0, 3)
    with pytest.raises(InputError, match="one split at a time here, not 1, 2"):
        one_split((1, 2))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left", "x"), 3),
        (OSError(errno.EMFILE, "Too many open files", "x"), 3),
        (OSError(errno.EIO, "Input/output error", "x"), 3),
        (OSError(errno.ENOLCK, "No locks available", "x"), 3),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 2),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2),
    ],
)
def test_the_machines_own_faults_have_an_exit_code_of_their_own(
    error: OSError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command
    def command() -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["command"])
    with pytest.raises(SystemExit) as ended:
        run_cli(command)
    assert ended.value.code == code
    assert capsys.readouterr().err.count("\n") == 1


def test_a_machine_without_a_temporary_folder_is_at_fault_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command
    def command() -> None:
        tempfile.gettempdir()

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    monkeypatch.setattr(sys, "argv", ["command"])
    with pytest.raises(SystemExit) as ended:
        run_cli(command)
    assert ended.value.code == 3


def test_verbose_says_where_in_the_code_an_error_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    result = CliRunner().invoke(bench, ["--verbose", "show", "nowhere"])
    assert isinstance(result.exception, InputError)
    assert "read_record" in result.stderr
    assert "read_record" not in CliRunner().invoke(bench, ["show", "nowhere"]).stderr


HEAVY = {"torch", "timm", "torchvision", "pandas", "matplotlib", "lightning_fabric", "rich.console", "PIL"}
OF_BOTH = [["--help"], ["--version"], ["show", "--help"], ["export", "--help"]]
OF_BENCH = [["run", "--help"], ["sweep", "--help"], ["predict", "--help"], ["reproduce", "--help"]]


@pytest.mark.parametrize(
    ("package", "words"),
    [*(("cocoad", words) for words in OF_BOTH), *(("benchmark", words) for words in OF_BOTH + OF_BENCH)],
)
def test_help_imports_nothing_heavy(package: str, words: list[str]) -> None:
    code = f"import sys, {package}.cli as c\ntry: c.main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=ROOT
    )
    heavy = HEAVY if package == "cocoad" else HEAVY | {"cv2", "numpy"}
    assert not heavy & set(done.stderr.split())


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    environment = {**os.environ, "FORCE_COLOR": "1", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "benchmark", "methods"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "\x1b[3" not in done.stdout
    assert isinstance(bench, LazyGroup)
