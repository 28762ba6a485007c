"""What goes wrong, in one clear line each, and the exit code that says which kind it was.

Exit codes of every command: 0 done, 1 findings (the check ran and something is wrong), 2 wrong input or usage,
3 the machine could not do it (disk full, out of memory, a download that failed), 130 interrupted.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_INPUT = 2
EXIT_RESOURCE = 3
EXIT_INTERRUPTED = 130


class CocoadError(Exception):
    """An expected failure: its text is one line that says what, where and what to do.

    ``details`` are lines that belong before it, such as each of the files that it counts.
    """

    exit_code = EXIT_INPUT
    details: Sequence[str] = ()


class InputError(CocoadError):
    """The user's input (a file, an option, a dataset) is not what it must be."""


class ResourceError(CocoadError):
    """The machine cannot do it: no space, no memory, no network, no device."""

    exit_code = EXIT_RESOURCE


def reason(error: Exception, limit: int = 300) -> str:
    """Return an exception's text on one line, cut at ``limit`` characters; its type where it has no text."""
    return " ".join(str(error).split())[:limit] or type(error).__name__


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What no other input would mend: the machine is short of something, or broken.
OF_THE_MACHINE = (
    *FULL, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOLCK, errno.ENOMEM, errno.EAGAIN, errno.ESTALE,
)  # fmt: skip


def of_the_machine(error: OSError) -> bool:
    """Say whether a failure is the machine's own, such as a broken disk, rather than of what was asked for."""
    return error.errno in OF_THE_MACHINE or "No usable temporary directory" in str(error)


def unusable(path: Path, error: OSError) -> CocoadError:
    """Return what to raise when a file cannot be read or written: whose fault it is decides the exit code."""
    kind = ResourceError if of_the_machine(error) else InputError
    return kind(f"{path}: {error.strerror or error}")
