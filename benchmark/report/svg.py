"""Charts as inline SVG: colours and dashes come from the page's style sheet, so that dark mode suits them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 340, 250
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 10, 40
LETTER, LINE = 5.2, 11.0  # of labels, in the chart's units: the mean width of a letter, the height of a line
SMALLEST_STEP = 0.8  # units of the drawing; points that are nearer to the last one are not drawn

LARGEST = 1e100  # what is beyond, no method gave: it is left out, so that no sum overflows

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Series:
    """A line: ``style`` is the number of its colour and dash; points that are not finite are left out."""

    label: str
    style: int
    points: Points


@dataclass(frozen=True)
class Axis:
    """An axis from ``low`` to ``high``; a logarithmic one needs ``low`` > 0."""

    label: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def place(self, value: float) -> float:
        """Return where ``value`` lies, 0 at the axis's low end and 1 at its high one (may be outside)."""
        if self.log:
            span = math.log(self.high) - math.log(self.low)
            return (math.log(value) - math.log(self.low)) / span
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Return round values within the axis, about five.

        >>> Axis("", 0.0, 1.0).ticks()
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        >>> Axis("", 0.5, 200.0, log=True).ticks()
        [1.0, 10.0, 100.0]
        """
        if self.log:
            powers = range(
                math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1
            )
            step = max(1, math.ceil(len(powers) / 5))
            if len(powers) >= 2:
                return [float(f"1e{power}") for power in powers[::step]]
        rough = (self.high - self.low) / 5
        magnitude = 10 ** math.floor(math.log10(rough))
        step_size = min(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough * 0.999)
        first, last = math.ceil(self.low / step_size - 1e-9), math.floor(self.high / step_size + 1e-9)
        return [float(f"{index * step_size:.6g}") for index in range(first, last + 1)]


def axis_for(label: str, values: Iterable[float], log: bool = False) -> Axis:
    """Return an axis that holds all finite ``values`` with a little room; logarithmic if all are > 0."""
    finite = [value for value in values if abs(value) < LARGEST]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if log and low > 1 / LARGEST:
        return Axis(label, low / 1.3, high * 1.3, log=True)
    room = 0.06 * (high - low)
    return Axis(label, *widened(low - room, high + room))


def widened(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis, moved apart when they are so near that no ticks fit between them.

    >>> widened(0.0, 2.0), widened(4.0, 4.0), widened(0.0, 0.0)
    ((0.0, 2.0), (3.6, 4.4), (-0.1, 0.1))
    """
    largest = max(abs(low), abs(high))
    if high - low > max(1e-6 * largest, 1 / LARGEST):
        return low, high
    room = 0.1 * largest if largest > 1 / LARGEST else 0.1
    return low - room, high + room


def line_chart(title: str, series: Sequence[Series], x: Axis, y: Axis) -> Markup:
    """Return a chart of lines."""
    lines = []
    for one in series:
        drawn = _thin([_at(point, x, y) for point in one.points if _drawable(point, x, y)])
        if len(drawn) == 1:
            drawn = [drawn[0], (drawn[0][0] + 1, drawn[0][1])]
        path = " ".join(f"{across:.1f},{down:.1f}" for across, down in drawn)
        lines.append(
            Markup('<g class="line k{0} s{1} d{2}"><title>{3}</title><polyline points="{4}"/></g>').format(
                one.style, one.style % 7, one.style // 7 % 4, one.label, path
            )
        )
    return _chart(title, Markup("").join(lines), x, y)


def scatter(title: str, series: Sequence[Series], x: Axis, y: Axis) -> Markup:
    """Return a chart of labelled points (the first point of every series); labels make way for one another."""
    shown = [one for one in series if one.points and _drawable(one.points[0], x, y)]
    places = [_at(one.points[0], x, y) for one in shown]
    names = [one.label if len(one.label) <= 24 else one.label[:23] + "…" for one in shown]
    dots = []
    for one, name, (across, down), beside in zip(shown, names, places, _beside(places, names), strict=True):
        right = across > WIDTH * 0.6
        edge = across + (-9 if right else 9)
        dots.append(
            Markup(
                '<g class="dot k{0} s{1}"><title>{2}</title><circle cx="{3:.1f}" cy="{4:.1f}" r="5"/>{5}'
                '<text x="{6:.1f}" y="{7:.1f}" text-anchor="{8}">{9}</text></g>'
            ).format(
                one.style,
                one.style % 7,
                f"{one.label}: {one.points[0][0]:.4g}, {one.points[0][1]:.4g}",
                across,
                down,
                _leader(across, down, edge, beside),
                edge,
                beside + 4,
                "end" if right else "start",
                name,
            )
        )
    return _chart(title, Markup("").join(dots), x, y)


