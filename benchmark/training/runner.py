"""One run: a configuration becomes a run directory with weights, scores, curves and a signed record."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from benchmark.config import RunConfig
from benchmark.datasets import AnomalyDataset, load_dataset
from benchmark.datasets.batches import TestImages, TrainImages
from benchmark.methods.base import Method
from benchmark.methods.registry import create, method_class
from benchmark.metrics import Evaluation
from benchmark.outputs import write_curves, write_previews, write_scores
from benchmark.record import (
    CONFIG_FILE,
    FORMAT_VERSION,
    RESULT_FILE,
    WEIGHTS_FILE,
    Cost,
    DatasetInfo,
    MethodInfo,
    Record,
    Status,
    read_record,
    write_record,
    write_status,
)
from benchmark.training.environment import environment, peak_memory_bytes
from benchmark.training.evaluate import evaluate
from benchmark.training.fit import fit
from cocoad.errors import InputError, ResourceError
from cocoad.files import open_atomic, sha256_file, write_atomic

if TYPE_CHECKING:
    from rich.progress import Progress

NAMED_WEIGHTS = ("imagenet", "offline", "random")


def run_directory(config: RunConfig, dataset_name: str, out: Path) -> Path:
    """Return where a run's files go: ``out/METHOD_DATASET[_split-K]_seed-S``."""
    split = "" if config.split is None else f"_split-{config.split}"
    return out / f"{config.method}_{dataset_name}{split}_seed-{config.seed}"


def run(config: RunConfig, out: Path, *, force: bool = False, progress: Progress | None = None) -> Path:
    """Train and score as ``config`` says; return the run directory. A finished run of it is kept unless ``force``.

    Raises:
        InputError: the dataset, the method or its options are not what they must be, or a finished run of
            another configuration is there.
        ResourceError: no such device, or weights that could not be downloaded.
    """
    config = _resolved(config)
    dataset = load_dataset(
        config.dataset,
        layout=config.layout,
        split=config.split,
        classes=config.classes,
        coco_root=config.coco_root,
    )
    config = dataclasses.replace(config, split=dataset.split)
    directory = run_directory(config, dataset.name, out)
    if (directory / RESULT_FILE).is_file() and not force:
        if read_record(directory).config == _plain(config):
            return directory
        raise InputError(f"{directory} holds a run of another configuration: give --force, or another --out")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / RESULT_FILE).unlink(missing_ok=True)
    write_atomic(directory / CONFIG_FILE, yaml.safe_dump(_plain(config), sort_keys=False).encode())
    try:
        _train_and_score(config, dataset, directory, progress)
    except BaseException as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        write_status(directory, Status("failed", epochs=config.recipe.epochs, message=message))
        raise
    write_status(directory, Status("finished", config.recipe.epochs, config.recipe.epochs))
    return directory


def _resolved(config: RunConfig) -> RunConfig:
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise ResourceError("there is no CUDA device here: give --device cpu")
    recipe = config.recipe
    if device == "cpu":  # reduced precision gains nothing there
        recipe = dataclasses.replace(recipe, precision="32-true")
    backbone = config.backbone or method_class(config.method).default_backbone
    return dataclasses.replace(config, device=device, recipe=recipe, backbone=backbone)


def _plain(config: RunConfig) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, tuple):
            return list(value)
        return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value

    values: dict[str, Any] = plain(dataclasses.asdict(config))
    return values


