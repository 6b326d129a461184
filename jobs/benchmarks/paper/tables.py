"""What the search found, to read: how near each setting's course is to the paper's, and which one to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jobs.benchmarks.paper.published import Point, distance, published
from jobs.benchmarks.quality.folds import Folds
from jobs.benchmarks.quality.report.tables import Grid

#: Iterations that are told of each setting: the first, on the way, where the paper is best, and the last.
_TOLD = (1, 3, 5, 10)

Row = Mapping[str, Any]


def grids(rows: Sequence[Row], folds: Folds, note: str) -> list[Grid]:
    """A table of all settings, and of each season the course of the setting that is best on the others' seasons.

    rows: of `search.COURSES`. Scores that are not defined, as all tracks are Unknown, count 0.
    """
    chosen = {season: choose(rows, folds[season]) for season in dict.fromkeys(row["season"] for row in rows)}
    return [_settings(rows, note), _courses(rows, chosen)]


def choose(rows: Sequence[Row], left_out: frozenset[str]) -> str | None:
    """The setting whose courses on all other seasons are nearest to the paper's on average; the first among equals.

    left_out: the season that it is chosen for, and those of its people. None where no season is left.
    """
    others = [row for row in rows if row["season"] not in left_out]
    settings = dict.fromkeys(row["setting"] for row in others)
    far = {setting: _mean_distance([row for row in others if row["setting"] == setting]) for setting in settings}
    return min(far, key=lambda setting: far[setting]) if far else None


def _settings(rows: Sequence[Row], note: str) -> Grid:
    seasons = list(dict.fromkeys(row["season"] for row in rows))
    lines = []
    for setting in dict.fromkeys(row["setting"] for row in rows):
        own = [row for row in rows if row["setting"] == setting]
        of_season = [[row for row in own if row["season"] == season] for season in seasons]
        cells = [_told(part) if part else "" for part in of_season]
        measured = [part for part in of_season if part]
        entropies = [np.mean([row[name] for row in _at(own, 5)]) for name in ("teacher_entropy", "mean_output_entropy")]
        f = np.mean([np.mean([row["bcubed_f_all"] or 0.0 for row in _at(part, 5)]) for part in measured])
        far = f"{_mean_distance(own):.2f}"
        lines.append((setting, own[0]["options"], far, f"{f:.3f}", " / ".join(f"{h:.2f}" for h in entropies), *cells))
    header = ("setting", "options", "distance", "F", "H(p) / H(mean p)", *seasons)
    told = ", ".join(map(str, _TOLD))
    paper = " ".join(_cell(published(number)) for number in _TOLD)
    what = f"WCP/PCR after iterations {told} (the paper: {paper}); F and entropies after iteration 5."
    return Grid("method: paper, by setting", header, tuple(lines), f"{what} {note}".strip())


def _courses(rows: Sequence[Row], chosen: Mapping[str, str | None]) -> Grid:
    seasons = [season for season, setting in chosen.items() if setting is not None]
    own = {s: [row for row in rows if (row["season"], row["setting"]) == (s, chosen[s])] for s in seasons}
    lines = []
    for number in sorted({row["iteration"] for row in rows}):
        paper = _cell(published(number)) if number <= 10 else ""
        cells = [_cell(_points(own[s])[number]) if number in _points(own[s]) else "" for s in seasons]
        lines.append((str(number), paper, *cells))
    header = ("iteration", "the paper", *(f"{season}: {chosen[season]}" for season in seasons))
    return Grid("WCP/PCR by iteration, the setting that is best on other seasons", header, tuple(lines))


def _mean_distance(rows: Sequence[Row]) -> float:
    """Of several seasons, each weighing the same."""
    seasons = dict.fromkeys(row["season"] for row in rows)
    return float(np.mean([distance(_points([row for row in rows if row["season"] == s])) for s in seasons]))


def _points(rows: Sequence[Row]) -> dict[int, Point]:
    """The course of one setting on one season, mean over seeds."""
    return {
        number: Point(*(float(np.mean([row[name] or 0.0 for row in _at(rows, number)])) for name in ("wcp", "pcr")))
        for number in sorted({row["iteration"] for row in rows})
    }


def _at(rows: Sequence[Row], iteration: int) -> list[Row]:
    """The rows after an iteration, or after the last one of a shorter course."""
    last = max(row["iteration"] for row in rows)
    return [row for row in rows if row["iteration"] == min(iteration, last)]


def _told(rows: Sequence[Row]) -> str:
    points = _points(rows)
    return " ".join(_cell(points[number]) for number in _TOLD if number in points)


def _cell(point: Point) -> str:
    return f"{point.wcp:.2f}/{point.pcr:.2f}"
