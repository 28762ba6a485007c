"""What the real command prints: one line whatever files say, in any encoding, and next steps that work."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cocoad.base.console import next_line, one_line, path_line, stopped_like_interrupted
from cocoad.build.builder import build_dataset
from cocoad.build.report import BuildReport, describe
from cocoad.dataset.manifest import BuildOptions
from cocoad.sample import draw_sample

COCOAD = Path(sys.executable).with_name("cocoad")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder whose name needs quoting, with a drawn COCO in it."""
    draw_sample(tmp_path / "my →data" / "coco", train=24, val=24, size=64)
    return tmp_path / "my →data"


def cocoad(cwd: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    surroundings = {name: value for name, value in os.environ.items() if name != "COCO_ROOT"} | environment
    command = [str(COCOAD), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=surroundings, capture_output=True, timeout=60)


def next_of(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """Return the words of the command that was named last, as a shell takes them."""
    assert done.returncode == 0, done.stderr
    last = done.stdout.decode().splitlines()[-1]
    assert last.startswith("next: ")
    return shlex.split(last.removeprefix("next: "))


def test_a_path_keeps_its_bytes_and_loses_what_moves_a_terminal() -> None:
    assert os.fsencode(path_line("a\nb\x1b[31m\udcff→")) == b"a b [31m\xff" + "→".encode()
    assert one_line("a\nb\x1b[31m\udcff→") == "a b [31m →"


@pytest.mark.parametrize("hint", ["no\nwhere", "\x1b[31mnowhere"])
def test_what_a_file_says_is_one_plain_line_of_an_error(place: Path, hint: str) -> None:
    build_dataset(place / "coco", place / "coco-ad")
    (place / "coco-ad" / "coco-root.txt").write_text(hint)
    done = cocoad(place, "show")
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: the COCO root ")
    assert (done.stderr.count(b"\n"), done.stderr.count(b"\x1b")) == (1, 0)


def test_a_path_of_several_lines_is_one_line_of_the_verdict(place: Path) -> None:
    build_dataset(place / "coco", place / "two\nlines\x1b")
    verdict = cocoad(place, "verify", "two\nlines\x1b").stdout.splitlines()[0]
    assert verdict == b"two lines  is sound"


def test_a_note_of_several_lines_is_one_line_of_a_build() -> None:
    notes = ["v\n\x1b.json: 1 images share their file with another one"]
    report = BuildReport("a\nb", "coco-ad", 1.0, BuildOptions(), 0, {}, notes, [])
    lines = describe(report).splitlines()
    assert lines[1] == "note: v  .json: 1 images share their file with another one"
    assert lines[2].startswith("built a b in")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_no_encoding_makes_output_fail(place: Path, encoding: str) -> None:
    build_dataset(place / "coco", place / "ad →\udcff")
    (place / "ad →\udcff" / "mine.txt").touch()
    said = cocoad(place, "verify", "ad →\udcff", PYTHONIOENCODING=encoding)
    assert (said.returncode, said.stderr) == (0, b"")
    arrow = "→".encode(encoding, "replace")
    assert b"ad " + arrow + b"\xff is sound, 1 warning" in said.stdout
    failed = cocoad(place, "verify", "no →\udcff", PYTHONIOENCODING=encoding)
    assert failed.returncode == 2
    assert failed.stderr.startswith(b"error: no " + arrow + b"\xff holds neither dataset.json")


def test_json_is_utf_8_in_any_encoding(place: Path) -> None:
    latin = {"PYTHONIOENCODING": "latin-1"}
    built = cocoad(place, "build", "--coco-root", "coco", "--out", "→", "--json", **latin)
    assert '"out": "→"'.encode() in built.stdout
    assert (
        cocoad(place, "stats", "→", "--json", **latin).stdout == cocoad(place, "stats", "→", "--json").stdout
    )


def test_what_a_sample_names_next_works_as_it_stands(place: Path) -> None:
    sample = ("sample", place / "a b", "--train", 4, "--val", 4, "--size", 64)
    assert next_of(cocoad(place, *sample)) == ["cocoad", "build", "--coco-root", str(place / "a b")]
    only = next_of(cocoad(place, "sample", "b's", "--train", 4, "--val", 4, "--annotations-only"))
    assert cocoad(place, *only[1:]).returncode == 0


def test_what_verify_names_next_has_a_split_that_is_there_and_the_root_that_was_given(place: Path) -> None:
    build_dataset(place / "coco", place / "a b", splits=[2, 3])
    run = ["bench", "run", "--method", "invad", "--split", "2", "--dataset", "a b"]
    assert next_of(cocoad(place, "verify", "a b")) == run
    assert next_of(cocoad(place, "verify", "a b", "--coco-root", "coco")) == [*run, "--coco-root", "coco"]
    cocoad(place, "export", "a b", "--layout", "official", "--out", "coco")
    assert next_of(cocoad(place, "verify", "coco")) == [*run[:-1], "coco"]


def test_verify_names_nothing_next_where_no_image_is_at_hand(place: Path) -> None:
    build_dataset(place / "coco", place / "ad")
    (place / "coco").rename(place / "elsewhere")
    unchecked = cocoad(place, "verify", "ad")
    assert b"is sound, 1 warning" in unchecked.stdout
    cocoad(place, "sample", "bare", "--train", 24, "--val", 24, "--annotations-only")
    cocoad(place, "build", "--coco-root", "bare", "--out", "absent", "--allow-missing-images")
    absent = cocoad(place, "verify", "absent")
    assert b"is sound, 1 warning" in absent.stdout
    assert b"next:" not in unchecked.stdout + absent.stdout


@pytest.mark.parametrize("text", [b"[1", b'{"format": "cocoad-dataset"}'])
def test_verify_names_nothing_next_of_what_is_no_dataset(place: Path, text: bytes) -> None:
    (place / "ad").mkdir()
    (place / "ad" / "dataset.json").write_bytes(text)
    done = cocoad(place, "verify", "ad")
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.splitlines()[-1].startswith(b"ad is not sound: 1 error")


def test_words_are_quoted_only_where_a_shell_needs_it() -> None:
    assert next_line("cocoad", "verify", Path("a b"), 2) == "next: cocoad verify 'a b' 2"


def stop(name: signal.Signals) -> str:
    """Send a signal to this process; return what became of it."""
    try:
        with stopped_like_interrupted():
            os.kill(os.getpid(), name)
    except KeyboardInterrupt:
        return "interrupted"
    return "went on"


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGHUP])
def test_being_stopped_is_an_interrupt_unless_it_is_ignored(name: signal.Signals) -> None:
    interrupt = signal.getsignal(signal.SIGINT)
    before = signal.signal(name, signal.SIG_DFL)  # the tests themselves may run below `nohup`
    try:
        assert stop(name) == "interrupted"
        assert signal.getsignal(name) == signal.SIG_DFL
        signal.signal(name, signal.SIG_IGN)  # as `nohup` does
        assert stop(name) == "went on"
    finally:
        signal.signal(name, before)
        signal.signal(signal.SIGINT, interrupt)
