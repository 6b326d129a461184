"""Figures of a finished season, drawn and written: what ``vcn-ray plot`` and `SeasonResult.plot` do."""

from __future__ import annotations

import base64
import difflib
import html
import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, overload

from vcn_ray.errors import InputError, OptionError, VcnError
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.evaluate.report import Evaluation
from vcn_ray.export.exporters import place_and_name
from vcn_ray.export.render import several
from vcn_ray.pipeline.layout import FIGURES_FOLDER
from vcn_ray.plots.style import KINDS, Kind, drawing, render
from vcn_ray.plots.table import FIGURES, FigureKind, check_names
from vcn_ray.plots.title_data import TitleData
from vcn_ray.season.result_titles import Titles
from vcn_ray.storage.store import Store


class FinishedRun(Protocol):
    """What is drawn of a `season_result.SeasonResult`."""

    out: str
    titles: Titles

    def evaluate(self, ground_truth: str) -> Evaluation:
        """Measure it against a ground-truth CSV."""


@dataclass(frozen=True)
class Plot:
    """A figure, drawn. A notebook shows it."""

    name: str  # of `plots.table.FIGURES`
    title: str | None  # that it is of; None: of all
    folder: str | None  # of that title, below titles/
    files: dict[Kind, bytes]  # its content as PNG and as SVG

    @property
    def png(self) -> bytes:
        """The figure as PNG."""
        return self.files["png"]

    @property
    def svg(self) -> str:
        """The figure as SVG."""
        return self.files["svg"].decode()

    @property
    def label(self) -> str:
        """What it is, for a heading."""
        return f"{self.name}, {self.title}" if self.title is not None else self.name

    def __repr__(self) -> str:
        return f"Plot({self.label!r})"

    def _repr_png_(self) -> bytes:
        return self.png


class Plots(Sequence[Plot]):
    """Figures in the order asked for; a notebook shows them one below the other.

    `problems` has a sentence for each that could not be drawn, `written` paths or URLs of files.
    """

    def __init__(self, plots: Sequence[Plot], problems: Sequence[str] = (), written: Sequence[str] = ()):
        self._plots = list(plots)
        self.problems = list(problems)
        self.written = list(written)

    def __len__(self) -> int:
        return len(self._plots)

    @overload
    def __getitem__(self, key: int) -> Plot: ...
    @overload
    def __getitem__(self, key: slice) -> Plots: ...
    def __getitem__(self, key: int | slice) -> Plot | Plots:
        return Plots(self._plots[key]) if isinstance(key, slice) else self._plots[key]

    def __repr__(self) -> str:
        return f"<{several(len(self), 'figure')}: {', '.join(plot.label for plot in self)}>"

    def _repr_html_(self) -> str:
        return "\n".join(
            f'<img src="data:image/png;base64,{base64.b64encode(plot.png).decode()}" '
            f'alt="{html.escape(plot.label)}" style="max-width:100%">'
            for plot in self
        )


def draw_plots(
    result: FinishedRun, names: Sequence[str], title: str | None, ground_truth: str | None
) -> Iterator[Plot | str]:
    """Figures of a season one by one, or a sentence in the place of one that cannot be drawn.

    Where none is named, those that need ground truth are left out without it. What is wrong with what was asked for is
    raised before the first; see `SeasonResult.plot` for the arguments.
    """
    wanted = check_names(names)
    lacking = [name for name in wanted if FIGURES[name].needs_truth and ground_truth is None]
    if lacking and names:
        raise OptionError(f"{lacking[0]}: it needs ground truth; name a CSV of labelled faces (--ground-truth)")
    titles = _titles(result, title, ground_truth)
    alone = title is not None

    def drawn() -> Iterator[Plot | str]:
        if not alone:
            yield from (
                f"title {one.id!r} is left out, it is not finished: {one.error}" for one in result.titles if one.error
            )
        for name in wanted:
            if name not in lacking:
                for group in ([one] for one in titles) if FIGURES[name].of_title else (titles,):
                    yield _drawn(name, FIGURES[name], group, alone)

    return drawn()


