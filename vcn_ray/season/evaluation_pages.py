"""What is measured and drawn of a finished run, on its titles' pages: figures against ground truth, and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from vcn_ray.errors import OutputError
from vcn_ray.evaluate.report import Evaluation
from vcn_ray.export.title_page import DrawnFigure, write_title_page
from vcn_ray.pipeline.layout import FIGURES_FOLDER
from vcn_ray.pipeline.outputs.title_outputs import EVALUATION_KEY, FACTS_KEY, title_report
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store


def show_evaluation(result: SeasonResult, evaluation: Evaluation) -> list[str]:
    """Write the pages of a run's finished titles anew, each with its own figures against ground truth.

    A title without labelled faces gets its page without any. A run that redoes a title's results takes them away.

    Args:
        result: the run.
        evaluation: of it, as `SeasonResult.evaluate` gives it.

    Returns:
        A sentence for each page that stays as it is, as it cannot be written or was made from what is gone.
    """
    of_title = evaluation.titles or dict.fromkeys(
        pc.unique(result.faces.to_arrow(["title"])["title"]).to_pylist(), evaluation
    )
    problems = []
    for title in result.titles:
        if title.error is None:
            results = Store(result.out).child("titles", title.slug)
            own = of_title.get(title.id)
            try:
                _keep_evaluation(results.child("work"), own.to_dict() if own is not None and own.identities else None)
                _write_again(results, drawn_figures(Store(result.out), title.slug))
            except OutputError as error:
                problems.append(f"{results.where('report.html')} stays as it is, without these figures: {error}")
    return problems


def show_figures(result: SeasonResult, slugs: Sequence[str]) -> list[str]:
    """Write the pages of these titles anew, with links to what was drawn of them and of the season.

    Args:
        result: the run.
        slugs: folders of the titles.

    Returns:
        A sentence for each page that stays as it is.
    """
    out, problems = Store(result.out), []
    for slug in slugs:
        results = out.child("titles", slug)
        try:
            _write_again(results, drawn_figures(out, slug))
        except OutputError as error:
            problems.append(f"{results.where('report.html')} stays as it is, without links to figures: {error}")
    return problems


def drawn_figures(out: Store, slug: str) -> list[DrawnFigure]:
    """What was drawn of a title, else of its season, with links from the title's page."""
    links: dict[str, dict[str, str]] = {}
    for store, way in ((out, "../../"), (out.child("titles", slug), "")):
        of_place: dict[str, dict[str, str]] = {}
        for key in store.keys(f"{FIGURES_FOLDER}/"):
            name, _, kind = key.removeprefix(f"{FIGURES_FOLDER}/").partition(".")
            of_place.setdefault(name, {})[kind.upper()] = f"{way}{key}"
        links |= of_place
    if not links:
        return []
    from vcn_ray.plots.table import FIGURES  # imports matplotlib

    return [DrawnFigure(kind.shows, links[name]) for name, kind in FIGURES.items() if name in links]


def _keep_evaluation(work: Store, evaluation: Mapping[str, Any] | None) -> None:
    if evaluation is None:
        work.delete(EVALUATION_KEY)
    else:
        work.write_json(EVALUATION_KEY, evaluation)


def _write_again(results: Store, drawn: Sequence[DrawnFigure]) -> None:
    """Write a title's page anew; `OutputError` where that cannot be done."""
    work = results.child("work")
    if not work.exists(FACTS_KEY):
        raise OutputError(f"{work.where(FACTS_KEY)} is gone; without it the page cannot be made")
    try:
        evaluation = work.read_json(EVALUATION_KEY) if work.exists(EVALUATION_KEY) else None
        report = title_report(results, work.read_json(FACTS_KEY), evaluation, drawn)
    except (TypeError, KeyError):
        raise OutputError(
            f"{work.where(FACTS_KEY)} is not what this version writes; delete {results.url}, run again"
        ) from None
    write_title_page(results, report)
