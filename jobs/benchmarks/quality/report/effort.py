"""Tables of the product's loop: iterations until it settled, tracks that each changed, seconds, those of training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from jobs.benchmarks.quality.model_selection import Row
from jobs.benchmarks.quality.report.sizes import SMALL_TRACKS, true_tracks
from jobs.benchmarks.quality.report.tables import Grid

_HEADER = ("kind", "method", "titles", "iterations", "most", "not settled", "seconds", "of it training")


def effort_grids(rows: Sequence[Row]) -> list[Grid]:
    """A line a kind and method over all titles; then each larger title's changed tracks, so that swinging shows.

    A title counts once a seed. Shares of changed tracks are means over the titles that had the iteration.
    """
    own = [row for row in rows if row["changed"] is not None]
    lines = []
    for kind, method in dict.fromkeys((row["kind"], row["method"]) for row in own):
        lines.append((kind, method, *_cells([row for row in own if (row["kind"], row["method"]) == (kind, method)])))
    larger = [
        (row["season"], row["case"], row["method"], str(row["seed"]), *_of_title(row))
        for row in own
        if row["changed"] and true_tracks(row) > SMALL_TRACKS
    ]
    header = (*_HEADER, "changed tracks, % of the title's, in iteration 1, 2, ...")
    of_titles = ("season", "case", "method", "seed", "tracks", "delivered", "settled", "tracks changed in 1, 2, ...")
    grids = [
        Grid("the loop: iterations, seconds a title, changed tracks", header, tuple(lines)),
        Grid(f"changed tracks in titles of more than {SMALL_TRACKS} true tracks", of_titles, tuple(larger)),
    ]
    return [grid for grid in grids if grid.rows]


def _cells(rows: Sequence[Row]) -> list[str]:
    changed = [_numbers(row["changed"]) for row in rows]
    counts = [len(one) for one in changed]
    unsettled = sum(row["settled"] is False for row in rows)
    seconds = [f"{np.mean([row[name] for row in rows]):.1f}" for name in ("wall_s", "train_s")]
    shares = [[n / row["tracks"] for n in one] for row, one in zip(rows, changed, strict=True)]
    by_iteration = ([value for value in values if value is not None] for values in zip_longest(*shares))
    course = ", ".join(f"{100 * np.mean(values):.0f}" for values in by_iteration)
    return [str(len(rows)), f"{np.mean(counts):.1f}", str(max(counts)), str(unsettled), *seconds, course]


def _of_title(row: Row) -> tuple[str, str, str, str]:
    return str(row["tracks"]), str(row["delivered"]), "yes" if row["settled"] else "no", row["changed"]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(", ")] if text else []
