"""Experiment trackers that a run is told to (``--log NAME``): one small interface, whoever draws the curves.

Each hears the configuration, every epoch's row of ``train_log.csv``, metrics at a step, example maps and, at the end,
the run's record as a file of its own. What each keeps lies on this machine, unless the tracker's own environment
variables name a server: ``WANDB_MODE=online``, ``MLFLOW_TRACKING_URI``.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.config import TrackerName
from benchmark.runs.record import RESULT_FILE, TENSORBOARD_DIR
from benchmark.training.log import EpochRow
from cocoad.base.errors import CocoadError, InputError
from cocoad.base.locks import FOREVER, locked

PROJECT = "cocoad"  # what trackers group runs by
MOST_TEXT = 500  # characters of a setting that MLflow keeps

Picture = npt.NDArray[np.uint8]  # (H, W, 3)
Settings = Mapping[str, bool | int | float | str | None]


class Tracker(ABC):
    """Hears of one attempt at a run; a run that goes on is told from its first epoch again.

    Args:
        directory: of the run; its name is the run's.
        settings: the configuration, flat: ``recipe.epochs`` and so on.
    """

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.directory, self.settings = directory, settings

    @abstractmethod
    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Hear of numbers after ``step`` training steps; names have slashes: ``train/loss``."""

    @abstractmethod
    def pictures(self, pictures: Mapping[str, Picture], step: int) -> None:
        """Hear of example maps, by the image's id."""

    @abstractmethod
    def record(self, path: Path) -> None:
        """Hear of the finished run's ``result.json``."""

    @abstractmethod
    def close(self, finished: bool) -> None:
        """Write all that is left; ``finished``: the run came to its end."""


class TensorBoard(Tracker):
    """Event files in ``RUN/tensorboard``."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        super().__init__(directory, settings)
        self._writer = import_module("torch.utils.tensorboard").SummaryWriter(
            str(directory / TENSORBOARD_DIR)
        )
        table = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
        self._writer.add_text("configuration", f"| setting | value |\n| --- | --- |\n{table}")

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def pictures(self, pictures: Mapping[str, Picture], step: int) -> None:
        for name, picture in pictures.items():
            self._writer.add_image(f"maps/{name}", picture, step, dataformats="HWC")

    def record(self, path: Path) -> None:
        self._writer.add_text("record", f"```json\n{path.read_text()}\n```")

    def close(self, finished: bool) -> None:
        self._writer.close()


class WeightsAndBiases(Tracker):
    """An offline run in ``RUN/wandb``, for ``wandb sync``."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        super().__init__(directory, settings)
        self._wandb = import_module("wandb")
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=directory.name,
            dir=str(directory),
            config=dict(settings),
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=self._wandb.Settings(silent=True, console="off"),
        )

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def pictures(self, pictures: Mapping[str, Picture], step: int) -> None:
        shown = [self._wandb.Image(picture, caption=name) for name, picture in pictures.items()]
        self._run.log({"maps": shown}, step=step)

    def record(self, path: Path) -> None:
        artifact = self._wandb.Artifact(f"record-{self._run.id}", type="record")
        artifact.add_file(str(path))
        self._run.log_artifact(artifact)

    def close(self, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)


class MLflow(Tracker):
    """A run in the store of ``MLFLOW_TRACKING_URI``, or in ``mlflow.db`` beside the run directories."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        super().__init__(directory, settings)
        mlflow = import_module("mlflow")
        for name in ("mlflow", "alembic"):  # each migration of a new store is a line
            logging.getLogger(name).setLevel(logging.WARNING)
        store, files = os.environ.get("MLFLOW_TRACKING_URI"), None
        out = directory.parent.resolve()
        with ExitStack() as held:
            if store is None:
                store, files = f"sqlite:///{out / 'mlflow.db'}", (out / "mlartifacts").as_uri()
                lock = out / ".mlflow.lock"  # runs of a sweep make the store one after the other
                held.enter_context(locked(lock, busy="", patience_s=FOREVER, waiting="waiting for mlflow.db"))
            self._client = mlflow.MlflowClient(tracking_uri=store)
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
            found = self._client.get_experiment_by_name(name)
            experiment = found.experiment_id if found else self._client.create_experiment(name, files)
        self._id = self._client.create_run(experiment, run_name=directory.name).info.run_id
        for setting, value in settings.items():
            self._client.log_param(self._id, setting, str(value)[:MOST_TEXT])

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self._id, name, value, step=step)

    def pictures(self, pictures: Mapping[str, Picture], step: int) -> None:
        for name, picture in pictures.items():
            self._client.log_image(self._id, picture, f"maps/{name.replace('/', '_')}.png")

    def record(self, path: Path) -> None:
        self._client.log_artifact(self._id, str(path))

    def close(self, finished: bool) -> None:
        self._client.set_terminated(self._id, "FINISHED" if finished else "FAILED")


class Trackio(Tracker):
    """A run in trackio's local database, for ``trackio show``."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        super().__init__(directory, settings)
        self._trackio = import_module("trackio")
        self._run = self._trackio.init(
            project=PROJECT, name=directory.name, config=dict(settings), embed=False
        )

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def pictures(self, pictures: Mapping[str, Picture], step: int) -> None:
        shown = {f"maps/{name}": self._trackio.Image(picture, name) for name, picture in pictures.items()}
        self._run.log(shown, step=step)

    def record(self, path: Path) -> None:
        self._trackio.save(path, project=PROJECT)

    def close(self, finished: bool) -> None:
        self._run.finish()


