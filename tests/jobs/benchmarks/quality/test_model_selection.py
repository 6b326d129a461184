"""Leave one season out: no season's row was chosen on that season."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.benchmarks.quality.folds import folds_hints, folds_note, make_folds, people_of, with_joined
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import Extracted, Footage
from jobs.benchmarks.quality.methods import IN_HINDSIGHT, Method
from jobs.benchmarks.quality.model_selection import KEYS, Row, choose_setting, rows_of
from jobs.benchmarks.quality.report.tables import QUALITY, summaries
from jobs.benchmarks.quality.trial import Answer, Outcome, Trial
from vcn_ray.errors import OptionError

METHOD = Method("some method", "baseline")
SETTINGS = tuple((("level", float(level)),) for level in range(3))


def outcome(season: str, scores: list[float], *, seed: int = 0, degraded: str = "", kind: str = "whole") -> Outcome:
    """What the method did on a case of a season, a score for each setting."""
    case = Case(Extracted(Footage(season, degraded, (), ""), ""), degraded or kind, degraded or kind, False)
    others = dict.fromkeys(QUALITY.names[len(KEYS) :], 1)
    answers = [
        Answer({**others, "bcubed_f_all": score}, 0.1, setting) for score, setting in zip(scores, SETTINGS, strict=True)
    ]
    return Outcome(Trial(METHOD, case, seed), tuple(answers))


def rows_and_problems(outcomes: list[Outcome], *same_people: str) -> tuple[list[Row], list[str]]:
    return rows_of(outcomes, make_folds([o.trial.case.of.footage.season for o in outcomes], same_people))


def chosen(outcomes: list[Outcome], *same_people: str) -> dict[str, set[str]]:
    """The settings that each season's rows show, bounds left out."""
    rows, _ = rows_and_problems(outcomes, *same_people)
    found: dict[str, set[str]] = {}
    for row in rows:
        if row["role"] == "baseline":
            found.setdefault(row["season"], set()).add(row["setting"])
    return found


def test_a_season_gets_what_is_best_on_the_others() -> None:
    outcomes = [
        outcome("one", [1.0, 0.0, 0.0]),
        outcome("two", [0.0, 1.0, 0.6]),
        outcome("three", [0.0, 0.2, 0.7]),
    ]
    # one: .6 / .65 on the others, two: .5 / .1 / .35, three: .5 / .5 / .3, the first among equals
    assert chosen(outcomes) == {"one": {"level=2.0"}, "two": {"level=0.0"}, "three": {"level=0.0"}}


def test_seasons_of_the_same_people_do_not_choose_for_one_another() -> None:
    outcomes = [
        outcome("one", [0.0, 0.1, 0.9]),
        outcome("one small", [1.0, 0.0, 0.0]),
        outcome("two", [0.0, 1.0, 0.0]),
    ]
    assert chosen(outcomes)["one"] == {"level=0.0"}
    kept_apart = chosen(outcomes, "one,one small")
    assert kept_apart == {"one": {"level=1.0"}, "one small": {"level=1.0"}, "two": {"level=0.0"}}
    _, problems = rows_and_problems(outcomes, "one,one small", "one small, two")  # no season of other people is left
    assert len(problems) == 3


def test_folds_by_name() -> None:
    folds = make_folds(["a", "b", "c", "d"], ["a,b", "b, c"])
    assert folds == dict.fromkeys("abc", frozenset("abc")) | {"d": frozenset("d")}
    assert folds_note(folds) == (
        "Of the same people, left out together: a, b, c. "
        "Taken for different people, learning from one another: a, b, c; d."
    )
    assert folds_note(make_folds(["a"])) == ""
    assert folds_note(make_folds(["a", "b"])) == "Taken for different people, learning from one another: a; b."
    with pytest.raises(OptionError, match="no season is called 'dinners'; did you mean 'dinner'"):
        make_folds(["dinner", "city"], ["dinners,city"])


