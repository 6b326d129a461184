"""Each title counts once, whatever its season has: mean, worst, and against HAC."""

from jobs.benchmarks.quality.model_selection import Row
from jobs.benchmarks.quality.report.comparison import BEST_CUT, OWN_THRESHOLD, comparison_grids
from jobs.benchmarks.quality.report.effort import effort_grids
from jobs.benchmarks.quality.report.tables import Grid

ROLES = {"default": "product", OWN_THRESHOLD: "baseline", BEST_CUT: "oracle"}


def row(method: str, score: float | None, case: str = "whole", season: str = "a", **others: object) -> Row:
    return {
        **{"season": season, "degraded": "", "kind": "small titles", "case": case, "tracks_of": "detected"},
        **{"method": method, "role": ROLES[method], "seed": 0, "iteration": None, "bcubed_f_all": score},
        **{"clusters_of_false_tracks": 1, "wall_s": 2.0, "train_s": 1.0, "tracks": 50, "false_tracks": 0},
        **{"changed": None, "delivered": None, "settled": None},
        **others,
    }


def test_titles_count_once_and_seeds_together() -> None:
    rows = [
        row("default", 1.0, seed=0),
        row("default", 0.8, seed=1),
        row("default", 0.5, "cut"),
        row("default", None, season="b"),  # all Unknown
        *(row(OWN_THRESHOLD, 0.7, case, season) for case, season in (("whole", "a"), ("cut", "a"), ("whole", "b"))),
        row(BEST_CUT, 0.8),
        row(BEST_CUT, 0.5, "cut"),
    ]
    overview, against = comparison_grids(rows)
    assert overview.rows[0][1] == "3"
    assert [line[:2] for line in overview.rows[1:]] == [
        ("default", "0.467 / 0.000 b"),
        (OWN_THRESHOLD, "0.700 / 0.700 a"),
        (f"{BEST_CUT} *", "0.650 / 0.500 a"),
    ]
    (line,) = against.rows
    assert line[2:] == ("3", "0.467", "0.700", "0.650", "1 of 2", "2", "0.700 (b)")


def test_where_faces_are_small_the_missed_ones_count() -> None:
    rows = [row("default", 1.0, kind="faces16", degraded="faces16", bcubed_f_missed=0.25)]
    (overview,) = comparison_grids(rows)
    assert overview.rows[1][1] == "0.250 / 0.250 a"
    assert "no track covers" in overview.note


def test_without_hac_there_is_nothing_to_hold_against() -> None:
    (overview,) = comparison_grids([row("default", 1.0), row("default", 0.0, iteration=3)])
    assert overview.rows[1][1] == "1.000 / 1.000 a"  # a single iteration is no answer


def test_what_the_loop_took() -> None:
    rows = [
        row("default", 1.0, changed="20, 5, 0", delivered=2, settled=True),
        row("default", 1.0, "long", changed="10, 10", delivered=0, settled=False),
        row("default", 1.0, "small", changed="", delivered=0, tracks=40),
        row(OWN_THRESHOLD, 1.0),
    ]
    whole, larger = effort_grids(rows)
    assert whole.rows == (("small titles", "default", "3", "1.7", "3", "1", "2.0", "1.0", "30, 15, 0"),)
    assert [line[1:] for line in larger.rows] == [
        ("whole", "default", "0", "50", "2", "yes", "20, 5, 0"),
        ("long", "default", "0", "50", "0", "no", "10, 10"),
    ]
    assert not effort_grids(rows[-1:])


def test_names_are_no_markup() -> None:
    grid = Grid("a [b]", ("x|y",), (("[/red] a|b",),))
    assert "| x\\|y |\n| --- |\n| [/red] a\\|b |" in grid.markdown()
    assert grid.rich().row_count == 1
