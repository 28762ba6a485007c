"""What a person who programs needs of the harness: paths may be texts, and what comes back shows itself.

The names are offered by ``import benchmark`` itself; nothing here imports torch before it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.config import Settings
from benchmark.runs.collect import Run
from cocoad.base.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.comparison.compare import Comparison
    from benchmark.datasets import AnomalyDataset
    from benchmark.inference.trained import TrainedModel
    from benchmark.leaderboard.board import Leaderboard
    from benchmark.methods.catalogue import MethodRow

AnyPath = str | Path


class Methods(list["MethodRow"]):
    """The methods that there are, with how they train and where they come from."""

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each method."""
        import pandas as pd

        return pd.DataFrame([row._asdict() for row in self])

    def _repr_html_(self) -> str:
        from benchmark.methods.catalogue import MethodRow
        from cocoad.base.notebook import html_table

        return html_table(MethodRow._fields, self)


def run(
    method: str,
    dataset: AnyPath = "coco-ad",
    *,
    out: AnyPath = "runs",
    overwrite: bool = False,
    quiet: bool = False,
    recipe: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Run:
    """Train and score a method; return the finished run. One that was finished before is returned as it is, one that
    was interrupted goes on.

    Args:
        method: one of ``benchmark.methods()``.
        dataset: a dataset of any layout.
        out: the folder of run directories.
        overwrite: run again what is finished, anew what was interrupted.
        quiet: show no progress.
        recipe: fields of the training recipe that differ from the method's preset.
        options: the method's own options.
        **fields: of :class:`benchmark.config.RunConfig` (``split``, ``image_size``, ``seed``, ``preset``,
            ``weights``, ``device`` …), and ``epochs``, ``batch_size``, ``learning_rate`` of the recipe.

    Raises:
        InputError: the dataset, the method or an option is not what it must be.
        ResourceError: no such device, out of memory, or weights that could not be downloaded.
    """
    from benchmark.runs.record import read_record
    from benchmark.training.request import configured
    from benchmark.training.runner import run as run_one
    from cocoad.base.console import progress

    asked = Settings.of_options({"method": method, "dataset": Path(dataset), **fields})
    (config,) = configured(Settings({}, recipe or {}, options or {}).over(asked))
    with progress(quiet) as bars:
        directory = run_one(config, Path(out), force=overwrite, progress=bars)
    return Run(directory, read_record(directory))


def load_run(directory: AnyPath, device: str = "auto") -> TrainedModel:
    """Return the trained method of a run, which predicts: see :class:`benchmark.inference.TrainedModel`."""
    from benchmark.inference.trained import load_run as load

    return load(directory, device)


def load_dataset(
    path: AnyPath,
    *,
    split: int | None = 0,
    layout: str | None = None,
    classes: Sequence[str] = (),
    coco_root: AnyPath | None = None,
) -> AnomalyDataset:
    """Read a dataset of any layout: samples to train on and to test on.

    Args:
        path: its directory.
        split: of COCO-AD; others have none.
        layout: as it lies on disk; None: recognise it.
        classes: some of its classes; none: all.
        coco_root: where COCO's images are, if not where they were at the build.

    Raises:
        InputError: no such directory, no layout that is known, or a dataset that contradicts itself.
    """
    from benchmark.datasets import load_dataset as load

    root = None if coco_root is None else Path(coco_root)
    return load(Path(path), layout=layout, split=split, classes=classes, coco_root=root)


def leaderboard(*runs: AnyPath, where: Sequence[str] = (), published: bool = False) -> Leaderboard:
    """Rank the finished runs in or below ``runs``.

    Args:
        *runs: run directories, or folders that hold some.
        where: ``column=value`` conditions on the rows.
        published: add the published rows, marked as such.

    Raises:
        InputError: no runs, a wrong condition, or nothing is left to rank.
    """
    from benchmark.leaderboard.board import leaderboard as gather

    return gather([Path(path) for path in runs], where, published)


def compare(first: AnyPath, second: AnyPath, *, samples: int = 2000, seed: int = 0) -> Comparison:
    """Say whether the run ``second`` is better than ``first``, by a paired bootstrap over the test images.

    Args:
        first, second: run directories, A and B.
        samples: resamples of the bootstrap.
        seed: of the resampling.

    Raises:
        InputError: the runs were not scored on the same data under the same rules.
    """
    from benchmark.comparison.compare import compare as decide

    return decide(Path(first), Path(second), samples, seed)


def report(*runs: AnyPath, out: AnyPath, published: bool = False, images: bool = True) -> Path:
    """Write one HTML page about the finished runs in or below ``runs``; return its path.

    Args:
        *runs: run directories, or folders that hold some.
        out: the folder of the page.
        published: add the published rows to its leaderboard.
        images: show photographs where their files are still there.

    Raises:
        InputError: there is no sound finished run.
    """
    from benchmark.report.page import write_report

    if not runs:
        raise InputError("a report of which runs? name a folder of runs, such as 'runs'")
    paths = [Path(path) for path in runs]
    written = write_report(
        paths, Path(out), published=published, images=images, advance=lambda what, done, total: None
    )
    return written.path


def methods() -> Methods:
    """Return the methods that there are, of this package and of others."""
    from benchmark.methods.catalogue import catalogue

    return Methods(catalogue())
