"""Which setting is chosen, and what the tables tell of each."""

from typing import Any

from jobs.benchmarks.paper.published import Point, published
from jobs.benchmarks.paper.tables import choose, grids

SEASONS = ("a", "b", "c")


def rows(setting: str, season: str, apart: float) -> list[dict[str, Any]]:
    """The paper's own course, its purity less by so much."""
    told = {"teacher_entropy": 1.0, "mean_output_entropy": 3.0, "bcubed_f_all": 0.8, "options": "", "seed": 0}
    points = {number: published(number) for number in range(1, 11)}
    return [
        {"setting": setting, "season": season, "iteration": n, "wcp": point.wcp - apart, "pcr": point.pcr, **told}
        for n, point in points.items()
    ]


def test_a_season_has_no_say_in_its_own_choice() -> None:
    far = {"like all others": (0.2, 0.2, 0.2), "good on a alone": (0.0, 0.3, 0.3)}
    found = [row for s, by in far.items() for season, d in zip(SEASONS, by, strict=True) for row in rows(s, season, d)]
    assert choose(found, frozenset("a")) == "like all others"
    assert choose(found, frozenset("b")) == "good on a alone"  # 0.15 on average
    assert choose(found, frozenset(SEASONS)) is None


def test_tables_have_every_setting_and_the_chosen_courses() -> None:
    found = [row for season in SEASONS for row in rows("x|y", season, 0.0)]
    settings, courses = grids(found, {season: frozenset([season]) for season in SEASONS}, "left out")
    assert settings.rows[0][:5] == ("x|y", "", "0.00", "0.800", "1.00 / 3.00")
    assert settings.rows[0][5].startswith("0.48/0.43 ")
    assert settings.note.endswith("left out")
    assert "x\\|y" in settings.markdown()
    assert [line[0] for line in courses.rows] == [str(number) for number in range(1, 11)]
    assert courses.rows[4][1:] == ("0.98/1.08",) * 4
    assert Point(1.0, 1.0) != published(5)


def test_a_setting_that_was_not_measured_everywhere_leaves_its_cell_empty() -> None:
    found = [*rows("both", "a", 0.1), *rows("both", "b", 0.1), *rows("one", "b", 0.2)]
    found += [row | {"wcp": None, "pcr": None, "bcubed_f_all": None} for row in rows("unknown", "a", 0.0)]
    settings, _ = grids(found, {"a": frozenset("a"), "b": frozenset("b")}, "")
    assert settings.rows[1][5] == ""
    assert settings.rows[2][5].startswith("0.00/0.00")
