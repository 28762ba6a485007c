"""Training and scoring: InvAD's step beside a literal one, memory-bank methods beside anomalib's, load beside none."""

from __future__ import annotations

import contextlib
import ctypes
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from literal_invad import literal_loss
from table import Bench, Cost, Row, here
from torch import Tensor

from benchmark.config import Recipe, RunConfig
from benchmark.layers.backbone import Backbone
from benchmark.methods.base import Method
from benchmark.methods.invad.method import InvAD, InvADLite
from benchmark.methods.padim import PaDiM
from benchmark.methods.patchcore import PatchCore
from benchmark.metrics import Evaluator
from benchmark.runs.environment import has_native_bf16
from benchmark.training.threads import faster, measured, taking_threads

SIDE, BATCH = 128, 16  # pixels, images
TRAINED, SCORED = 1000, 200  # images at share 1
SAMPLED = 0.1  # of the patches that PatchCore keeps
BACKBONE = "resnet18"
STEPS = 3
M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
GPU = "make performance WITH='--only training'"
SPINNING = "while True: pass"


def measure(bench: Bench) -> Iterator[Row]:
    """Measure on this machine's CPU; on its GPU where there is one."""
    torch.manual_seed(0)
    cpu = torch.device("cpu")
    yield _beside_literal(bench, "InvAD", 1.3, *_steps(InvAD, "wide_resnet50_2", SIDE, 2, cpu))
    yield _beside_literal(bench, "InvADLite", 1.5, *_steps(InvADLite, "resnet34", SIDE, 8, cpu))
    if has_native_bf16():
        halved = _steps(InvADLite, "resnet34", SIDE, 8, cpu, half=True)
        yield _beside_literal(bench, "InvADLite in bf16, as the presets with it train here,", 1.5, *halved)
    yield _beside_busy_processes(bench)
    for name in ("PatchCore", "PaDiM"):
        yield from _beside_anomalib(bench, name)
    yield from _on_a_gpu(bench)


def _beside_literal(
    bench: Bench, name: str, wanted: float, ours: Callable[[], None], literal: Callable[[], None]
) -> Row:
    own, other = bench.turns(partial(here, ours), partial(here, literal))
    return bench.faster(
        f"a training step of {name} {SIDE} px", own, other, wanted, "literal network, float32"
    )


