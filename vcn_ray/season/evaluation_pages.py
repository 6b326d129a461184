"""Figures against ground truth, on the pages of a run that is finished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from vcn_ray.errors import OutputError
from vcn_ray.evaluate.report import Evaluation
from vcn_ray.export.title_page import write_title_page
from vcn_ray.pipeline.outputs.title_outputs import FACTS_KEY, title_report
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
                _write_again(results, own.to_dict() if own is not None and own.identities else None)
            except OutputError as error:
                problems.append(f"{results.where('report.html')} stays as it is, without these figures: {error}")
    return problems


def _write_again(results: Store, evaluation: Mapping[str, Any] | None) -> None:
    """Write a title's page anew; `OutputError` where that cannot be done."""
    work = results.child("work")
    if not work.exists(FACTS_KEY):
        raise OutputError(f"{work.where(FACTS_KEY)} is gone; without it the page cannot be made")
    try:
        report = title_report(results, work.read_json(FACTS_KEY), evaluation)
    except (TypeError, KeyError):
        raise OutputError(
            f"{work.where(FACTS_KEY)} is not what this version writes; delete {results.url}, run again"
        ) from None
    write_title_page(results, report)
