"""The figures by name: what each shows, whether of a season or of one title, and what draws it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from vcn_ray.errors import OptionError
from vcn_ray.plots.courses import course_figure
from vcn_ray.plots.embedding_map import map_figure
from vcn_ray.plots.histograms import blur_figure, lightness_figure, quality_figure
from vcn_ray.plots.sheets import sheet_figure
from vcn_ray.plots.times import times_figure
from vcn_ray.plots.title_data import TitleData


@dataclass(frozen=True)
class FigureKind:
    """A figure that can be asked for by name."""

    shows: str  # in a few words
    draw: Callable[[Sequence[TitleData]], Figure]
    of_title: bool = False  # one for each title, rather than one for all of them
    needs_truth: bool = False


def _of_one(draw: Callable[[TitleData], Figure]) -> Callable[[Sequence[TitleData]], Figure]:
    return lambda titles: draw(titles[0])


FIGURES: dict[str, FigureKind] = {
    "quality": FigureKind("Tracks by SER-FIQ quality", quality_figure),
    "lightness": FigureKind("Tracks by the lightness of their faces", lightness_figure),
    "blur": FigureKind("Tracks by the blur of their faces", blur_figure),
    "tsne": FigureKind("Crops before and after adaptation", _of_one(map_figure), of_title=True),
    "sheets": FigureKind("Faces of each character", _of_one(sheet_figure), of_title=True),
    "iterations": FigureKind("WCP and PCR over iterations", course_figure, needs_truth=True),
    "times": FigureKind("Time of each stage", times_figure),
}


def check_names(names: Sequence[str]) -> list[str]:
    """The names, each once, in the order given; all of them where none is given. `OptionError` for an unknown one."""
    for name in names:
        if name not in FIGURES:
            near = difflib.get_close_matches(name, FIGURES, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(FIGURES)}"
            raise OptionError(f"no figure is called {name!r}; {known}")
    return list(dict.fromkeys(names)) or list(FIGURES)