KINDS: dict[
    TrackerName, tuple[type[Tracker], str]
] = {  # and the package that each needs, as its extra is named
    "tensorboard": (TensorBoard, "tensorboard"),
    "wandb": (WeightsAndBiases, "wandb"),
    "mlflow": (MLflow, "mlflow"),
    "trackio": (Trackio, "trackio"),
}


def check_installed(names: Sequence[TrackerName]) -> None:
    """Refuse trackers that are not there, before anything is written.

    Raises:
        InputError: a tracker's package cannot be imported.
    """
    for name in names:
        try:
            import_module(KINDS[name][1])
        except ImportError:
            raise InputError(
                f"--log {name} needs an extra: pip install '.[{name}]' in a clone of the repository"
            ) from None


class Trackers:
    """Those of a run. One that fails on the way is warned of and told no more: a training does not end for it.

    Args:
        names: of the trackers.
        directory: of the run.
        settings: its configuration, as nested as it is.
        warn: hears which one failed, and how.
    """

    def __init__(
        self,
        names: Sequence[TrackerName],
        directory: Path,
        settings: Mapping[str, Any],
        warn: Callable[[str], None],
    ) -> None:
        self._warn, self._told, self.step = warn, dict[str, Tracker](), 0
        for name in dict.fromkeys(names):
            with self._sparing(name):
                self._told[name] = KINDS[name][0](directory, dict(flat(settings)))

    def __bool__(self) -> bool:
        return bool(self._told)

    def epoch(self, row: EpochRow) -> None:
        """Tell of an epoch."""
        self.step = row.step
        names = ("loss", "learning_rate", "images_per_s", "data_wait_s")
        values = {f"train/{name}": float(getattr(row, name)) for name in names}
        self._all(lambda tracker: tracker.scalars({**values, "train/epoch": row.epoch}, row.step))

    def metrics(self, found: Mapping[str, Mapping[str, float | None]]) -> None:
        """Tell of the metrics, by protocol, after the last epoch that was told of; undefined ones are left out."""
        values = {
            f"test/{protocol}/{name}": value
            for protocol, metrics in found.items()
            for name, value in metrics.items()
            if value is not None
        }
        self._all(lambda tracker: tracker.scalars(values, self.step))

    def finished(self, directory: Path, pictures: Mapping[str, Picture]) -> None:
        """Tell of example maps and of the finished run's record."""
        if pictures:
            self._all(lambda tracker: tracker.pictures(pictures, self.step))
        self._all(lambda tracker: tracker.record(directory / RESULT_FILE))

    def close(self, finished: bool) -> None:
        """End them all."""
        self._all(lambda tracker: tracker.close(finished))
        self._told.clear()

    def _all(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._told.items()):
            with self._sparing(name):
                tell(tracker)

    @contextmanager
    def _sparing(self, name: str) -> Iterator[None]:
        try:
            yield
        except CocoadError:
            raise
        except Exception as error:  # whatever another's package raises
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._warn(f"--log {name} failed and is told no more: {said}")
            self._told.pop(name, None)


def flat(
    settings: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, bool | int | float | str | None]]:
    """Yield a nested mapping's settings by dotted names; lists become texts."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            plain = value is None or isinstance(value, bool | int | float | str)
            yield f"{prefix}{name}", value if plain else str(value)
