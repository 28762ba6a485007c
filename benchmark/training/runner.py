"""One run: a configuration becomes a run directory with weights, scores, curves and a record."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmark.config import RunConfig, to_plain, with_effect_on_training
from benchmark.datasets import AnomalyDataset, load_dataset
from benchmark.datasets.calibration import held_out
from benchmark.datasets.cut import Cut, Cuts, cut
from benchmark.datasets.loading import loader_workers
from benchmark.datasets.look import look
from benchmark.methods.base import Method
from benchmark.methods.registry import create, facts_of
from benchmark.metrics import Evaluation
from benchmark.runs.environment import peak_memory_bytes
from benchmark.runs.evaluations import Look, read_evaluations, write_evaluations
from benchmark.runs.identity import check_finished, resolved, run_directory
from benchmark.runs.lock import held
from benchmark.runs.record import MAPS_DIR, RESULT_FILE, Cost, read_record
from benchmark.scoring.testset import TestSet
from benchmark.scoring.written import write_scored_run
from benchmark.training.checkpoint import delete_checkpoints
from benchmark.training.data import RunPixels
from benchmark.training.earlier import UNFINISHED_MAPS, prepare
from benchmark.training.evaluate import Scoring, evaluate
from benchmark.training.examples import examples
from benchmark.training.fit import fit
from benchmark.training.header import header
from benchmark.training.hearing import Fitted
from benchmark.training.log import EpochRow
from benchmark.training.processes import barrier, launched, set_determinism
from benchmark.training.recording import about, weights_name
from benchmark.training.reporter import Reporter
from benchmark.training.threads import taking_threads, with_threads
from benchmark.training.trackers import Trackers, check_installed
from benchmark.training.weights import load_checkpoint, save_weights
from cocoad.base.errors import ResourceError
from cocoad.base.files import naming

if TYPE_CHECKING:
    from rich.progress import Progress


def run(config: RunConfig, out: Path, *, force: bool = False, progress: Progress | None = None) -> Path:
    """Train and score as ``config`` says; return the run directory. A finished run of it is kept unless ``force``.

    An interrupted run goes on from its last checkpoint, unless ``force``. What is wrong with the dataset, the method
    or its weights is said before anything is written.

    Raises:
        InputError: the dataset, the method or its options are not what they must be, or a run of another
            configuration is there, or another process writes there.
        ResourceError: no such device, weights that could not be downloaded, no room on the disk, or out of memory.
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
    dataset = held_out(dataset, config.calibration_share, config.seed)
    facts, directory = facts_of(config.method), run_directory(config, dataset.name, out)
    if not force and (directory / RESULT_FILE).is_file():
        check_finished(directory, read_record(directory), config, facts, dataset.hash)
        return directory
    check_installed(config.log)
    fabric = launched(config)
    trained = _method(config, dataset)
    notes = _looked_at(config, dataset) if fabric.global_rank == 0 else []
    barrier()  # until all have looked: the first one changes the directory now
    first = fabric.global_rank == 0
    cuts = _cuts(config, dataset)
    images = len(cuts.train.parts)
    with held(directory) if first else contextlib.nullcontext():
        config, threads = with_threads(config, trained.method, images, directory, force, fabric)
        done, said = prepare(directory, config, force) if first else (0, [])
        barrier()
        reporter = Reporter(directory, done, facts.passes(config.recipe, images), progress, speaks=first)
        with taking_threads(config.threads), reporter.telling_failures(), naming(directory):
            reporter.say(*header(config, dataset, images, trained.said, fabric, directory), *threads, *said)
            reporter.say(*(f"note: {note}" for note in notes))
            _Run(config, dataset, cuts, trained, directory, fabric, reporter).whole()
        barrier()
    return directory


def _looked_at(config: RunConfig, dataset: AnomalyDataset) -> list[str]:
    """Look at all masks, and at all images unless the pixel cache will decode them; return what is odd.

    Raises:
        InputError: some cannot be read.
    """
    used = dataset.calibration + dataset.test
    used = used if config.eval_only else dataset.train + used
    samples = [sample for sample in used if sample.mask is not None or not config.use_cache]
    workers = loader_workers(config.workers)
    size, pixels = config.resolution, not config.use_cache
    return [*dataset.notes, *look(config.dataset, samples, image_size=size, pixels=pixels, workers=workers)]


def _cuts(config: RunConfig, dataset: AnomalyDataset) -> Cuts:
    """Return the dataset as the method sees it; nothing of its training images where none is trained on."""
    train = () if config.eval_only else dataset.train
    parts = (train, dataset.calibration, dataset.test)
    return Cuts(*(cut(config.dataset, samples, config.tiling) for samples in parts))


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


@dataclass(frozen=True)
class _Trained:
    """A method with the weights it begins with: what a record says of them, and whose images trained them."""

    method: Method
    weights: str
    trained_on: str | None

    @property
    def said(self) -> str:
        """The weights, for a person."""
        return self.weights if self.trained_on is None else f"{self.weights}, trained on {self.trained_on}"


def _method(config: RunConfig, dataset: AnomalyDataset) -> _Trained:
    """Return the method with its weights, on the host."""
    set_determinism(config)
    torch.manual_seed(config.seed)
    method = create(config.method, config.image_size, config.backbone, **config.method_options)
    trained_on = None
    if config.checkpoint is None:
        method.load_backbones(config.weights)
    else:
        trained_on = load_checkpoint(config.checkpoint, method, config, dataset)
    return _Trained(method, weights_name(config), trained_on)


