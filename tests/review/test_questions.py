"""The queue asks first what changes most, never twice, and always the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.benchmarks.synthetic_season import SyntheticSeason
from vcn_ray.corrections.correction import Kind
from vcn_ray.corrections.correction_file import read_corrections
from vcn_ray.evaluate.metrics import cluster_scores
from vcn_ray.review.questions import Said
from vcn_ray.review.session import OutdatedError, ReviewSession
from vcn_ray.storage.store import Store


@pytest.fixture
def season(tmp_path: Path) -> SyntheticSeason:
    """Eight people, some found as two, some tracks at the wrong one."""
    return SyntheticSeason(Store(tmp_path / "out"), 8, 70, 2, seed=3)


def answer_of(season: SyntheticSeason, question: dict[str, Any]) -> str:
    """What somebody who knows everybody says to what is shown."""

    def shown(rows: list[int]) -> int:
        return int(np.bincount(season.truth[rows]).argmax())

    return "yes" if shown(question["tracks"]) == shown(question["others"]) else "no"


def bcubed_f(season: SyntheticSeason, session: ReviewSession) -> float:
    member = session.moment.corrected.member.tolist()
    labels = [("nobody", row) if label < 0 else label for row, label in enumerate(member)]
    return cluster_scores(labels, season.truth.tolist()).bcubed_f


def test_answers_make_the_season_right_and_are_not_asked_for_again(season: SyntheticSeason) -> None:
    session = ReviewSession(season, "me")
    started, asked, figures = bcubed_f(season, session), list[tuple[str, ...]](), list[float]()
    while questions := session.questions_json(1):
        (question,) = questions
        sides = tuple(sorted(map(str, (sorted(question["tracks"]), sorted(question["others"])))))
        assert sides not in asked
        asked.append(sides)
        session.answer({"key": question["key"], "answer": answer_of(season, question)})
        figures.append(bcubed_f(season, session))
        assert len(asked) < 100
    assert started < 0.9
    assert figures[9] > 0.98
    assert figures[-1] == 1
    assert session.season_json()["problems"] == []
    # Nor is anything asked in the next session: what was answered stands in the file.
    assert not ReviewSession(season, "somebody else").questions_json(5)


def test_what_changes_most_comes_first_and_always_the_same(season: SyntheticSeason) -> None:
    asked = [ReviewSession(season, "me").questions_json(20) for _ in range(2)]
    assert asked[0] == asked[1]
    weights = [question["weight"] for question in asked[0]]
    assert weights == sorted(weights, reverse=True)
    assert {question["kind"] for question in asked[0]} == {"same", "belongs"}
    assert ReviewSession(season, "me").questions_json(3) == asked[0][:3]


def test_no_takes_the_track_out_and_asks_for_the_next_likely(season: SyntheticSeason) -> None:
    session = ReviewSession(season, "me")
    question = next(q for q in session.questions_json(50) if q["kind"] == "belongs")
    (row,) = question["tracks"]
    session.answer({"key": question["key"], "answer": "no"})
    assert session.moment.owner(row) is None
    assert question["person"] not in [q["person"] for q in session.questions_json(50) if q["tracks"] == [row]]
    with pytest.raises(OutdatedError):
        session.answer({"key": "belongs:0:0", "answer": "no"})
    session.undo()
    assert question["key"] in [q["key"] for q in session.questions_json(50)]
    session.answer({"key": question["key"], "answer": "yes"})
    assert session.moment.corrections[-1].kind is Kind.MOVE
    assert [q for q in session.questions_json(100) if q["tracks"] == [row] and q["kind"] == "belongs"] == []


def test_passing_over_says_nothing(season: SyntheticSeason, tmp_path: Path) -> None:
    session = ReviewSession(season, "me")
    keys = [question["key"] for question in session.questions_json(6)]
    for key in keys[:3]:
        changed = session.answer({"key": key, "answer": "skip"})
        assert (changed["season"]["corrections"], changed["season"]["undo"]) == (0, None)
    assert not {q["key"] for q in session.questions_json(50)} & set(keys[:3])
    assert [question["key"] for question in ReviewSession(season, "me").questions_json(6)] == keys
    shutil.rmtree(tmp_path)


def test_a_track_that_nobody_can_tell_is_not_asked_about_beside_the_next(season: SyntheticSeason) -> None:
    session = ReviewSession(season, "me")
    asked: list[int] = []
    while belongs := [q for q in session.questions_json(1000) if q["kind"] == "belongs"]:
        asked += belongs[0]["tracks"]
        session.answer({"key": belongs[0]["key"], "answer": "skip"})
    assert len(asked) > 5
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize(("answer", "kind"), [("yes", Kind.MERGE), ("no", Kind.DIFFERENT)])
def test_an_answer_is_anchored_at_the_tracks_that_were_shown(season: SyntheticSeason, answer: str, kind: Kind) -> None:
    session = ReviewSession(season, "me")
    question = max(
        (q for q in session.questions_json(1000) if q["kind"] == "same"), key=lambda q: len(q["tracks"] + q["others"])
    )
    assert len(question["tracks"] + question["others"]) > 6
    session.answer({"key": question["key"], "answer": answer})
    (said,) = read_corrections(season.out)
    assert said.kind is kind
    for anchors, rows in ((said.tracks, question["tracks"]), (said.others, question["others"])):
        assert sorted(row for anchor in anchors for row in season.places.rows(anchor)) == sorted(rows)


def test_a_name_stays_whichever_side_of_a_question_has_it(season: SyntheticSeason) -> None:
    session = ReviewSession(season, "me")
    question = next(q for q in session.questions_json(1000) if q["kind"] == "same")
    session.correct({"kind": "name", "people": [question["other"]], "name": "Anna"})
    changed = session.answer({"key": question["key"], "answer": "yes"})
    assert session.moment.by_id[question["other"]].label == "Anna"
    assert changed["moved"] == {question["person"]: question["other"]}


def test_a_season_without_people_or_embeddings_asks_nothing(tmp_path: Path) -> None:
    season = SyntheticSeason(Store(tmp_path), 3, 9)
    season.embedding[:] = 0
    session = ReviewSession(season, "me")
    assert all(question["probability"] == 0 for question in session.questions_json(5))
    season.found.member[:] = season.found.cluster[:] = -1
    session = ReviewSession(season, "me")
    assert session.questions_json(5) == []
    assert session.moment.people == []
    assert len(session.moment.unknown_json(0, 100, None)["tracks"]) == 9


def test_what_is_said_later_goes_before() -> None:
    said = Said.of(
        [(Kind.MOVE, [1], [2]), (Kind.DIFFERENT, [1, 3], [2]), (Kind.MOVE, [3], [4]), (Kind.NOBODY, [5], [])], 6
    )
    assert said.settled.tolist() == [False, False, False, True, False, True]
    assert said.taken_out == [1]
    assert said.apart == [(1, (2,)), (3, (2,))]