def _beside(places: Sequence[tuple[float, float]], names: Sequence[str]) -> list[float]:
    """Return where each label's middle lies, top to bottom: at its point's height or below a label in its way."""
    heights = [0.0] * len(places)
    taken: list[tuple[float, float, float]] = []  # from, to, height
    for index in sorted(range(len(places)), key=lambda index: places[index][1]):
        across, height = places[index]
        length = LETTER * len(names[index]) + 9
        start, end = (across - length, across) if across > WIDTH * 0.6 else (across, across + length)
        for other_start, other_end, other in sorted(taken, key=lambda label: label[2]):
            if start < other_end and other_start < end and abs(height - other) < LINE:
                height = other + LINE
        taken.append((start, end, height))
        heights[index] = height
    return heights


def _leader(across: float, down: float, edge: float, beside: float) -> Markup:
    """Return a line from a point to a label that had to move away from it."""
    if beside - down < LINE / 2:
        return Markup("")
    line = Markup('<line class="leader" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    return line.format(across, down, edge, beside)


def histogram(title: str, normal: Sequence[float], anomalous: Sequence[float], x: Axis) -> Markup:
    """Return two outlined areas: the shares of normal and of anomalous images per equal bin of ``x``."""
    top = max([*normal, *anomalous, 1e-9]) * 1.08
    y = Axis("share of images", 0.0, top)
    shapes = []
    for kind, shares in (("normal", normal), ("anomalous", anomalous)):
        width = (x.high - x.low) / max(len(shares), 1)
        points = [(x.low, 0.0)]
        for index, share in enumerate(shares):
            points += [(x.low + index * width, share), (x.low + (index + 1) * width, share)]
        points.append((x.high, 0.0))
        path = " ".join(f"{across:.1f},{down:.1f}" for across, down in (_at(p, x, y) for p in points))
        shapes.append(
            Markup('<g class="area {0}"><title>{0}</title><polygon points="{1}"/></g>').format(kind, path)
        )
    return _chart(title, Markup("").join(shapes), x, y)


def _drawable(point: tuple[float, float], x: Axis, y: Axis) -> bool:
    pairs = zip(point, (x, y), strict=True)
    return all(abs(value) < LARGEST and (value > 0 or not axis.log) for value, axis in pairs)


def _at(point: tuple[float, float], x: Axis, y: Axis) -> tuple[float, float]:
    across = LEFT + x.place(point[0]) * (WIDTH - LEFT - RIGHT)
    return across, HEIGHT - BOTTOM - y.place(point[1]) * (HEIGHT - TOP - BOTTOM)


def _thin(points: Points) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for point in points:
        if not kept or math.dist(kept[-1], point) >= SMALLEST_STEP:
            kept.append(point)
    if kept and kept[-1] != points[-1]:
        kept.append(points[-1])
    return kept


def _chart(title: str, content: Markup, x: Axis, y: Axis) -> Markup:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    marks = []
    for value in x.ticks():
        across = _at((value, y.low), x, y)[0]
        marks.append(
            f'<line x1="{across:.1f}" x2="{across:.1f}" y1="{TOP}" y2="{bottom}"/>'
            f'<text x="{across:.1f}" y="{bottom + 15}" text-anchor="middle">{_short(value)}</text>'
        )
    for value in y.ticks():
        down = _at((x.low, value), x, y)[1]
        marks.append(
            f'<line x1="{LEFT}" x2="{right}" y1="{down:.1f}" y2="{down:.1f}"/>'
            f'<text x="{LEFT - 5}" y="{down + 4:.1f}" text-anchor="end">{_short(value)}</text>'
        )
    middle, centre = (LEFT + right) / 2, (TOP + bottom) / 2
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<g class="grid">{"".join(marks)}</g>{content}'
        f'<text class="axis" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.label)}</text>'
        f'<text class="axis" x="12" y="{centre}" text-anchor="middle" transform="rotate(-90 12 {centre})">'
        f"{escape(y.label)}</text></svg>"
    )


def _short(value: float) -> str:
    """Return a tick's number in few characters.

    >>> [_short(value) for value in (0.0, 0.25, 1000.0, 2.5e6, 1e-5)]
    ['0', '0.25', '1000', '2.5e6', '1e-5']
    """
    text = f"{value:.4g}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.2g}"
    return text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