def _drawn(name: str, kind: FigureKind, titles: Sequence[TitleData], alone: bool) -> Plot | str:
    of = titles[0] if kind.of_title or alone else None
    try:
        with drawing():
            figure = kind.draw(titles)
            files = {suffix: render(figure, suffix) for suffix in KINDS}
    except VcnError as error:
        return f"{name}: {error}"
    return Plot(name, None if of is None else of.id, None if of is None else of.results.name, files)


def _titles(result: FinishedRun, title: str | None, ground_truth: str | None) -> list[TitleData]:
    """The titles to draw, each with what the ground truth says of it."""
    if title is not None and title not in (ids := [one.id for one in result.titles]):
        near = difflib.get_close_matches(title, ids, n=1)
        known = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(ids)}"
        raise OptionError(f"no title is called {title!r}; {known}")
    chosen = [one for one in result.titles if title is None or one.id == title]
    if title is not None and chosen[0].error is not None:
        raise InputError(
            f"title {title!r} is not finished: {chosen[0].error}; the same `vcn-ray run` command again goes on with it"
        )
    done = [one for one in chosen if one.error is None]
    if not done:
        raise InputError(f"{result.out}: no title is finished; run again to have something to draw")
    truth = evaluation = None
    if ground_truth is not None:
        truth, evaluation = read_ground_truth(ground_truth), result.evaluate(ground_truth)
    data = []
    for one in done:
        own = None if evaluation is None else evaluation.titles.get(one.id, evaluation if len(done) == 1 else None)
        if own is not None and not own.identities:
            own = None
        results = Store(result.out).child("titles", one.slug)
        data.append(TitleData(one.id, results, one.seconds, None if own is None else truth, own))
    return data


def place_of(out: Store, path: str | None, plot: Plot, several_titles: bool) -> tuple[Store, str]:
    """Where a figure goes: a store, and its key there without its ending.

    Args:
        out: the season's folder.
        path: folder or URL to write into; None: beside the results, of a title in the title's folder.
        plot: the figure.
        several_titles: whether figures of several titles go into `path`: each then has a folder of its own.
    """
    if path is None:
        store = out if plot.folder is None else out.child("titles", plot.folder)
        return store, f"{FIGURES_FOLDER}/{plot.name}"
    in_own_folder = plot.folder is not None and several_titles
    return Store(path), f"{plot.folder}/{plot.name}" if in_own_folder else plot.name


def write_plots(
    result: FinishedRun, names: Sequence[str], title: str | None, ground_truth: str | None, path: str | None
) -> Iterator[tuple[Plot | str, list[str]]]:
    """Draw figures and write each at once: the figure and where it was written, or a sentence and nothing.

    path: a folder; a file ``*.png`` or ``*.svg`` for one figure; a URL of either; None: beside the results, to which
    the pages of the titles then lead (`evaluation_pages.show_figures`).
    """
    suffix = _suffix_of_file(path)
    drawn = draw_plots(result, names, title, ground_truth)
    several_titles = title is None and sum(one.error is None for one in result.titles) > 1
    if path is None or suffix is None:
        for one in drawn:
            written = []
            if isinstance(one, Plot):
                store, key = place_of(Store(result.out), path, one, several_titles)
                for kind, content in one.files.items():
                    store.write_bytes(f"{key}.{kind}", content)
                    written.append(store.where(f"{key}.{kind}"))
            yield one, written
        return
    if len(set(names)) != 1 or (FIGURES[names[0]].of_title and several_titles):
        raise OptionError(f"{path} is one file: name one figure, of one title (--figure, --title), or a folder")
    store, key = place_and_name(path, "")
    for one in drawn:
        if isinstance(one, Plot):
            store.write_bytes(key, one.files[suffix])
        yield one, [store.where(key)] if isinstance(one, Plot) else []


def _suffix_of_file(path: str | None) -> Kind | None:
    """How the file ends that a path names; None where it is a folder."""
    ending = "" if path is None else Path(path).suffix.lower().removeprefix(".")
    if path is None or path.endswith("/") or Path(path).is_dir():
        return None
    kind = next((kind for kind in KINDS if kind == ending), None)
    if kind is None and mimetypes.guess_type(path)[0] is not None:
        raise OptionError(f"{path}: figures are PNG or SVG; end the name in .png or .svg, or name a folder")
    return kind
