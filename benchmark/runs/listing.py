"""What ``bench runs`` and ``bench show`` print: the state of many runs, and everything about one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.config import read_yaml
from benchmark.runs.collect import RunState, find_runs, run_state
from benchmark.runs.columns import COSTS, METRICS
from benchmark.runs.record import CONFIG_FILE, ByProtocol, Record
from benchmark.runs.thresholds import Rate, Threshold
from cocoad.base.console import one_line, plain_table
from cocoad.base.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

STYLES = {"finished": "green", "running": "cyan", "interrupted": "yellow", "failed": "red", "invalid": "red"}
PER_GROUP = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro", "mad")


def states(paths: Sequence[Path]) -> list[RunState]:
    """Return the state of every run in or below ``paths``, sorted by directory."""
    return [run_state(directory) for directory in find_runs(paths)]


def states_json(found: Iterable[RunState]) -> list[dict[str, Any]]:
    """Return runs and their states for programs; what is not known is None, ``mad`` a fraction (ader)."""
    rows = []
    for state in found:
        names = ("method", "dataset", "split", "seed")
        what = {
            name: None if text == "–" else text for name, text in zip(names, _identity(state), strict=True)
        }
        mad = state.record.metrics.get("ader", {}).get("mad") if state.record else None
        row = {"run": str(state.directory), **what, "state": state.state, "detail": state.detail, "mad": mad}
        rows.append(row)
    return rows


def states_table(found: Iterable[RunState]) -> RenderableType:
    """Return runs and their states as a table."""
    from rich.text import Text

    table = _table("Run", "State", "mAD", "Method", "Dataset", "Split", "Seed")
    for state in found:
        what = _identity(state)
        line = Text(f"{state.state} {one_line(state.detail)}".strip(), STYLES[state.state])
        mad = state.record.metrics.get("ader", {}).get("mad") if state.record else None
        table.add_row(Text(one_line(str(state.directory))), line, Text(_percent(mad)), *map(Text, what))
    return table


def _identity(state: RunState) -> tuple[str, str, str, str]:
    """Return method, dataset, split and seed: from the record, else from the configuration, else dashes."""
    if state.record:
        record = state.record
        parts: tuple[object, ...] = (
            record.method.name,
            record.dataset.name,
            record.dataset.split,
            record.seed,
        )
    else:
        config = _config(state.directory)
        dataset = config.get("dataset")
        parts = (config.get("method"), Path(dataset).name if isinstance(dataset, str) else None,
                 config.get("split"), config.get("seed"))  # fmt: skip
    method, name, split, seed = ("–" if part is None else one_line(str(part)) for part in parts)
    return method, name, split, seed


def _config(directory: Path) -> dict[str, Any]:
    try:
        config = read_yaml(directory / CONFIG_FILE)
    except InputError:
        return {}
    return config if isinstance(config, dict) else {}


def details(directory: Path, record: Record) -> list[RenderableType]:
    """Return a run's record as tables: what it is and cost, its metrics overall, by class and by group."""
    method, dataset = record.method, record.dataset
    split = "" if dataset.split is None else f", split {dataset.split}"
    counts = f"{dataset.train_normal} train, {dataset.test_normal} + {dataset.test_anomalous} test"
    facts = {
        "run": directory,
        "method": f"{method.name} on {method.backbone or 'no backbone'}, weights {method.weights}",
        "options": ", ".join(f"{key}={value}" for key, value in method.options.items()),
        "dataset": f"{dataset.name}{split} at {dataset.image_size} px ({counts}), hash {dataset.hash[:12]}",
        "trained": ""
        if record.epochs is None
        else f"{record.epochs} epochs, {_recipe(record)}, seed {record.seed}",
        "finished": record.finished_at,
        "flags": ", ".join(record.flags),
        "held out": f"{dataset.calibration_normal} normal images" if dataset.calibration_normal else "",
        "notes": "; ".join(dataset.notes),
        "of items": ", ".join(
            f"{name} {100 * value:.1f}" for name, value in record.per_item.items() if value is not None
        ),
        **{f"undefined {key}": why for key, why in record.undefined.items()},
        **{f"cost {COSTS[name].heading}": _cost(record, name) for name in COSTS},
        **dict(_leaves("environment", record.environment)),
    }
    shown: list[RenderableType] = [_facts(facts), _metrics(record.metrics)]
    if record.thresholds:
        shown.append(thresholds_table(record.thresholds))
    if len(record.per_class) > 1:
        shown.append(_breakdown("Class", record.per_class))
    if record.per_group:
        shown.append(_breakdown("Group", record.per_group))
    return shown


