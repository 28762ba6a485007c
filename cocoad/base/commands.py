"""The skeleton of both command lines: one file per command, imported when it is called."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from cocoad.base.errors import CocoadError, InputError

Command = TypeVar("Command", bound=Callable[..., Any])

DIRECTORY = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
EXIT_CODES = (
    "Exit codes: 0 done; 1 the check ran and something is wrong; 2 wrong input; 3 this machine cannot do it "
    "(disk, memory, network, device); 130 interrupted."
)


class LazyGroup(click.Group):
    """A group whose command NAME is ``command`` in the module ``PACKAGE.NAME``, with ``_`` for ``-``.

    Such a module may also hold ``EXAMPLES``, command lines that its help shows, and ``PAGE``, where the
    documentation of it is.

    Args:
        package: holds a module for each command.
        summaries: the commands' names, in the order of the help, each with its line there.
    """

    def __init__(self, *args: Any, package: str, summaries: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, context_settings=SETTINGS, **options)
        self.package, self.summaries = package, summaries
        self.params.append(
            click.Option(["-v", "--verbose"], is_flag=True, help="Say where in the code an error comes from.")
        )

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.summaries:
            return None
        module = importlib.import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        command.name = cmd_name
        command.epilog = _epilog(getattr(module, "EXAMPLES", ()), getattr(module, "PAGE", None))
        return command

    def invoke(self, ctx: click.Context) -> Any:
        verbose = ctx.params.pop("verbose", False)
        try:
            return super().invoke(ctx)
        except CocoadError:
            if verbose:
                traceback.print_exc()
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))


def splits_of(text: str, known: Sequence[int] | None, others: bool = False) -> tuple[int, ...]:
    """Return the splits that a person wrote as ``0``, ``0,2`` or ``all``, each once.

    Args:
        known: the numbers of all splits; None: that depends, so that ``all`` is none in particular.
        others: take other numbers as well, which datasets of one's own may have.

    Raises:
        InputError: there is no such split.
    """
    asked = [name.strip() for name in text.split(",")]
    if known is None:
        known = sorted({int(name) for name in asked if name.isdecimal()}) if "all" not in asked else ()
        if not all(name == "all" or name.isdecimal() for name in asked):
            raise InputError(f"no split {text!r}: give numbers, as 0 or 0,2, or all")
        if not known:
            return ()
    names = {str(split): split for split in known}
    if others:
        names |= {name: int(name) for name in asked if name.isdecimal()}
    if unknown := [name for name in asked if name != "all" and name not in names]:
        raise InputError(f"no split {unknown[0]!r}: there are {', '.join(names)} and all")
    found = (known if name == "all" else [names[name]] for name in asked)
    return tuple(dict.fromkeys(split for some in found for split in some))


def split_option(
    known: Sequence[int] | None, default: str, others: bool = False
) -> Callable[[Command], Command]:
    """Make the option ``--split``: ``0``, ``0,2`` or ``all``, and repeatable.

    The command's parameter ``splits`` is a tuple of numbers, empty when the option was not given.

    Args:
        known: the numbers of all splits; None: that depends on a partition.
        default: what the help says of the option left out.
        others: take other numbers as well, which datasets of one's own may have.
    """

    def numbers(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> tuple[int, ...]:
        return splits_of(",".join(value), known, others) if value else ()

    numbers_known = f"{known[0]} … {known[-1]}" if known else "A number"
    text = f"{numbers_known}, several as 0,2, or all; may be repeated.  [default: {default}]"
    return click.option("--split", "splits", multiple=True, metavar="SPLITS", callback=numbers, help=text)


def one_split(splits: Sequence[int], default: int = 0) -> int:
    """Return the only split of a command that takes one at a time.

    Raises:
        InputError: there are several.
    """
    if len(splits) > 1:
        raise InputError(f"one split at a time here, not {', '.join(map(str, splits))}")
    return splits[0] if splits else default


def renamed(old: str, new: str) -> Callable[[Command], Command]:
    """Have the old spelling of an option answer, in one line, with what to write now."""

    def refuse(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise InputError(f"{old} is no longer an option: {new}")

    name = f"was_{old.lstrip('-').replace('-', '_')}"  # none of its own: the new option may have that
    return click.option(
        old,
        name,
        hidden=True,
        expose_value=False,
        is_eager=True,
        is_flag=False,
        flag_value="",
        callback=refuse,
    )


JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
QUIET = click.option("-q", "--quiet", is_flag=True, help="No progress.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace what is there.")


def _epilog(examples: Sequence[str], page: str | None) -> str:
    """Return what a command's help ends with; ``\\b`` keeps click from joining lines."""
    parts = ["\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)] if examples else []
    parts.append(EXIT_CODES)
    if page:
        parts.append(f"Documentation: {page}")
    return "\n\n".join(parts)
