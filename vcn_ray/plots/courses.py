"""How a title's clustering goes over the iterations of adaptation, against ground truth (S Tab. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vcn_ray.errors import InputError
from vcn_ray.evaluate.report import Evaluation
from vcn_ray.plots.style import COLOURS, LINES, MARKERS, QUIET, add_legend, add_note, plain
from vcn_ray.plots.title_data import TitleData

#: S Tab. 2: WCP in %, and clusters found, of iterations 1 to 10; with the number of people.
PAPER_COURSES: dict[str, tuple[tuple[float, ...], tuple[int, ...], int]] = {
    "The Hidden Soldier": (
        (52.56, 72.12, 91.38, 96.93, 98.50, 98.41, 98.47, 98.50, 98.50, 98.41),
        (10, 12, 24, 21, 22, 23, 23, 25, 26, 26),
        21,
    ),
    "An Elephant's Journey": (
        (43.21, 82.94, 92.41, 95.18, 97.20, 96.92, 96.63, 97.05, 96.92, 97.05),
        (7, 10, 12, 16, 20, 21, 21, 23, 24, 24),
        18,
    ),
}

#: So many titles have a line of their own; of more the first are drawn.
MOST_LINES = 7


def course_figure(titles: Sequence[TitleData]) -> Figure:
    """WCP and PCR of each title over the iterations (S Tab. 2), with the supplement's two courses in grey.

    WCP is weighted cluster purity, PCR clusters over people of the ground truth, both over tracks that show a labelled
    person and are in a cluster (see `evaluate.report.Scores`). Iteration 0 is the base model, which S Tab. 2 does not
    have. The supplement clusters after every of 10 iterations; a run ends where the clustering hardly changes any more.
    """
    measured = [(title.id, title.evaluation) for title in titles if title.evaluation is not None]
    found = [(name, own) for name, own in measured if _course(own)]
    if not found:
        raise InputError("no title has labelled tracks in its iterations")
    figure = Figure(figsize=(7, 6.2))
    purity, ratio = figure.subplots(2, 1, sharex=True)
    handles: list[Artist] = []
    labels = []
    for number, (name, (wcp, clusters, people)) in enumerate(PAPER_COURSES.items()):
        quiet: dict[str, Any] = {"color": "#9a9a9a", "linewidth": 1.0, "linestyle": LINES[3 * number], "zorder": 1}
        purity.plot(range(1, 11), wcp, **quiet)
        ratio.plot(range(1, 11), [count / people for count in clusters], **quiet)
        handles.append(Line2D([], [], **quiet))
        labels.append(f"paper, {name} ({clusters[-1]} / {people} at the end)")
    for number, (name, evaluation) in enumerate(found[:MOST_LINES]):
        course = _course(evaluation)
        style: dict[str, Any] = {
            "color": COLOURS[number],
            "linestyle": LINES[number],
            "marker": MARKERS[number],
            "markersize": 5,
            "markerfacecolor": "white" if number % 2 else COLOURS[number],
            "linewidth": 1.6,
        }
        purity.plot([one[0] for one in course], [100 * one[1] for one in course], **style)
        ratio.plot([one[0] for one in course], [one[2] for one in course], **style)
        handles.append(Line2D([], [], **style))
        last = evaluation.iterations[course[-1][0]]
        labels.append(f"{plain(name)} ({last.clusters} / {evaluation.identities} at the end)")
    _finish(purity, ratio)
    add_legend(figure, handles, labels, loc="outside upper left", fontsize=8, ncols=1 if len(labels) < 5 else 2)
    more = len(found) - MOST_LINES
    add_note(
        figure,
        "In brackets: clusters / people. Over tracks that show a labelled person and are in a cluster. Grey: "
        "the paper, S Tab. 2, of other films."
        + (f" {more} more titles are left out; --title takes one." if more > 0 else ""),
    )
    return figure


def _course(evaluation: Evaluation) -> list[tuple[int, float, float]]:
    """Iteration, WCP and PCR, where they are known."""
    return [
        (number, scores.wcp, scores.pcr)
        for number, scores in sorted(evaluation.iterations.items())
        if scores.wcp is not None and scores.pcr is not None
    ]


def _finish(purity: Axes, ratio: Axes) -> None:
    purity.set_ylabel("WCP, weighted cluster purity (%)")
    ratio.set_ylabel("PCR, clusters per person (no unit)")
    ratio.set_xlabel("Iteration (0: the base model)")
    ratio.axhline(1, color=QUIET, linewidth=0.8, zorder=0)
    ratio.xaxis.set_major_locator(MaxNLocator(integer=True))
    ratio.set_ylim(bottom=0)
    for axes in (purity, ratio):
        axes.grid(color="#ececec", linewidth=0.6)
        axes.set_axisbelow(True)
