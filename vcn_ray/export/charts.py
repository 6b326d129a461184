"""Figures of the pages, computed as plain numbers and text that the templates draw as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT = 320.0, 150.0
_WIDE = 390.0
_LINE = 14.0  # of text below an axis
_LEFT, _RIGHT, _TOP, _BOTTOM = 24.0, 24.0, 26.0, 24.0


@dataclass(frozen=True)
class Point:
    """A measured value: where it lies in the drawing, and what to write beside it."""

    x: float
    y: float
    iteration: int
    text: str
    labelled: bool  # whether its value is written into the drawing; all of them are in the tooltip


@dataclass(frozen=True)
class Curve:
    """One measure over the iterations, in the coordinates of a `width` x `height` drawing."""

    name: str
    points: list[Point]
    ticks: list[tuple[float, int]]  # x and iteration number
    width: float = _WIDTH
    height: float = _HEIGHT
    baseline: float = _HEIGHT - _BOTTOM

    @property
    def path(self) -> str:
        """SVG path through the points."""
        return _path([(p.x, p.y) for p in self.points])

    @property
    def description(self) -> str:
        """The curve in words, for those who cannot see it."""
        return f"{self.name} per iteration: " + ", ".join(f"{p.iteration}: {p.text}" for p in self.points)


def iteration_curve(
    name: str, iterations: Sequence[int], values: Sequence[float | None], digits: int, percent: bool = False
) -> Curve | None:
    """A measure over iterations as a small curve; None where nothing was measured.

    Args:
        name: of the measure, as its heading.
        iterations: number of each iteration.
        values: the measure of each; None or not finite where it was not measured.
        digits: decimals in labels.
        percent: show 0..1 as 0..100 %.
    """
    known = [(i, float(v)) for i, v in zip(iterations, values, strict=True) if v is not None and math.isfinite(v)]
    if not known:
        return None
    low, high = min(v for _, v in known), max(v for _, v in known)
    # A nearly level curve is drawn nearly level: its range is at least a tenth of its size.
    span = max(high - low, 0.1 * max(abs(high), abs(low)), 1e-9)
    middle = (high + low) / 2
    first, last = min(iterations), max(max(iterations), min(iterations) + 1)

    def x_of(iteration: int) -> float:
        return _LEFT + (iteration - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y_of(value: float) -> float:
        return _TOP + (0.5 - (value - middle) / span) * (_HEIGHT - _TOP - _BOTTOM - 12)

    labelled = {0, len(known) - 1, *([] if len(known) > 12 else range(len(known)))}
    points = [
        Point(x_of(i), y_of(v), i, f"{v * 100:.{digits}f} %" if percent else f"{v:,.{digits}f}", n in labelled)
        for n, (i, v) in enumerate(known)
    ]
    step = max(1, math.ceil((max(iterations) - first + 1) / 12))
    return Curve(name, points, [(x_of(i), i) for i in range(first, max(iterations) + 1, step)])


@dataclass(frozen=True)
class BinPoint:
    """The tracks of one range of confidence: where their confidence and the share right lie, and words for them."""

    x: float
    y_said: float
    y_right: float
    edges: str  # the range, in per cent
    count: str  # how many tracks: of few, the share right says little
    label: str  # share that is right, in per cent
    text: str


@dataclass(frozen=True)
class ReliabilityCurve:
    """Share of tracks that are right beside what their confidence says, by range of confidence."""

    points: list[BinPoint]
    width: float = _WIDE
    height: float = _HEIGHT + _LINE
    baseline: float = _HEIGHT - _BOTTOM

    @property
    def said(self) -> str:
        """SVG path through what the confidence says."""
        return _path([(p.x, p.y_said) for p in self.points])

    @property
    def right(self) -> str:
        """SVG path through the shares that are right."""
        return _path([(p.x, p.y_right) for p in self.points])

    @property
    def description(self) -> str:
        """The curve in words, for those who cannot see it."""
        return "Reliability of the confidence: " + "; ".join(p.text for p in self.points)


def reliability_curve(bins: Sequence[Mapping[str, Any]]) -> ReliabilityCurve | None:
    """The bins that hold tracks, evenly spaced; None where none does.

    Args:
        bins: dicts with low, high, tracks, mean_confidence and right, as `evaluate` gives them.
    """
    filled = [b for b in bins if b["tracks"]]
    if not filled:
        return None
    step = (_WIDE - _LEFT - _RIGHT) / max(len(filled) - 1, 1)

    def y_of(share: float) -> float:
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    points = []
    for n, b in enumerate(filled):
        edges = f"{100 * b['low']:g}\u2013{100 * b['high']:g}"
        label, said = (f"{100 * b[name]:.0f}" for name in ("right", "mean_confidence"))
        count = f"{b['tracks']:,} track{'' if b['tracks'] == 1 else 's'}"
        text = f"{edges} %: {count}, {said} % on average, {label} % right"
        places = _LEFT + n * step, y_of(b["mean_confidence"]), y_of(b["right"])
        points.append(BinPoint(*places, edges, f"{b['tracks']:,}", label, text))
    return ReliabilityCurve(points)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{'M' if n == 0 else 'L'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(points))


def clock(seconds: float) -> str:
    """A position in a video: 0:07, 12:34, 1:02:03."""
    total = int(seconds)
    hours, minutes = total // 3600, total // 60 % 60
    return f"{hours}:{minutes:02d}:{total % 60:02d}" if hours else f"{minutes}:{total % 60:02d}"


def span_text(seconds: float) -> str:
    """A length of time for reading: 4.2 s, 3 min 12 s, 1 h 04 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s" if total % 60 else f"{total // 60} min"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def chance_text(probability: float) -> str:
    """A probability in whole per cent, rounded down, so that nothing uncertain reads as certain."""
    if probability < 0.01:
        return "under 1 %"
    if probability > 0.99:
        return "over 99 %"
    return f"{math.floor(round(100 * probability, 6))} %"  # 100 * 0.29 is a little less than 29


def time_ticks(duration_s: float, most: int) -> list[tuple[float, str]]:
    """Round times for the axis of a time line, about `most` of them: (share of the duration 0..1, text)."""
    if duration_s <= 0:
        return [(0.0, clock(0))]
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
    step = next((s for s in steps if duration_s / s <= most), math.ceil(duration_s / most / 3600) * 3600)
    return [(k * step / duration_s, clock(k * step)) for k in range(int(duration_s / step) + 1)]