def _recipe(record: Record) -> str:
    return f"preset {record.preset}" if record.preset else "a changed recipe"


def _cost(record: Record, name: str) -> str:
    value = getattr(record.cost, name) if hasattr(record.cost, name) else getattr(record.method, name)
    return "" if value is None else f"{value * COSTS[name].factor:,.{COSTS[name].digits}f}"


def _leaves(prefix: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{prefix}.{key}", item)
    else:
        yield prefix, "" if value is None else str(value)


def _facts(facts: dict[str, Any]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(min_width=24)
    for name, value in facts.items():
        if str(value):
            table.add_row(Text(one_line(name), "dim"), Text(one_line(str(value))))
    return table


def _metrics(metrics: ByProtocol) -> RenderableType:
    from rich.text import Text

    table = _table("Metric (percent)", *metrics, numbers=1)
    for name in METRICS:
        values = [_percent(protocol.get(name)) for protocol in metrics.values()]
        table.add_row(Text(name, "bold" if name.startswith("mad") else ""), *map(Text, values))
    return table


def thresholds_table(thresholds: Sequence[Threshold]) -> RenderableType:
    """Return thresholds with what they miss and raise on the test set, in percent with 95 % intervals."""
    from rich.text import Text

    headings = ("Threshold of", "Rule", "Value", "Misses", "False alarms", "Found on")
    table = _table(*headings)
    for each in thresholds:
        found_on = f"{each.samples:,} {'pixels of ' if each.level == 'pixel' else ''}{each.fitted_on}"
        if each.fitted_on == "test set":
            found_on = "the test set itself: elsewhere it does worse"
        table.add_row(
            *map(Text, (each.level, each.rule, f"{each.value:.6g}", rate_text(each.missed))),
            Text(rate_text(each.false_alarms)),
            Text(found_on),
        )
    return table


def rate_text(rate: Rate | None) -> str:
    """Return a rate as ``3 of 40: 7.5 % [2.6, 19.9]``."""
    if rate is None or not rate.of:
        return "–"
    low, high = 100 * rate.low, 100 * rate.high
    return f"{rate.count:,} of {rate.of:,}: {100 * rate.share:.1f} % [{low:.1f}, {high:.1f}]"


def _breakdown(heading: str, parts: dict[str, ByProtocol]) -> RenderableType:
    from rich.text import Text

    known = sorted({protocol for part in parts.values() for protocol in part})
    protocol = "ader" if "ader" in known or not known else known[0]
    table = _table(
        f"{heading} ({protocol}, percent)", *(METRICS[name].heading for name in PER_GROUP), numbers=1
    )
    for name, part in parts.items():
        values = [_percent(part.get(protocol, {}).get(metric)) for metric in PER_GROUP]
        table.add_row(Text(one_line(name)), *map(Text, values))
    return table


def _table(*headings: str, numbers: int | None = None) -> Table:
    """Return an empty table; columns from the index ``numbers`` on are right-aligned."""
    table = plain_table()
    for index, heading in enumerate(headings):
        right = numbers is not None and index >= numbers
        prose = 16 if heading == "State" else None
        table.add_column(heading, justify="right" if right else "left", min_width=prose)
    return table


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
