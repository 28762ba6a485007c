"""A comparison of two runs in words, tables and JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmark.comparison.compare import FEWEST, Comparison, Difference, Group
from benchmark.runs.columns import METRICS
from cocoad.base.console import one_line, plain_table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

BY_GROUP = ("mad", "image_auroc", "aupro")  # all the others are in the JSON
COLOURS = {"A": "magenta", "B": "cyan", "": ""}


def tables(comparison: Comparison) -> list[RenderableType]:
    """Return the comparison for a terminal: heading, metrics, groups by falling difference, conclusion."""
    from rich.text import Text

    heading = [f"A: {comparison.first}", f"B: {comparison.second}", *comparison.notes]
    shown: list[RenderableType] = [Text(one_line(line)) for line in heading]
    shown.append(_overall(comparison.overall, comparison.protocol))
    if comparison.groups:
        shown.append(_groups(comparison.groups))
    return [*shown, *(Text(line) for line in conclusion(comparison))]


def conclusion(comparison: Comparison) -> list[str]:
    """Return what may be concluded, in sentences."""
    differences = comparison.overall.differences
    b = [difference.metric for difference in differences if difference.better == "B"]
    a = [difference.metric for difference in differences if difference.better == "A"]
    lines = [
        f"B is better on {len(b)} of {len(differences)} metrics, A on {len(a)}, undecided on the rest (95 %)."
    ]
    if against := [METRICS[one.metric].heading for one in differences if one.contradicted]:
        lines.append(
            f"Not decided although the interval excludes 0: {', '.join(against)}, for the records' values "
            f"({comparison.protocol}) differ the other way."
        )
    lines.append(
        f"{comparison.samples} resamples of {comparison.images} images, seed {comparison.seed}. "
        "The intervals cover the choice of test images, not the seed of training."
    )
    few = [name for name, group in comparison.groups.items() if not group.enough]
    if large := len(comparison.groups) - len(few):
        lines.append(f"Of {large} groups, about {large / 20:.1f} would look decided on a metric by luck.")
    if few:
        lines.append(
            f"{len(few)} groups of fewer than {FEWEST} anomalous images are not decided: resampling a few images "
            "says nothing of others."
        )
    return lines


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON values (fractions; null where undefined)."""
    return {
        "a": str(comparison.first),
        "b": str(comparison.second),
        "images": comparison.images,
        "samples": comparison.samples,
        "seed": comparison.seed,
        "protocol": comparison.protocol,
        "notes": comparison.notes,
        "overall": _group_json(comparison.overall),
        "groups": {name: _group_json(group) for name, group in comparison.groups.items()},
    }


def _group_json(group: Group) -> dict[str, Any]:
    metrics = {}
    for one in group.differences:
        found = {key: value if math.isfinite(value) else None for key, value in asdict(one.found).items()}
        metrics[one.metric] = {"a": one.first, "b": one.second, **found, "better": one.better or None}
    return {"anomalous_images": group.anomalous, "enough_images": group.enough, "metrics": metrics}


def _overall(group: Group, protocol: str) -> Table:
    from rich.text import Text

    table = _table(f"Metric ({protocol}, percent)", "A", "B", "Better", "B − A", "95 % interval", "p")
    for one in group.differences:
        found = one.found
        interval = "–" if math.isnan(found.low) else f"[{_signed(found.low)}, {_signed(found.high)}]"
        p = "–" if math.isnan(found.p) else f"{found.p:.3f}" if found.p >= 0.001 else "< 0.001"
        better = Text(one.better or ("?" if one.contradicted else ""), COLOURS[one.better])
        values = [METRICS[one.metric].text(value) for value in (one.first, one.second)]
        table.add_row(METRICS[one.metric].heading, *values, better, _signed(found.difference), interval, p)
    return table


def _groups(groups: dict[str, Group]) -> Table:
    from rich.text import Text

    chosen = [
        name for name in BY_GROUP if any(d.metric == name for g in groups.values() for d in g.differences)
    ]
    table = _table("Group (B − A)", "Images", *(METRICS[name].heading for name in chosen))

    def falling(item: tuple[str, Group]) -> tuple[str, float]:
        difference = _find(item[1], chosen[0]).found.difference
        return item[0].split(":")[0], math.inf if math.isnan(difference) else -difference

    for name, group in sorted(groups.items(), key=falling):
        texts = [
            _verdict(_find(group, metric)) if group.enough else Text("too few", "dim") for metric in chosen
        ]
        table.add_row(Text(one_line(name)), str(group.anomalous), *texts)
    return table


def _find(group: Group, metric: str) -> Difference:
    return next(difference for difference in group.differences if difference.metric == metric)


def _verdict(one: Difference) -> Text:
    from rich.text import Text

    if math.isnan(one.found.difference):
        return Text("–")
    interval = f"[{_signed(one.found.low)},{_signed(one.found.high)}]"
    return Text(f"{_signed(one.found.difference)} {interval} {one.better or ' '}", COLOURS[one.better])


def _table(*headings: str) -> Table:
    table = plain_table(padding=(0, 1, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left")
    return table


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:+.1f}"
