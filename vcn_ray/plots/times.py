"""How long each stage of each title took (S Tab. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vcn_ray.errors import InputError
from vcn_ray.plots.style import FILLS, HATCHES, add_legend, add_note, plain
from vcn_ray.plots.title_data import TitleData

#: What the stages of ``season.json`` are called, in their order.
STAGES = {
    "tracks": "faces and tracks",
    "views": "embedding crops",
    "adapt": "adaptation (finetuning, clustering)",
    "results": "tables and page",
}
MOST_ROWS = 60
_IN_MINUTES_FROM_S = 300


def times_figure(titles: Sequence[TitleData]) -> Figure:
    """Wall time of each stage of each title, with its tracks and iterations (S Tab. 3).

    The supplement has minutes of finetuning and seconds of the final clustering on an A10, of each film and per track.
    Here clustering is part of every iteration: what one takes is told by iteration 0, which trains nothing. Titles of
    a run share a machine, so that their times add up to more than the run's.
    """
    timed = [title for title in titles if any(title.seconds.values())]
    if not timed:
        raise InputError("no title has times of its stages; results of another version? Run again to have them")
    shown = timed[:MOST_ROWS]
    longest = max(sum(title.seconds.values()) for title in shown)
    unit, scale = ("minutes", 60) if longest >= _IN_MINUTES_FROM_S else ("seconds", 1)
    figure = Figure(figsize=(8.2, 1.9 + 0.32 * len(shown)))
    axes, figures = figure.subplots(1, 2, width_ratios=(5, 3), sharey=True)
    stages = list(dict.fromkeys([*STAGES, *(stage for title in shown for stage in title.seconds)]))
    stages = [stage for stage in stages if any(title.seconds.get(stage) for title in shown)]
    left = [0.0] * len(shown)
    handles = []
    for number, stage in enumerate(stages):
        widths = [title.seconds.get(stage, 0.0) / scale for title in shown]
        look: dict[str, Any] = {
            "facecolor": FILLS[number % len(FILLS)],
            "hatch": HATCHES[number % len(HATCHES)],
            "edgecolor": "black",
            "linewidth": 0.7,
        }
        axes.barh(range(len(shown)), widths, left=left, height=0.62, **look)
        left = [start + width for start, width in zip(left, widths, strict=True)]
        handles.append(Patch(**look))
    axes.set_yticks(range(len(shown)), [plain(title.id, 24) for title in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel(f"Wall time ({unit})")
    figures.axis("off")
    cells = [("tracks", "iterations", "s a\ntrack", "clustering\n(s)"), *map(_cells, shown)]
    for row, of_title in enumerate(cells, start=-1):
        for column, cell in enumerate(of_title):
            figures.text(0.1 + 0.27 * column, max(row, -0.55), cell, ha="center", va="bottom" if row < 0 else "center")
    labels = [plain(STAGES.get(stage, stage), 40) for stage in stages]
    add_legend(figure, handles, labels, loc="outside upper left", ncols=len(labels), fontsize=8)
    more = len(timed) - len(shown)
    add_note(
        figure,
        "Iterations: of adaptation. s a track: of all stages. Clustering: once, in iteration 0, which trains nothing. "
        "Titles of a run share a machine." + (f" {more} more titles are left out; --title takes one." if more else ""),
    )
    return figure


def _cells(title: TitleData) -> tuple[str, str, str, str]:
    tracks = title.tracks.num_rows
    clustering = title.seconds_of_iteration(0)
    return (
        str(tracks),
        str(max(0, title.iterations.num_rows - 1)),
        f"{sum(title.seconds.values()) / tracks:.2f}" if tracks else "–",
        "–" if clustering is None else f"{clustering:.2f}",
    )
