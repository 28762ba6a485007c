"""A plan of reproduction: which published figures are to be met, on which data, by which recipe, how closely.

A plan is a YAML file; those that come with the package stand in ``plans/``. Its figures come from the public logs
that the package carries (:func:`benchmark.leaderboard.published.published_log`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from benchmark.config import read_yaml
from benchmark.leaderboard.published import LOGS, published_log
from cocoad.base.errors import InputError

PLANS = Path(__file__).parent / "plans"
MEAN = "mean"  # the part that stands for the mean over all of them

Setting = Literal["together", "by class", "by split"]
Count = Annotated[int, msgspec.Meta(ge=0)]
Points = Annotated[float, msgspec.Meta(gt=0)]
Fraction = float


class Counts(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Images of a class or split as published: of training, and normal and anomalous ones of the test."""

    train_normal: Count
    test_normal: Count
    test_anomalous: Count


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published method: what it is called in the log, and how it is trained here."""

    name: Annotated[
        str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,60}\Z")
    ]  # of the folder of its runs
    method: str
    published: str  # the method's name in the log
    options: dict[str, Any] = {}  # of its runs, as an entry of a sweep's plan has them
    evaluate_every: Count | None = None  # epochs between two looks at the test set, as the log has them


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was published about one dataset in one setting.

    Attributes:
        title: what the page calls it.
        source: where the figures come from, in words.
        log: which of the public logs.
        setting: one model for all classes together, one model by class, or one by split of COCO-AD.
        image_size: pixels, square.
        metrics: which are compared, in the order of the tables.
        counts: images by class or split.
        tolerance: by metric, how far off (points) a single class may be and count as reproduced.
        mean_tolerance: the same of a mean over all classes or splits.
        targets: the methods.
        notes: what a reader must know.
    """

    title: str
    source: str
    log: str
    setting: Setting
    image_size: int
    metrics: list[str]
    counts: dict[str, Counts]
    tolerance: dict[str, Points]
    mean_tolerance: Points
    targets: list[Target]
    notes: list[str] = []

    def allowed(self, metric: str, part: str) -> float:
        """Return how many points a figure may be off."""
        return self.mean_tolerance if part == MEAN else self.tolerance[metric]


class Figure(msgspec.Struct, frozen=True):
    """Published metrics (fractions) of one method on one part at one epoch of its training."""

    part: str
    epoch: int
    metrics: dict[str, Fraction]


def read_plan(name: str) -> Plan:
    """Read a plan of the package by its name, or a file.

    Raises:
        InputError: there is none, it is no plan, or it speaks of what the logs do not have.
    """
    path = PLANS / f"{name}.yaml" if name in plan_names() else Path(name)
    if not path.is_file():
        raise InputError(f"no plan {name!r}: give a file, or one of {', '.join(plan_names())}")
    try:
        plan = msgspec.convert(read_yaml(path), Plan)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}") from None
    for problem in _problems(plan):
        raise InputError(f"{path}: {problem}")
    return plan


def plan_names() -> list[str]:
    """Return the names of the plans that come with the package."""
    return sorted(path.stem for path in PLANS.glob("*.yaml"))


def _problems(plan: Plan) -> list[str]:
    if plan.log not in LOGS:
        return [f"no log {plan.log!r}: there are {', '.join(LOGS)}"]
    log = published_log(plan.log)
    names = [target.name for target in plan.targets]
    found = [f"two targets are called {name}" for name in set(names) if names.count(name) > 1]
    found += [f"no metric {name!r} in the log" for name in plan.metrics if name not in log.columns]
    found += [f"no tolerance for {name}" for name in plan.metrics if name not in plan.tolerance]
    found += [
        f"the log has no method {target.published!r}"
        for target in plan.targets
        if target.published not in set(log["method"])
    ]
    return found


def figures(plan: Plan, target: Target) -> list[Figure]:
    """Return what was published of a target, part by part, epochs ascending."""
    log = published_log(plan.log)
    rows = log[log["method"] == target.published]
    parts = [*plan.counts, MEAN]
    return [
        Figure(str(row["part"]), int(row["epoch"]), {name: float(row[name]) for name in plan.metrics})
        for part in parts
        for _, row in rows[rows["part"] == part].sort_values("epoch").iterrows()
    ]
