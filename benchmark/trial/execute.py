"""Trying: one method after the other within a time, then the choice, its file and the page."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.config import RunConfig, differences, from_plain, read_yaml, to_plain
from benchmark.datasets import load_dataset
from benchmark.datasets.calibration import held_out
from benchmark.datasets.importing import import_photos
from benchmark.inference.onnx import export_onnx
from benchmark.inference.trained import load_run
from benchmark.report.page import write_report
from benchmark.runs.collect import Run
from benchmark.runs.identity import run_directory
from benchmark.runs.record import CONFIG_FILE, RESULT_FILE, read_record
from benchmark.training.runner import run
from benchmark.trial.choice import Choice, choose
from benchmark.trial.plan import Asked, configs, fitted
from cocoad.base.errors import CocoadError, InputError

if TYPE_CHECKING:
    from rich.progress import Progress

RUNS, DATASET, REPORT, MODEL = "runs", "dataset", "report", "model.onnx"


@dataclass
class Tried:
    """What came of it: finished runs, methods left out with the reason, the choice, and what was written."""

    runs: list[Run] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    choice: Choice | None = None
    model: Path | None = None  # the exported file
    model_said: str = ""  # how it was checked, or why there is none
    report: Path | None = None


def gathered(good: Path, bad: Path, masks: Path | None, test_share: float | None, out: Path) -> Path:
    """Return a dataset of links to the photos in two folders, made at ``out/dataset`` (anew, if it was there).

    Raises:
        InputError: as of :func:`import_photos`; or ``out`` holds something else.
    """
    ours = (out / RUNS).is_dir()
    import_photos(good, bad, masks, out / DATASET, test_share=test_share, overwrite=ours)
    return out / DATASET


def try_methods(
    asked: Asked,
    out: Path,
    minutes: float,
    say: Callable[[str], None],
    bars: Callable[[], AbstractContextManager[Progress | None]],
) -> Tried:
    """Try what was asked for; finished runs of an earlier call are kept.

    Args:
        asked: methods, data and device.
        out: folder of runs, report and model.
        minutes: that training and scoring may take; what does not fit is left out, with the reason.
        say: hears lines on the way.
        bars: shown while a method is tried.

    Raises:
        InputError: the dataset cannot be used, or no method could be tried.
    """
    ends = time.monotonic() + 60 * minutes
    tried, planned = Tried(), configs(asked)
    dataset = load_dataset(asked.dataset, test_share=asked.test_share)
    labels = {sample.label for sample in dataset.test}
    if labels != {0, 1}:
        raise InputError(
            f"{asked.dataset}: to choose by it takes good and bad images to test on; give GOOD BAD"
        )
    planned = [replace(config, split=dataset.split) for config in planned]
    data = held_out(dataset, planned[0].calibration_share, asked.seed)
    for number, config in enumerate(planned):
        share = max(0.0, ends - time.monotonic()) / (len(planned) - number)
        say(f"{number + 1} of {len(planned)}: {config.method} at {config.image_size} px")
        try:
            one = _kept(config, out) or fitted(config, data, share)
            if isinstance(one, str):
                tried.left_out[config.method] = one
                say(f"{config.method} is left out: {one}")
                continue
            with bars() as progress:
                directory = run(one, out / RUNS, progress=progress)
            tried.runs.append(Run(directory, read_record(directory)))
        except CocoadError as error:
            tried.left_out[config.method] = str(error)
            say(f"{config.method} is left out: {error}")
    if not tried.runs:
        reasons = "; ".join(f"{name}: {why}" for name, why in tried.left_out.items())
        raise InputError(f"no method could be tried: {reasons}")
    tried.choice = choose(tried.runs)
    _export(tried, out, say)
    say("report")
    written = write_report([one.directory for one in tried.runs], out / REPORT, advance=lambda *_: None)
    tried.report = written.path
    return tried


def _kept(config: RunConfig, out: Path) -> RunConfig | None:
    """Return the configuration of a run of an earlier call, whose length was fitted then; None: there is none."""
    directory = run_directory(config, config.dataset.name, out / RUNS)
    if not (directory / RESULT_FILE).is_file():
        return None
    earlier = from_plain(read_yaml(directory / CONFIG_FILE), str(directory / CONFIG_FILE))
    changed = differences(to_plain(earlier), to_plain(config))
    length = {"recipe.epochs", "recipe.iterations", "recipe.batch_size"}
    return earlier if set(changed) <= length else None


def _export(tried: Tried, out: Path, say: Callable[[str], None]) -> None:
    assert tried.choice is not None
    say(f"exporting {tried.choice.chosen.record.method.name}")
    try:
        worst = export_onnx(load_run(tried.choice.chosen.directory, "cpu"), out / MODEL)
    except CocoadError as error:
        tried.model_said = str(error)
        return
    tried.model = out / MODEL
    tried.model_said = f"checked in onnxruntime on batches of 1, 2 and 5: maps differ by at most {worst:.1e}"