@dataclass
class _Run:
    """A run under way, in a directory that this process, or the first of its kind, holds."""

    config: RunConfig
    dataset: AnomalyDataset
    cuts: Cuts
    trained: _Trained
    directory: Path
    fabric: Fabric
    reporter: Reporter
    looks: list[Look] = field(default_factory=list)

    def whole(self) -> None:
        """Train, score and write all that is left of it."""
        self.method, self.first = self.trained.method, self.fabric.global_rank == 0
        told = self.config.log if self.first else ()
        self.trackers = Trackers(told, self.directory, to_plain(self.config), self.reporter.warn)
        finished = False
        try:
            self._whole()
            finished = True
        finally:
            self.trackers.close(finished)

    def _whole(self) -> None:
        self.method.to(self.fabric.device)
        self.pixels = RunPixels(
            self.config, self.dataset, self.cuts.parts, self.reporter.warn, self.reporter.on_images
        )
        self.looks = read_evaluations(self.directory)
        fitted = None if self.config.eval_only else self._fit()
        if self.first:
            save_weights(self.directory, self.method, self.config, self.dataset)
        started = time.perf_counter()
        maps_folder = self.directory / UNFINISHED_MAPS if self.config.save_maps else None
        scored = self._score(self.cuts.test, maps_folder)
        seconds = time.perf_counter() - started
        held = self._score(self.cuts.calibration) if self.dataset.calibration else None
        if self.first:
            evaluation = scored.evaluate(self.reporter.warn)
            self._write(scored, evaluation, self._cost(fitted, seconds), held)

    def on_step(self, done: int, total: int, loss: Tensor, images_per_s: float, waiting: float) -> None:
        """Hear of a training step."""
        self.reporter.on_step(done, total, loss, images_per_s, waiting)

    def on_row(self, row: EpochRow) -> None:
        """Hear of an epoch's row."""
        self.trackers.epoch(row)
        for earlier in self.looks:  # of an earlier attempt
            if earlier.epoch == row.epoch:
                self.trackers.metrics(earlier.metrics)

    def on_epoch(self, done: int, last: bool) -> None:
        """Hear of an epoch; look at the test set where that was asked for. The last look is the result itself."""
        self.reporter.on_epoch(done)
        every = self.config.evaluate_every
        if every and not last and done % every == 0:
            scored = self._score(self.cuts.test)
            if self.first:
                self._looked(done, scored.evaluate(lambda said: None))

    def _fit(self) -> Fitted:
        identity = {
            **with_effect_on_training(to_plain(self.config)),
            "train_hash": self.dataset.train_hash,
            "version": self.method.facts.version,
        }
        return fit(
            self.method,
            self.pixels.source(self.cuts.train.parts, self.fabric.device),
            self.config,
            self.fabric,
            directory=self.directory,
            identity=identity,
            listener=self,
            warn=self.reporter.warn,
        )

    def _score(self, seen: Cut, maps_folder: Path | None = None) -> TestSet:
        config, processes = self.config, self.fabric.world_size
        images, done = len(seen.images), 0
        scoring = Scoring(
            cut=seen,
            rows=self.pixels.rows(seen.parts),
            size=config.resolution,
            batch_size=max(1, config.recipe.batch_size // processes),
            device=self.fabric.device,
            workers=self.pixels.workers,
            rank=self.fabric.global_rank,
            processes=processes,
        )

        def on_batch(scored: int) -> None:
            nonlocal done
            done = min(images, done + scored * processes)
            self.reporter.on_scored(done, images)

        return evaluate(self.method, scoring, on_batch, maps_folder)

    def _looked(self, epoch: int, evaluation: Evaluation) -> None:
        recipe, images = self.config.recipe, len(self.cuts.train.parts)
        seen = min(
            epoch * min(images, recipe.steps_per_epoch(images) * recipe.batch_size),
            self.method.facts.images_seen(recipe, images),
        )
        found = evaluation.recorded()
        look = Look(epoch, seen, found["metrics"], found["per_class"])
        self.looks = [*(earlier for earlier in self.looks if earlier.epoch < epoch), look]
        write_evaluations(self.directory, self.looks)
        self.reporter.on_look(look)
        self.trackers.metrics(look.metrics)

    def _write(self, scored: TestSet, evaluation: Evaluation, cost: Cost, held: TestSet | None) -> None:
        directory, config = self.directory, self.config
        passes = self.method.facts.passes(config.recipe, len(self.cuts.train.parts))
        told = about(
            config,
            self.dataset,
            self.method,
            weights=self.trained.weights,
            trained_on=self.trained.trained_on,
            epochs=None if config.eval_only else passes,
            cost=cost,
        )
        if config.save_maps:
            (directory / UNFINISHED_MAPS).rename(directory / MAPS_DIR)
        if config.evaluate_every and told.epochs:
            self._looked(told.epochs, evaluation)
        record = write_scored_run(directory, scored, evaluation, told, held)
        if self.trackers:
            if not self.looks:
                self.trackers.metrics(record.metrics)
            self.trackers.finished(directory, examples(scored.scores, scored.previews))
        delete_checkpoints(directory)

    def _cost(self, fitted: Fitted | None, test_seconds: float) -> Cost:
        device = self.fabric.device
        return Cost(
            train_seconds=fitted.seconds if fitted else None,
            test_seconds=test_seconds,
            train_images_per_s=fitted.images / fitted.seconds if fitted and fitted.images else None,
            test_images_per_s=len(self.dataset.test) / test_seconds,
            peak_memory_bytes=peak_memory_bytes(),
            peak_gpu_memory_bytes=torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
        )
