"""What the bench keeps and shows of the product's confidence: every judged track, pooled over cases."""

from pathlib import Path

import pyarrow.parquet as pq

from jobs.benchmarks.quality.folds import make_folds
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import Extracted, Footage
from jobs.benchmarks.quality.methods import KnownMethods, Method
from jobs.benchmarks.quality.model_selection import Row, rows_of
from jobs.benchmarks.quality.report.reliability import CONFIDENCE, reliability_grids, store_confidence
from jobs.benchmarks.quality.report.tables import QUALITY
from jobs.benchmarks.quality.trial import Answer, Outcome, Trial, measure
from vcn_ray.evaluate.reliability import Reliability


def rows(**confident: list[tuple[float, bool]]) -> list[Row]:
    """Rows of the product on a season each, and of a baseline that knows no confidence."""
    outcomes = []
    for season, judged in {**confident, "silent": []}.items():
        case = Case(Extracted(Footage(season, "", (), ""), ""), "whole", "whole", False)
        method = Method("default", "product") if judged else Method("FINCH", "baseline")
        answer = Answer(
            dict.fromkeys(QUALITY.names[12:], 1), 0.1, reliability=Reliability(tuple(judged)) if judged else None
        )
        outcomes.append(Outcome(Trial(method, case, 0), (answer,)))
    return rows_of(outcomes, make_folds([*confident, "silent"]))[0]


def test_seasons_are_pooled_into_one_line_a_method() -> None:
    (grid,) = reliability_grids(rows(one=[(0.6, False), (0.95, True)], two=[(0.62, True), (1.0, True)]))
    cells = dict(zip(grid.header, grid.rows[0], strict=True))
    assert [line[0] for line in grid.rows] == ["default"]
    assert cells["0.5 to 0.7"] == "2: 0.610, 0.500"
    assert cells["0 to 0.5"] == ""
    assert cells["AUC"] == "1.000"
    assert not reliability_grids(rows())


def test_every_judged_track_is_kept(tmp_path: Path) -> None:
    store_confidence(rows(one=[(0.5, False)], two=[(0.25, True), (1.0, True)]), tmp_path / "quality")
    table = pq.read_table(tmp_path / "quality-confidence.parquet")
    assert table.schema == CONFIDENCE
    found = [(row["season"], row["confidence"], row["right"]) for row in table.to_pylist()]
    assert found == [("one", 0.5, False), ("two", 0.25, True), ("two", 1.0, True)]


def test_the_product_tells_its_confidence_of_every_clustered_true_track(title: Extracted, known: KnownMethods) -> None:
    method = Method("base model", "product", (("max_iterations", "0"),))
    (answer,) = measure(Trial(method, Case(title, "whole", "whole", False), 0), known).answers
    assert answer.reliability is not None
    assert len(answer.reliability.judged) == 12 - answer.scores["unknown"]
