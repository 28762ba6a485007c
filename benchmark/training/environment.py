"""What a result was made with: versions, device and commit."""

from __future__ import annotations

import platform
import resource
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from cocoad import __version__

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "opencv-python-headless")
OPTIONAL = ("anomalib", "lightning")  # recorded where they are installed: they train some of the methods
CPU_INFO, DRIVER_VERSION = Path("/proc/cpuinfo"), Path("/sys/module/nvidia/version")


def environment(device: torch.device) -> dict[str, Any]:
    """Return the tool's and packages' versions, the machine, the device, its driver and the git commit."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "cocoad": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES}
        | {name: found for name in OPTIONAL if (found := _version(name))},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "device": device.type,
        "gpu": gpu,
        "cuda": torch.version.cuda if gpu else None,
        "driver": _text(DRIVER_VERSION) if gpu else None,
        "threads": torch.get_num_threads(),
        "commit": _commit(),
    }


def peak_memory_bytes() -> int:
    """Return the most memory this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _cpu() -> str:
    """Return the processor's name as Linux gives it, or its architecture."""
    names = (
        line.partition(":")[2].strip()
        for line in (_text(CPU_INFO) or "").splitlines()
        if "model name" in line
    )
    return next(names, "") or platform.machine()


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _version(package: str) -> str | None:
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