def test_a_name_is_one_person_where_seasons_share_it() -> None:
    names = {season: {"p1", "p2"} for season in ("a", "b", "c", "d")}
    groups = ["a,b", "c, d: p1"]
    folds = make_folds([*names], groups)
    who = people_of(folds, groups, names)
    assert who["a"] == who["b"]
    assert who["c"]["p1"] == who["d"]["p1"] != who["a"]["p1"]
    assert len({who[season]["p2"] for season in names}) == 3  # c's and d's are two
    assert who["a"].keys() == names["a"]
    apart = people_of(make_folds([*names]), [], names)
    assert len({person for own in apart.values() for person in own.values()}) == 8


def test_nothing_is_learnt_about_a_join_from_what_is_in_it() -> None:
    folds = make_folds(["a", "b", "c"], ["b,c"])
    joined = with_joined(folds, {"joined 1": ("a", "b")})
    assert joined["joined 1"] == {"joined 1", "a", "b", "c"}
    assert {season: joined[season] for season in folds} == folds


def test_labels_of_the_same_names_are_hinted_at_unless_left_out_together() -> None:
    names = {"dinner": {"p", "q"}, "city": {"p"}, "dinner small": {"q", "p"}}
    (hint,) = folds_hints(make_folds([*names]), names)
    assert "--same-people dinner,dinner small" in hint
    assert not folds_hints(make_folds([*names], ["dinner,dinner small"]), names)


scores = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@given(own=scores, other=scores, copy=scores, rest=st.lists(scores, min_size=1, max_size=3))
def test_its_own_scores_never_count(
    own: list[float], other: list[float], copy: list[float], rest: list[list[float]]
) -> None:
    others = [outcome(f"season {n}", values) for n, values in enumerate(rest)]
    before = chosen([outcome("own", own), outcome("own", copy, degraded="half"), *others])["own"]
    after = chosen([outcome("own", other), outcome("own", own, degraded="half"), *others])["own"]
    assert before == after
    assert len(before) == 1  # one setting for the season and its copies


def test_only_whole_seasons_choose_and_seeds_count_together() -> None:
    outcomes = [
        outcome("one", [0.1, 0.2, 0.3]),
        outcome("two", [0.9, 0.6, 0.0], seed=0),
        outcome("two", [0.1, 0.6, 0.0], seed=1),
        outcome("two", [0.0, 0.0, 1.0], kind="one character"),
        outcome("two", [0.0, 0.0, 1.0], degraded="blur"),
    ]
    assert chosen(outcomes)["one"] == {"level=1.0"}


def test_bounds_are_marked_and_a_lone_season_has_no_choice() -> None:
    rows, problems = rows_and_problems([outcome("one", [0.1, 0.8, 0.3])])
    (row,) = rows
    assert (row["method"], row["role"], row["setting"]) == (METHOD.name + IN_HINDSIGHT, "oracle", "level=1.0")
    assert len(problems) == 1
    assert "some method on one" in problems[0]
    assert choose_setting({"one": {SETTINGS[0]: 1.0}}, ["one"]) is None
    assert METHOD.name + IN_HINDSIGHT + " *" in summaries(rows)[0].markdown()


def test_a_method_that_failed_somewhere_is_shown_with_how_many_seasons_its_mean_has() -> None:
    outcomes = [outcome("one", [0.5] * 3), outcome("two", [0.7] * 3)]
    failed = replace(outcomes[1], trial=replace(outcomes[1].trial, method=Method("other", "product")))
    (grid,) = summaries(rows_and_problems([*outcomes, failed])[0])
    lines = {line[0]: line for line in grid.rows}
    assert lines["some method"][3] == "0.600"
    assert lines["other"][1:4] == ("", "0.700 / 1.00", "0.700 (1 of 2)")
    assert lines["some method"][4] == "0.500 one"


@pytest.mark.parametrize("seeds", [1, 2])
def test_spread_over_seeds(seeds: int) -> None:
    outcomes = [outcome(season, [0.5 + 0.2 * seed] * 3, seed=seed) for season in "ab" for seed in range(seeds)]
    (grid,) = summaries(rows_and_problems(outcomes)[0], "kept apart")
    assert grid.markdown().splitlines()[2] == "kept apart"
    assert grid.rows[0][3] == ("0.500" if seeds == 1 else "0.600 ± 0.100")
