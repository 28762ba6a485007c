"""What a person waits for: a command's first sign of life, the pixel cache, scoring, predicting."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from table import Bench, Cost, Row, command, drawn, here, tool

from benchmark.datasets import load_dataset
from benchmark.datasets.cache import CachedRows, PixelCache, cache_of
from benchmark.datasets.cut import Cut

SIDE = 256  # pixels that a network sees
CACHED = 128  # pixels, of the cache
OF_COCO = 640  # pixels, of images as large as COCO's
IMAGES = 100, 100  # of these, to train on, to score
SCORED = 4952  # images of COCO-AD's test set, drawn at share 1
BAR = "━".encode()
BENCH = "from benchmark.cli import main; main()"


def measure(bench: Bench) -> Iterator[Row]:
    """Measure on a drawn sample."""
    os.environ["COCOAD_CACHE"] = str(bench.work / "home")
    data = drawn(bench.work / "drawn", *IMAGES, OF_COCO)
    libraries = lambda: command(sys.executable, "-c", "import torch, timm")  # noqa: E731
    run = ("run", "--dataset", data, "--image-size", 64, "--weights", "random", "--method")
    cache = ("--cache", bench.work / "first")
    first, imports = bench.turns(
        lambda: _to_the_first_bar(*run, "rd", "--backbone", "resnet18", *cache, "--out", bench.work / "r"),
        libraries,
    )
    yield bench.dearer("`bench run` to its first bar", first, imports, 1.5, "`import torch, timm`")
    (refused,) = bench.turns(lambda: tool("benchmark", *run, "rdd", codes=(2,)))
    seconds = bench.seconds(refused)
    yield Row("`bench run` to the error of a wrong option", bench.told(refused), "–", seconds, 0.5, unit="s")
    yield from _pixels(bench, data)


def _to_the_first_bar(*words: object) -> Cost:
    """Run ``bench`` on a terminal until a bar is there, and stop it."""
    started = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(COLUMNS="120", TERM="xterm-256color")
        os.execv(sys.executable, [sys.executable, "-c", BENCH, *map(str, words)])
    seen = b""
    with contextlib.suppress(OSError):  # it ended
        while BAR not in seen:
            seen += os.read(terminal, 4096)
    clock = time.perf_counter() - started
    os.kill(child, signal.SIGKILL)
    usage = os.wait4(child, 0)[2]
    os.close(terminal)
    if BAR not in seen:
        raise SystemExit(seen.decode(errors="replace"))
    return Cost(clock, usage.ru_utime + usage.ru_stime)


def _pixels(bench: Bench, data: Path) -> Iterator[Row]:
    dataset = load_dataset(data)
    samples = [*dataset.train, *dataset.test]
    homes = iter(range(1000))
    filled: list[PixelCache] = []

    def fill() -> None:
        filled.append(cache_of(data, samples, CACHED, bench.work / f"pixels{next(homes)}"))
        filled[-1].fill(samples, 0)

    def decode() -> None:
        for sample in samples:
            with Image.open(sample.image) as image:
                np.asarray(image.convert("RGB").resize((CACHED, CACHED), Image.Resampling.BILINEAR))

    ours, theirs = bench.turns(lambda: here(fill), lambda: here(decode))
    size = f"{len(samples):,} images of {OF_COCO} to {CACHED} px, one process"
    yield bench.faster(f"pixel cache, {size}", ours, theirs, 0.9, "Pillow")
    yield from _scoring(bench)


def _scoring(bench: Bench) -> Iterator[Row]:
    import torch

    from benchmark.methods.registry import create
    from benchmark.training.evaluate import Scoring, evaluate

    data = drawn(bench.work / "scored", 40, max(32, round(SCORED * bench.share)), CACHED)
    test = load_dataset(data).test
    cache = cache_of(data, test, CACHED, bench.work / "test-pixels")
    cache.fill(test, 0)
    rows = CachedRows(cache, test)
    method = create("mean-image", CACHED, None)
    scoring = Scoring(Cut(test, test), rows, CACHED, 32, torch.device("cpu"), workers=0)

    def read() -> None:
        for indices in scoring.order():
            np.ascontiguousarray(rows.rows(indices)).sum(dtype=np.int64)

    def score() -> None:
        evaluate(method, scoring, lambda done: None).evaluator.compute()

    ours, theirs = bench.turns(lambda: here(score), lambda: here(read))
    what = f"scoring {len(test):,} images of {CACHED} px with mean-image"
    yield bench.dearer(what, ours, theirs, 5, "reading their cache once")
    yield from _predicting(bench, rows)


def _predicting(bench: Bench, rows: CachedRows) -> Iterator[Row]:
    import torch

    from benchmark.inference.exported import load_onnx
    from benchmark.inference.model import Model
    from benchmark.inference.onnx import export_onnx
    from benchmark.inference.trained import TrainedModel
    from benchmark.methods.registry import create

    method = create("invad-lite", SIDE, "resnet18").eval()
    model = TrainedModel(method, torch.device("cpu"), name="invad-lite", image_size=SIDE)
    file = bench.work / "model.onnx"
    export_onnx(model, file)
    exported = load_onnx(file)
    image = Image.fromarray(rows.rows([0])[0]).resize((SIDE, SIDE))
    pixels = torch.rand(1, 3, SIDE, SIDE)

    def forward() -> None:
        with torch.inference_mode():
            method.anomaly_maps(pixels)

    def session() -> None:
        exported.session.run(["maps", "scores"], {"images": pixels.numpy()})

    sides: list[tuple[str, Model, Callable[[], None]]]
    sides = [("predict", model, forward), ("predict in onnxruntime", exported, session)]
    for name, one, network in sides:
        one.predict(image)
        network()
        ours, theirs = bench.turns(partial(here, partial(one.predict, image)), partial(here, network))
        yield bench.dearer(f"{name} of an image at {SIDE} px, second call", ours, theirs, 1.3, "the network")
