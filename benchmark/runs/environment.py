"""What a result was made with: versions, machine and commit. Who trains adds its device."""

from __future__ import annotations

import platform
import resource
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cocoad import __version__

SCORING = ("numpy", "pillow", "opencv-python-headless")  # packages that every score hangs on
CPU_INFO = Path("/proc/cpuinfo")


def environment(packages: Iterable[str] = ()) -> dict[str, Any]:
    """Return the tool's version, those of the packages that score and of more, the machine and the git commit."""
    return {
        "cocoad": __version__,
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in (*packages, *SCORING)},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "commit": _commit(),
    }


def has_native_bf16() -> bool:
    """Say whether this processor computes in bfloat16 rather than emulating it."""
    flags = (text_of(CPU_INFO) or "").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def peak_memory_bytes() -> int:
    """Return the most memory this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _cpu() -> str:
    """Return the processor's name as Linux gives it, or its architecture."""
    names = (
        line.partition(":")[2].strip()
        for line in (text_of(CPU_INFO) or "").splitlines()
        if "model name" in line
    )
    return next(names, "") or platform.machine()


def text_of(path: Path) -> str | None:
    """Return a small file's text without surrounding blanks; None where it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def version_of(package: str) -> str | None:
    """Return the version of an installed package, None where it is not."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of the clone that this code lies in, with ``-dirty`` where it was changed since."""
    if (
        _git("ls-files", "--error-unmatch", Path(__file__).name) is None
    ):  # installed, perhaps within another repository
        return None
    return _git("describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")


def _git(*arguments: str) -> str | None:
    command = ["git", *arguments]
    folder = Path(__file__).parent
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