def _train_and_score(
    config: RunConfig, dataset: AnomalyDataset, directory: Path, progress: Progress | None
) -> None:
    device, recipe, size = torch.device(config.device), config.recipe, config.image_size
    workers = config.workers if config.workers is not None else min(8, (os.cpu_count() or 1) - 1)
    torch.manual_seed(config.seed)
    method = create(config.method, size, config.backbone, **config.method_options)
    method.load_backbones(config.weights)
    method.to(device)
    epochs = recipe.epochs
    write_status(directory, Status("running", 0, epochs, pid=os.getpid()))
    training = progress.add_task("training", total=epochs) if progress else None

    def on_epoch(done: int, loss: float) -> None:
        write_status(directory, Status("running", done, epochs, pid=os.getpid()))
        if progress and training is not None:
            progress.update(training, completed=done, description=f"training, loss {loss:.4g}")

    started = time.perf_counter()
    images = TrainImages(dataset.train, size)
    loading: dict[str, Any] = {"device": device, "workers": workers}
    seen = fit(method, images, recipe, seed=config.seed, directory=directory, on_epoch=on_epoch, **loading)
    trained = time.perf_counter()
    scoring = progress.add_task("scoring", total=len(dataset.test)) if progress else None

    def on_batch(images: int) -> None:
        if progress and scoring is not None:
            progress.advance(scoring, images)

    test, batch = TestImages(dataset.test, size), recipe.batch_size
    evaluator, scores, previews = evaluate(
        method, test, dataset.test, batch_size=batch, on_batch=on_batch, **loading
    )
    evaluation = evaluator.compute()
    scored = time.perf_counter()
    with open_atomic(directory / WEIGHTS_FILE) as temporary:
        save_file({key: value.contiguous().cpu() for key, value in method.state_dict().items()}, temporary)
    write_scores(directory, scores)
    write_curves(directory, evaluator.curves())
    write_previews(directory, previews.maps, previews.masks)
    cost = Cost(
        train_seconds=trained - started,
        test_seconds=scored - trained,
        train_images_per_s=seen / (trained - started),
        test_images_per_s=len(dataset.test) / (scored - trained),
        peak_memory_bytes=peak_memory_bytes(),
        peak_gpu_memory_bytes=torch.cuda.max_memory_allocated() if device.type == "cuda" else None,
    )
    write_record(directory, _record(config, dataset, method, evaluation, cost, device))


def _record(
    config: RunConfig,
    dataset: AnomalyDataset,
    method: Method,
    evaluation: Evaluation,
    cost: Cost,
    device: torch.device,
) -> Record:
    parameters = list(method.parameters())
    anomalous = sum(sample.label for sample in dataset.test)
    weights = config.weights
    if weights not in NAMED_WEIGHTS:
        weights = f"{Path(weights).name} sha256:{sha256_file(Path(weights))[:8]}"
    return Record(
        format="cocoad-run",
        format_version=FORMAT_VERSION,
        method=MethodInfo(
            name=config.method,
            backbone=config.backbone,
            weights=weights,
            parameters=sum(parameter.numel() for parameter in parameters),
            trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
            gmacs=_gmacs(method, config.image_size, device),
            options=config.method_options,
        ),
        dataset=DatasetInfo(
            name=dataset.name,
            layout=dataset.layout,
            split=dataset.split,
            hash=dataset.hash,
            image_size=config.image_size,
            classes=list(dataset.classes),
            train_normal=len(dataset.train),
            test_normal=len(dataset.test) - anomalous,
            test_anomalous=anomalous,
        ),
        seed=config.seed,
        preset=config.preset,
        epochs=config.recipe.epochs,
        metrics=_defined(evaluation.metrics),
        per_class={name: _defined(found) for name, found in evaluation.per_class.items()},
        per_group={name: _defined(found) for name, found in evaluation.per_group.items()},
        undefined=dict(evaluation.undefined),
        flags=list(evaluation.flags),
        cost=cost,
        environment=environment(device),
        config=_plain(config),
        finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _defined(by_protocol: Mapping[Any, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        protocol: {name: None if math.isnan(value) else float(value) for name, value in metrics.items()}
        for protocol, metrics in by_protocol.items()
    }


@torch.no_grad()
def _gmacs(method: Method, size: int, device: torch.device) -> float:
    """Return 1e9 multiply–accumulates of scoring one image (a multiply and an add are two FLOPs)."""
    with FlopCounterMode(display=False) as counter:
        method.anomaly_maps(torch.zeros(1, 3, size, size, device=device))
    return float(counter.get_total_flops()) / 2e9
