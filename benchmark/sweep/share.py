"""A run's share of the machine: which device and cores are its own, and that it ends with the sweep that started it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from cocoad.base.errors import InputError, ResourceError

CORES = "COCOAD_CORES"  # of a run's process: the cores it may use, as 0,1
LAUNCHED = "TORCHELASTIC_RUN_ID"  # which torchrun gives to what it starts
LOOK_S = 1.0  # between two looks for whether torchrun is there
ORPHANS_GRACE_S = 5.0  # for what it started to stop by itself
WATCHES = "COCOAD_ENDS_WITH_STDIN"  # its standard input is a pipe that closes when the sweep is gone
GRACE_S = 30.0  # for a run to stop by itself once its sweep is gone


@dataclass(frozen=True)
class Share:
    """A part of this machine in which one run at a time takes place."""

    name: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


WHOLE = Share()


def shares(devices: str | None, device: str | None) -> list[Share]:
    """Divide the machine: one part for each device, each with as many cores as any other.

    Args:
        devices: ``all``, or numbers as ``0,1,2,3``; None: one part, the whole machine.
        device: what the runs were told to take place on. With ``cpu`` the numbers count parts of the processor.

    Raises:
        InputError: not such a list.
        ResourceError: there is no such GPU.
    """
    if devices is None:
        return [WHOLE]
    names = [name.strip() for name in devices.split(",")]
    if devices != "all" and (not all(name.isdecimal() for name in names) or len(set(names)) < len(names)):
        raise InputError(f"--devices {devices}: write all, or numbers as 0,1,2,3, each once")
    if device == "cpu":
        if devices == "all":
            raise InputError("--devices all counts GPUs: with --device cpu say how many runs at once, as 0,1")
        return [Share(f"cpu {name}", cores) for name, cores in zip(names, _cores(len(names)), strict=True)]
    visible = _visible_gpus()
    if devices == "all":
        names = [str(index) for index in range(len(visible))]
    if not names or (beyond := [name for name in names if int(name) >= len(visible)]):
        wanted = f"no GPU {beyond[0]} here: there are {len(visible)}" if names else "there is no GPU here"
        raise ResourceError(f"--devices {devices}: {wanted}; with --device cpu, 0,1 is two runs at once")
    return [
        Share(f"gpu {name}", {"CUDA_VISIBLE_DEVICES": visible[int(name)], **cores})
        for name, cores in zip(names, _cores(len(names)), strict=True)
    ]


def _visible_gpus() -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES would say of each GPU."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    count = torch.cuda.device_count()
    return given[:count] if given[0] else [str(index) for index in range(count)]


def _cores(parts: int) -> list[dict[str, str]]:
    """Return the environment that gives each of ``parts`` runs its cores; where there are too few they share."""
    cores = sorted(os.sched_getaffinity(0))
    each = max(1, len(cores) // parts)
    found = []
    for part in range(parts):
        own = [cores[(part * each + index) % len(cores)] for index in range(each)]
        threads = os.environ.get("OMP_NUM_THREADS", str(each))
        found.append({CORES: ",".join(map(str, own)), "OMP_NUM_THREADS": threads})
    return found


def take_share() -> None:
    """Keep to the cores that this process was given, and end with the sweep or the torchrun that started it."""
    if cores := os.environ.get(CORES):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    if os.environ.pop(WATCHES, None):
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    elif LAUNCHED in os.environ:
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_stdin() -> None:
    """Wait until the pipe's other end is gone, however the sweep ended."""
    while os.read(0, 1):
        pass
    _stop(GRACE_S)


def _end_with_parent(parent: int) -> None:
    """Wait until the parent is gone, however it ended: while its children look for each other they would for long."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    _stop(ORPHANS_GRACE_S)


def _stop(grace_s: float) -> None:
    """Stop as at Ctrl-C, or after a while at once."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(grace_s)
    os._exit(1)
