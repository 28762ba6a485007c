"""One run: a configuration becomes a run directory with weights, scores, curves and a record."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import yaml
from lightning_fabric import Fabric

from benchmark.config import RunConfig, to_plain, with_effect
from benchmark.datasets import AnomalyDataset, load_dataset
from benchmark.datasets.loading import loader_workers
from benchmark.datasets.look import look
from benchmark.methods.base import Method
from benchmark.methods.registry import create, facts_of
from benchmark.metrics import undefined_said
from benchmark.runs.environment import peak_memory_bytes
from benchmark.runs.identity import check_finished, resolved, run_directory
from benchmark.runs.lock import held
from benchmark.runs.outputs import write_curves, write_previews, write_scores
from benchmark.runs.record import (
    CONFIG_FILE,
    MAPS_DIR,
    RESULT_FILE,
    TENSORBOARD_DIR,
    TRAIN_LOG_FILE,
    Cost,
    Status,
    read_record,
    write_record,
)
from benchmark.training.checkpoint import delete_checkpoints
from benchmark.training.data import RunPixels
from benchmark.training.evaluate import Scored, evaluate
from benchmark.training.fit import Fitted, fit
from benchmark.training.processes import barrier, launched, set_determinism
from benchmark.training.recording import record_of, weights_name
from benchmark.training.reporter import Reporter
from benchmark.training.weights import load_checkpoint, save_weights
from cocoad.base.errors import ResourceError
from cocoad.base.files import write_atomic

if TYPE_CHECKING:
    from rich.progress import Progress


def run(
    config: RunConfig,
    out: Path,
    *,
    force: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train and score as ``config`` says; return the run directory. A finished run of it is kept unless ``force``.

    With ``resume`` an interrupted run goes on from its last checkpoint; without, it starts again. What is wrong
    with the dataset, the method or its weights is said before anything is written.

    Raises:
        InputError: the dataset, the method or its options are not what they must be, or a run of another
            configuration is there, or another process writes there.
        ResourceError: no such device, weights that could not be downloaded, or out of memory.
    """
    config = settled(config)
    dataset = load_dataset(
        config.dataset,
        layout=config.layout,
        split=config.split,
        classes=config.classes,
        coco_root=config.coco_root,
        test_share=config.test_share,
    )
    config = dataclasses.replace(config, split=dataset.split)
    directory = run_directory(config, dataset.name, out)
    if not force and (directory / RESULT_FILE).is_file():
        check_finished(directory, read_record(directory), config, facts_of(config.method), dataset.hash)
        return directory
    fabric = launched(config)
    method, weights = _method(config, dataset)
    notes = _looked_at(config, dataset) if fabric.global_rank == 0 else []
    barrier()  # until all have looked: the first one changes the directory now
    first = fabric.global_rank == 0
    with held(directory) if first else contextlib.nullcontext():
        if first:
            _prepare(directory, config, resume)
        barrier()
        reporter = Reporter(directory, config.recipe.epochs, progress, speaks=first)
        for note in notes:
            reporter.warn(note)
        try:
            _train_and_score(config, dataset, method, weights, directory, fabric, resume, reporter)
        except Exception as error:
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            reporter.status(Status("failed", epochs=config.recipe.epochs, message=message))
            raise
        reporter.status(Status("finished", config.recipe.epochs, config.recipe.epochs))
        barrier()
    return directory


def _looked_at(config: RunConfig, dataset: AnomalyDataset) -> list[str]:
    """Look at all masks, and at all images unless the pixel cache will decode them; return what is odd.

    Raises:
        InputError: some cannot be read.
    """
    used = dataset.test if config.eval_only else dataset.train + dataset.test
    samples = [sample for sample in used if sample.mask is not None or not config.use_cache]
    workers = loader_workers(config.workers)
    size, pixels = config.image_size, not config.use_cache
    return [*dataset.notes, *look(config.dataset, samples, image_size=size, pixels=pixels, workers=workers)]


def settled(config: RunConfig) -> RunConfig:
    """Return ``config`` as it will be run here: with its device, precision and backbone decided.

    Raises:
        ResourceError: there is no such device.
        InputError: there is no such method, or nothing to evaluate.
    """
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise ResourceError("there is no CUDA device here: give --device cpu")
    return resolved(dataclasses.replace(config, device=device), facts_of(config.method))


