"""The runs that a plan needs: asked for as a sweep, and found again with what they reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from benchmark.config import Settings
from benchmark.reproduction.plan import MEAN, Plan, Target, figures
from benchmark.reproduction.verdict import PROTOCOL, Measured, Verdict, measured, nearest, verdict
from benchmark.runs.collect import find_runs
from benchmark.runs.evaluations import read_evaluations
from benchmark.runs.record import Metrics, Record, read_record
from benchmark.sweep.request import MethodSettings, Request
from cocoad.base.errors import InputError


def chosen(plan: Plan, methods: Sequence[str], classes: Sequence[str]) -> tuple[list[Target], list[str]]:
    """Return the targets and the parts that were asked for; empty: all.

    Raises:
        InputError: the plan has no such method, target or part.
    """
    names = {target.name for target in plan.targets}
    known = names | {target.method for target in plan.targets}
    for what, asked, there in (("method", methods, known), ("class", classes, plan.counts)):
        if unknown := [name for name in asked if name not in there]:
            raise InputError(f"no {what} {unknown[0]!r} in this plan: there are {', '.join(sorted(there))}")
    by_method = [name for name in methods if name not in names]  # a target's own name means it alone
    targets = [
        target
        for target in plan.targets
        if not methods or target.name in methods or target.method in by_method
    ]
    return targets, [part for part in plan.counts if not classes or part in classes]


def request(
    plan: Plan,
    targets: Sequence[Target],
    parts: Sequence[str],
    dataset: Path,
    given: Settings,
) -> Request:
    """Return the runs of ``targets`` as a sweep; ``given`` overrides the settings of all of them."""
    entries = [
        MethodSettings(
            method=target.method,
            where=f"target {target.name}",
            name=name,
            settings=given.over(_settings(plan, target, classes)),
        )
        for target in targets
        for name, classes in _folders(plan, target, parts)
    ]
    splits = tuple(int(part) for part in parts) if plan.setting == "by split" else (0,)
    return Request(tuple(entries), datasets=(dataset,), splits=splits)


def _folders(plan: Plan, target: Target, parts: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Return a target's folders, each with the classes that a run in it takes; none: all that there are."""
    if plan.setting == "by class":
        return [(f"{target.name}_{part}", (part,)) for part in parts]
    if plan.setting == "together" and len(parts) < len(plan.counts):
        return [(f"{target.name}_{len(parts)}-classes", tuple(parts))]
    return [(target.name, ())]


def _settings(plan: Plan, target: Target, classes: tuple[str, ...]) -> Settings:
    own = {"image_size": plan.image_size, **target.options, "evaluate_every": target.evaluate_every}
    return Settings.of_options(own | {"classes": classes or None})


def verdicts(plan: Plan, targets: Sequence[Target], parts: Sequence[str], out: Path) -> list[Verdict]:
    """Hold every published figure of ``targets`` against the finished runs in ``out``, in the plan's order."""
    found: list[Verdict] = []
    for target in targets:
        runs = _runs(plan, target, parts, out)
        ours = [each for record, directory in runs for each in _of(record, directory)]
        ours += _means(plan, [record for record, _ in runs])
        for figure in figures(plan, target):
            if figure.part in parts or (figure.part == MEAN and len(parts) == len(plan.counts)):
                found.append(verdict(plan, target, figure, nearest(plan, figure, ours)))
    return found


def _runs(plan: Plan, target: Target, parts: Sequence[str], out: Path) -> list[tuple[Record, Path]]:
    folders = [out / name for name, _ in _folders(plan, target, parts)]
    there = [folder for folder in folders if folder.is_dir()]
    try:
        directories = find_runs(there) if there else []
    except InputError:  # folders without any run
        directories = []
    found = []
    for directory in directories:
        try:
            found.append((read_record(directory), directory))
        except InputError:  # not finished
            continue
    return found


def _of(record: Record, directory: Path) -> list[Measured]:
    """Return what a run reached at its end, and at each look at the test set before it."""
    last = record.epochs or 1
    by_class = {name: metrics[PROTOCOL] for name, metrics in record.per_class.items()}
    if not by_class and len(record.dataset.classes) == 1:
        by_class = {record.dataset.classes[0]: record.metrics[PROTOCOL]}
    looks = {look.epoch: look for look in read_evaluations(directory)}
    seen = looks[last].images if last in looks else last * record.dataset.train_normal
    found = measured(record, last, seen, record.metrics[PROTOCOL], by_class)
    for epoch, look in looks.items():
        if epoch < last:
            found += measured(record, epoch, look.images, look.metrics[PROTOCOL], look.of_classes(PROTOCOL))
    return found


def _means(plan: Plan, records: Iterable[Record]) -> list[Measured]:
    """Return the mean over all classes or splits that have a run each, once all of them have."""
    if plan.setting == "together":
        return []
    by_part = {}
    for record in records:
        split = record.dataset.split
        by_part[str(split) if split is not None else record.dataset.classes[0]] = record
    if set(by_part) != set(plan.counts):
        return []
    some = next(iter(by_part.values()))
    epochs = some.epochs or 1
    seen = epochs * sum(record.dataset.train_normal for record in by_part.values())
    return [Measured(some, MEAN, epochs, seen, _mean([r.metrics[PROTOCOL] for r in by_part.values()]))]


def _mean(metrics: Sequence[Metrics]) -> Metrics:
    found: Metrics = {}
    for name in metrics[0]:
        values = [each[name] for each in metrics]
        known = [value for value in values if value is not None]
        found[name] = fmean(known) if len(known) == len(values) else None
    return found
