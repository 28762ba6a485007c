"""Talking to a person: running a command so that failures are one line, and progress on stderr."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import io
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from cocoad.base.errors import (
    EXIT_INPUT,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_RESOURCE,
    FULL,
    CocoadError,
    of_the_machine,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress
    from rich.table import Table


LACKING = {  # Python's own words of what no input would mend
    "can't start new thread": "no thread could be started: out of memory, or of processes (ulimit -u)",
    "failed to map segment": "out of memory while a package was loaded",
}


@contextlib.contextmanager
def hushed(*names: str) -> Iterator[None]:
    """Let other packages' loggers of these names say nothing below an error while the block runs."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def run_cli(command: click.Command) -> None:
    """Run a click command; expected failures end in one line on stderr and an exit code, no traceback."""
    codecs.register_error("cocoad", _encode_anyway)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="cocoad")
    try:
        code = command.main(standalone_mode=False)
    except CocoadError as error:
        for line in error.details:
            print(path_line(line), file=sys.stderr)
        _die(str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _die("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_OK)
    except MemoryError:
        _die("out of memory", EXIT_RESOURCE)
    except (ImportError, RuntimeError) as error:
        said = next((said for lack, said in LACKING.items() if lack in str(error)), None)
        if said is None:
            raise
        _die(said, EXIT_RESOURCE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = "; free some space and run the same command again" if error.errno in FULL else ""
        code = EXIT_RESOURCE if of_the_machine(error) else EXIT_INPUT
        _die(f"{where}{error.strerror or error}{hint}", code)
    finally:  # all is done: Ctrl-C no longer interrupts what other packages tidy up at the exit
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    sys.exit(code if isinstance(code, int) else EXIT_OK)


@contextlib.contextmanager
def stopped_like_interrupted() -> Iterator[None]:
    """Have a termination or a closed terminal end the block as Ctrl-C does, unless it is ignored (`nohup`)."""
    process = os.getpid()
    heard = [name for name in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(name) == signal.SIG_DFL]

    def interrupt(number: int, frame: object) -> None:
        if os.getpid() != process:
            return  # a helper, which inherits this: its parent answers for it
        for name in heard:  # once: `timeout` sends it twice, and the second would interrupt the tidying up
            signal.signal(name, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored below a shell's "&"
        signal.raise_signal(signal.SIGINT)  # rather than the exception itself, which a fork may hold back

    for name in heard:
        signal.signal(name, interrupt)
    try:
        yield
    finally:
        for name in heard:
            signal.signal(name, signal.SIG_DFL)


def progress(quiet: bool = False, auto_refresh: bool = True) -> Progress:
    """Return a rich progress display on stderr; it shows nothing if ``quiet`` or if stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    console.quiet = quiet or not console.is_terminal  # else older riches end it with an empty line
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=console.quiet, auto_refresh=auto_refresh)


def show(*renderables: RenderableType) -> None:
    """Print rich tables and texts on stdout: fitted to a terminal, or plain and as wide as need be."""
    from rich.console import Console
    from rich.table import Table

    from cocoad.base.tables import fitted

    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=1000)
    parts = [
        part for one in renderables for part in (fitted(one, console) if isinstance(one, Table) else [one])
    ]
    with console.capture() as capture:
        console.print(*parts, sep="\n", markup=False, crop=False)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def plain_table(**options: Any) -> Table:
    """Return an empty rich table that looks as all of ours do; ``options`` are rich's own."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", **options)


def one_line(text: str) -> str:
    """Return ``text`` from a file that anybody may have made without line breaks and control characters."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def path_line(text: str) -> str:
    """Do as `one_line`, but keep bytes of a path that are not UTF-8: for the terminal, not for a file."""
    return "".join(mark if mark.isprintable() or _is_byte(mark) else " " for mark in text)


def next_line(*command: object) -> str:
    """Return the line that names the next command, quoted so that it works as it stands."""
    return f"next: {shlex.join(map(str, command))}"


@contextlib.contextmanager
def progress_callback(quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function (what is being done, how much of it, of how much) that moves one bar of `progress`."""
    with progress(quiet, auto_refresh=False) as bar:  # no thread, so that work may fork
        task = bar.add_task("", total=None)
        shown = 0.0

        def advance(what: str, done: int, total: int) -> None:
            nonlocal shown
            bar.update(task, description=what, completed=done, total=total)
            if done in (0, total) or time.monotonic() - shown > 0.1:
                bar.refresh()
                shown = time.monotonic()

        yield advance


def _die(message: str, code: int) -> None:
    print(f"error: {path_line(message)}", file=sys.stderr)
    sys.exit(code)


def _encode_anyway(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode a character that a stream's encoding lacks: a byte of a path as that byte, any other as "?"."""
    assert isinstance(error, UnicodeEncodeError)
    mark = error.object[error.start]
    return (mark.encode("ascii", "surrogateescape") if _is_byte(mark) else b"?"), error.start + 1


def _is_byte(mark: str) -> bool:
    """Say whether a character stands for a byte of a path that is not UTF-8."""
    return "\udc80" <= mark <= "\udcff"