def _prepare(directory: Path, config: RunConfig, resume: bool) -> None:
    """Make room for a run: what an earlier one left must not be taken for this one's."""
    (directory / RESULT_FILE).unlink(missing_ok=True)
    for maps in (directory / MAPS_DIR, _unfinished_maps(directory)):
        shutil.rmtree(maps, ignore_errors=True)
    if not resume:
        delete_checkpoints(directory)
        (directory / TRAIN_LOG_FILE).unlink(missing_ok=True)
        shutil.rmtree(directory / TENSORBOARD_DIR, ignore_errors=True)
    write_atomic(directory / CONFIG_FILE, yaml.safe_dump(to_plain(config), sort_keys=False).encode())


def _unfinished_maps(directory: Path) -> Path:
    return directory / f".{MAPS_DIR}.partial"


def _train_and_score(
    config: RunConfig,
    dataset: AnomalyDataset,
    method: Method,
    weights: str,
    directory: Path,
    fabric: Fabric,
    resume: bool,
    reporter: Reporter,
) -> None:
    device, first = fabric.device, fabric.global_rank == 0
    method.to(device)
    pixels = RunPixels(config, dataset, reporter.warn, reporter.on_images)
    fitted = None
    if not config.eval_only:
        identity = {**with_effect(to_plain(config)), "dataset_hash": dataset.hash}
        fitted = fit(
            method,
            pixels.source(dataset.train, device),
            config,
            fabric,
            directory=directory,
            identity=identity,
            resume=resume,
            listener=reporter,
            warn=reporter.warn,
        )
    if first:
        save_weights(directory, method, config, dataset)
    started = time.perf_counter()
    scored = _score(config, dataset, method, pixels, fabric, directory, reporter)
    if not first:
        return
    with undefined_said(reporter.warn):
        evaluation = scored.evaluator.compute()
    seconds = time.perf_counter() - started
    write_scores(directory, scored.scores)
    write_curves(directory, scored.evaluator.curves())
    write_previews(directory, scored.previews.maps, scored.previews.masks)
    cost = _cost(fitted, seconds, len(dataset.test), device)
    write_record(directory, record_of(config, dataset, method, weights, evaluation, cost, device))
    delete_checkpoints(directory)


def _method(config: RunConfig, dataset: AnomalyDataset) -> tuple[Method, str]:
    """Return the method with its weights, on the host, and what a record says of them."""
    set_determinism(config)
    torch.manual_seed(config.seed)
    method = create(config.method, config.image_size, config.backbone, **config.method_options)
    if config.checkpoint is None:
        method.load_backbones(config.weights)
    else:
        load_checkpoint(config.checkpoint, method, config, dataset)
    return method, weights_name(config)


def _score(
    config: RunConfig,
    dataset: AnomalyDataset,
    method: Method,
    pixels: RunPixels,
    fabric: Fabric,
    directory: Path,
    reporter: Reporter,
) -> Scored:
    partial = _unfinished_maps(directory)
    done = 0

    def on_batch(images: int) -> None:
        nonlocal done
        done += images * fabric.world_size
        reporter.on_scored(min(done, len(dataset.test)), len(dataset.test))

    scored = evaluate(
        method,
        pixels.rows(dataset.test),
        dataset.test,
        image_size=config.image_size,
        batch_size=max(1, config.recipe.batch_size // fabric.world_size),
        device=fabric.device,
        workers=pixels.workers,
        maps_folder=partial if config.save_maps else None,
        on_batch=on_batch,
        rank=fabric.global_rank,
        processes=fabric.world_size,
    )
    if config.save_maps and fabric.global_rank == 0:
        partial.rename(directory / MAPS_DIR)
    return scored


def _cost(fitted: Fitted | None, test_seconds: float, test_images: int, device: torch.device) -> Cost:
    return Cost(
        train_seconds=fitted.seconds if fitted else None,
        test_seconds=test_seconds,
        train_images_per_s=fitted.images / fitted.seconds if fitted and fitted.images else None,
        test_images_per_s=test_images / test_seconds,
        peak_memory_bytes=peak_memory_bytes(),
        peak_gpu_memory_bytes=torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
    )
