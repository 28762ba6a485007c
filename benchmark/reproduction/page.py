"""A reproduction for people: a table in the terminal, a page in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.reproduction.plan import Plan
from benchmark.reproduction.verdict import Measured, Verdict
from cocoad.base.console import plain_table
from cocoad.base.files import write_atomic

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("Target", "Part", "Epoch", "Ours at", "Metric", "Ours", "Theirs", "Difference", "Verdict")


def rows(plan: Plan, found: Iterable[Verdict]) -> list[tuple[str, ...]]:
    """Return the cells under ``HEADINGS`` of the figures that have a measurement, metrics side by side."""
    return [_row(plan, each) for each in found if each.ours is not None]


def _row(plan: Plan, each: Verdict) -> tuple[str, ...]:
    assert each.ours is not None
    return (
        each.target.name,
        each.theirs.part,
        str(each.theirs.epoch),
        _at(each.ours),
        " / ".join(plan.metrics),
        " / ".join(_percent(each.ours.metrics.get(name)) for name in plan.metrics),
        " / ".join(_percent(each.theirs.metrics[name]) for name in plan.metrics),
        " / ".join(
            f"{each.differences[name]:+.1f}" if name in each.differences else "–" for name in plan.metrics
        ),
        each.text,
    )


def _at(ours: Measured) -> str:
    return f"epoch {ours.epoch}, {ours.images:,} images"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def table(plan: Plan, found: Sequence[Verdict]) -> Table:
    """Return the terminal's table."""
    shown = plain_table()
    for heading in HEADINGS:
        shown.add_column(heading, justify="right" if heading == "Epoch" else "left")
    for row in rows(plan, found):
        shown.add_row(*row)
    return shown


def summary(found: Sequence[Verdict]) -> str:
    """Return how many figures were met, missed, not comparable and not run."""
    counts = {"reproduced": 0, "off": 0, "not comparable": 0, "not run": 0}
    for each in found:
        counts["not run" if each.ours is None else each.finding] += 1
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no figures"


def markdown(plan: Plan, found: Sequence[Verdict], command: str) -> str:
    """Return a section of Markdown: what was to be met, the command, the table, the runs behind it."""
    metrics = ", ".join(f"`{name}`" for name in plan.metrics)
    said = summary(found)
    lines = [
        f"## {plan.title}",
        "",
        f"{plan.source} Figures: {metrics}, in percent, under the protocol `ader`; a class counts as reproduced within "
        f"{_tolerances(plan)} points, a mean within {plan.mean_tolerance:g}.",
        "",
        *(f"- {note}" for note in plan.notes),
        *([""] if plan.notes else []),
        "<!-- not run: its data are not part of the project -->",
        "```sh",
        command,
        "```",
        "",
        f"{said[:1].upper()}{said[1:]}.",
        "",
        "| Target | Part | Epoch | Ours at | Ours | Theirs | Difference | Verdict |",
        "| --- | --- | ---: | --- | --- | --- | --- | --- |",
    ]
    for row in rows(plan, found):
        cells = [cell for heading, cell in zip(HEADINGS, row, strict=True) if heading != "Metric"]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join([*lines, "", *_runs(found), ""])


def _tolerances(plan: Plan) -> str:
    return " / ".join(f"{plan.tolerance[name]:g}" for name in plan.metrics)


def _runs(found: Sequence[Verdict]) -> list[str]:
    """Say what the runs were made with, a line for each."""
    lines = {}
    for each in found:
        if each.ours is None:
            continue
        record = each.ours.record
        environment, data = record.environment, record.dataset
        classes = ", ".join(data.classes) if len(data.classes) < 4 else f"{len(data.classes)} classes"
        precision = record.config.get("recipe", {}).get("precision", "32-true")
        lines[record.sha256] = (
            f"- {each.target.name} on {classes}: {record.method.backbone}, weights {record.method.weights}, "
            f"{record.epochs} epoch(s) of {data.train_normal:,} images, seed {record.seed}, {precision}, "
            f"cocoad {environment.get('cocoad')}, torch {environment.get('packages', {}).get('torch')}, "
            f"{environment.get('gpu') or environment.get('cpu')}, dataset {data.hash[:12]}, "
            f"record {record.sha256[:12]}"
        )
    return ["Runs:", "", *lines.values()] if lines else ["No run yet."]


def write_section(page: Path, name: str, text: str) -> None:
    """Put a plan's section into a page: over the one that an earlier call wrote, else at its end."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    old = page.read_text(encoding="utf-8") if page.is_file() else "# Reproduction\n"
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    new = found.sub(lambda _: section, old) if found.search(old) else f"{old.rstrip()}\n\n{section}\n"
    write_atomic(page, new.encode())