def _steps(
    kind: type[InvAD], backbone: str, side: int, batch: int, device: torch.device, half: bool = False
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return a training step (encoder, loss, gradients, Adam), and that of the literal network, both warm.

    On a GPU ours is compiled; there, and where ``half`` is asked for, it computes in bf16.
    """
    images = torch.rand(batch, 3, side, side, device=device)
    ours, literal = (kind(side, backbone).train().to(device) for _ in range(2))
    literal.to(memory_format=torch.contiguous_format)
    gpu = device.type == "cuda"
    compiled = torch.compile(ours) if gpu else ours

    def own_loss(x: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=half or gpu):
            return compiled(x)  # type: ignore[no-any-return]

    steps = []
    for method, loss in ((ours, own_loss), (literal, partial(literal_loss, literal))):
        optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], 0.004, (0.0, 0.99))

        def step(optimizer: Any = optimizer, loss: Callable[[Tensor], Tensor] = loss) -> None:
            optimizer.zero_grad()
            loss(images).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if gpu:
                torch.cuda.synchronize()

        step()
        steps.append(step)
    return steps[0], steps[1]


def _beside_busy_processes(bench: Bench) -> Row:
    """A few steps of InvAD-lite in processor time, with the threads that a run takes there and then."""
    step, _ = _steps(InvADLite, "resnet34", 64, 8, torch.device("cpu"))
    config = RunConfig("invad-lite", Path(), image_size=64, recipe=Recipe(batch_size=8))
    method, fabric = InvADLite(64, "resnet34"), Fabric(accelerator="cpu")
    taken = []

    def several() -> Cost:
        taken.append(faster(measured(config, method, STEPS, fabric)))
        with taking_threads(taken[-1]):
            return here(lambda: [step() for _ in range(STEPS)])

    def beside() -> Cost:
        busy = [subprocess.Popen([sys.executable, "-c", SPINNING]) for _ in range(2)]
        try:
            return several()
        finally:
            for process in busy:
                process.kill()
                process.wait()

    alone, crowded = bench.turns(several, beside)
    took = ", ".join(map(str, taken))
    what = f"training beside two busy processes, processor time (threads taken, alone and beside in turn: {took})"
    told = f"{crowded.processor:.3g} s", f"{alone.processor:.3g} s (alone)"
    return Row(what, *told, crowded.processor / alone.processor, 1.3)


def _beside_anomalib(bench: Bench, name: str) -> Iterator[Row]:
    """Fit and score the same images on the same backbone, keeping as many patches."""
    train, test = (max(32, round(count * bench.share)) for count in (TRAINED, SCORED))
    what = f"{name}: fit {train:,}, score {test:,} images of {SIDE} px"
    if find_spec("anomalib") is None:
        yield Row(what, "", "anomalib", None, 5, True, "pip install anomalib")
        return
    _keep_large_blocks_apart()
    images, tests, masks = _images(train, test)
    ours: Method
    if name == "PatchCore":
        ours = PatchCore(SIDE, BACKBONE, memory_bank=round(SAMPLED * train * (SIDE // 8) ** 2))
    else:
        ours = PaDiM(SIDE, BACKBONE, dimensions=100)
    theirs = _of_anomalib(name, ours.backbone)
    found: dict[str, list[Tensor]] = {}
    own = here(lambda: found.update(ours=_ours(ours, images, tests)))
    other = here(lambda: found.update(theirs=_theirs(theirs, images, tests)))
    said = []
    for maps in found.values():
        evaluator = Evaluator()
        evaluator.update(torch.cat(maps), masks)
        said.append(100 * (evaluator.compute().metrics["exact"]["pixel_auroc"] or 0.0))
    yield bench.faster(
        what, own, other, 5, "anomalib", f"pixel AUROC {said[0]:.1f}, anomalib's {said[1]:.1f}"
    )


def _keep_large_blocks_apart() -> None:
    """Have the C library map blocks of a megabyte apart: anomalib's coreset keeps a number between every two of them,
    and they pile up to tens of gigabytes."""
    with contextlib.suppress(AttributeError):  # not glibc
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)


def _images(train: int, test: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return waves with noise, to train on and to test on, and masks of the squares that lie in the latter."""
    generator = torch.Generator().manual_seed(0)
    lines = torch.linspace(0, 20, SIDE).sin() * 0.2 + 0.5
    noise = torch.rand(train + test, 3, SIDE, SIDE, generator=generator)
    images = 0.7 * lines + 0.3 * noise
    masks = torch.zeros(test, SIDE, SIDE, dtype=torch.bool)
    masks[::2, 40:80, 30:70] = True
    tests = images[train:]
    tests[::2, :, 40:80, 30:70] = tests[::2, :, 40:80, 30:70].flip(3) * 0.8
    return images[:train], tests, masks


@torch.no_grad()
def _ours(method: Any, images: Tensor, tests: Tensor) -> list[Tensor]:
    method.eval()
    for batch in torch.split(images, BATCH):
        method.fit_batch(batch)
    method.fit_end(torch.Generator().manual_seed(0))
    return [method.predict(batch)[0] for batch in torch.split(tests, BATCH)]


@torch.no_grad()
def _theirs(model: Any, images: Tensor, tests: Tensor) -> list[Tensor]:
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    model.train()
    for batch in torch.split(images, BATCH):
        model((batch - mean) / std)
    if hasattr(model, "subsample_embedding"):
        model.subsample_embedding(SAMPLED)
    else:
        model.fit()
    model.eval()
    return [model((batch - mean) / std).anomaly_map[:, 0] for batch in torch.split(tests, BATCH)]


def _of_anomalib(name: str, backbone: Backbone) -> Any:
    """Return anomalib's model with the same encoder's weights."""
    model: Any
    if name == "PatchCore":
        from anomalib.models.image.patchcore.torch_model import PatchcoreModel

        model = PatchcoreModel(["layer2", "layer3"], BACKBONE, pre_trained=False)
    else:
        from anomalib.models.image.padim.torch_model import PadimModel

        model = PadimModel(BACKBONE, ["layer1", "layer2", "layer3"], pre_trained=False, n_features=100)
    model.feature_extractor.feature_extractor.load_state_dict(backbone.net.state_dict(), strict=False)
    return model


def _on_a_gpu(bench: Bench) -> Iterator[Row]:
    for kind, backbone in ((InvAD, "wide_resnet50_2"), (InvADLite, "resnet34")):
        what = f"a training step of {kind.__name__} on a GPU, 256 px, batch 32, bf16, compiled"
        if not torch.cuda.is_available():
            yield Row(what, "", "literal network, float32", None, 3, True, f"`{GPU}`")
            continue
        ours, literal = _steps(kind, backbone, 256, 32, torch.device("cuda"))
        own, other = bench.turns(partial(here, ours), partial(here, literal))
        yield bench.faster(what, own, other, 3, "literal network, float32")
