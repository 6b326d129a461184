"""What the bench keeps and shows of the product's confidence: every judged track, pooled over cases."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs.benchmarks.quality.folds import make_folds
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import Extracted, Footage
from jobs.benchmarks.quality.judged import JudgedTrack
from jobs.benchmarks.quality.methods import KnownMethods, Method
from jobs.benchmarks.quality.model_selection import KEYS, Row, rows_of
from jobs.benchmarks.quality.report.reliability import CONFIDENCE, reliability_grids, store_confidence
from jobs.benchmarks.quality.report.tables import QUALITY
from jobs.benchmarks.quality.trial import Answer, Outcome, Trial, measure


def rows(tracks: int = 1, **confident: list[JudgedTrack]) -> list[Row]:
    """Rows of the product on a season each of so many tracks, and of a baseline that knows no confidence."""
    outcomes = []
    for season, judged in {**confident, "silent": []}.items():
        case = Case(Extracted(Footage(season, "", (), ""), ""), "whole", "whole", False)
        method = Method("default", "product") if judged else Method("FINCH", "baseline")
        scores = dict.fromkeys(QUALITY.names[len(KEYS) :], 1) | {"tracks": tracks + 3, "false_tracks": 3}
        answer = Answer(scores, 0.1, judged=tuple(judged) or None)
        outcomes.append(Outcome(Trial(method, case, 0), (answer,)))
    return rows_of(outcomes, make_folds([*confident, "silent"]))[0]


def track(confidence: float, right: bool, *, split: bool = False) -> JudgedTrack:
    return JudgedTrack(confidence, right and not split, right)


def test_titles_of_a_size_are_pooled_into_one_line_a_method() -> None:
    small = rows(40, one=[track(0.6, False), track(0.95, True)], two=[track(0.62, True), track(1.0, True, split=True)])
    figures, curves = reliability_grids([*small, *rows(501, three=[track(0.9, True)])])
    assert [line[:5] for line in figures.rows] == [
        ("small", "default", "2", "4", "0.750"),
        ("long", "default", "1", "1", "1.000"),
    ]
    of_small = dict(zip(figures.header, figures.rows[0], strict=True))
    assert of_small["AUC"] == "1.000"
    assert (
        of_small["wrong among the 10 % least confident"] == "0.40"
    )  # of four tracks 0.4 fit in, and that one is wrong
    assert of_small["calibration error"] == "0.068"  # two of .61 of which half are right, one of .95, one of 1
    assert of_small["calibration error, splits wrong too"] == "0.318"
    cells = dict(zip(curves.header, curves.rows[0], strict=True))
    assert (cells["0.5 to 0.7"], cells["0 to 0.5"]) == ("2: 0.610, 0.500", "")
    assert not reliability_grids(rows())


def test_a_title_that_is_whole_and_small_counts_once() -> None:
    whole = rows(one=[track(0.6, True)])
    figures, _ = reliability_grids([*whole, *({**row, "kind": "small titles"} for row in whole)])
    assert figures.rows[0][2:4] == ("1", "1")


def test_every_judged_track_is_kept(tmp_path: Path) -> None:
    judged = {"one": [track(0.5, False)], "two": [track(0.25, True, split=True), track(1.0, True)]}
    store_confidence(rows(7, **judged), tmp_path / "quality")
    table = pq.read_table(tmp_path / "quality-confidence.parquet")
    assert table.schema == CONFIDENCE
    found = [tuple(row[n] for n in ("season", "confidence", "right", "of_majority")) for row in table.to_pylist()]
    assert found == [("one", 0.5, False, False), ("two", 0.25, False, True), ("two", 1.0, True, True)]
    assert set(table["true_tracks"].to_pylist()) == {7}


def test_the_product_tells_its_confidence_of_every_clustered_true_track(title: Extracted, known: KnownMethods) -> None:
    method = Method("base model", "product", (("max_iterations", "0"),))
    (answer,) = measure(Trial(method, Case(title, "whole", "whole", False), 0), known).answers
    assert answer.judged is not None
    assert len(answer.judged) == 12 - answer.scores["unknown"]
    assert answer.scores["wcp"] == pytest.approx(np.mean([one.of_majority for one in answer.judged]), abs=1e-4)
