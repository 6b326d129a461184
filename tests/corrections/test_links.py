"""What a later run is held to: the last word counts, two who are seen together are never one, galleries bind nobody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.seen_tracks import Season, Track

from vcn_ray.corrections.correction import OTHERS_KEY, Correction, Kind, make_correction
from vcn_ray.corrections.links import SaidOfTracks, of_title, said_of_tracks

#: Of the first title rows 0 to 5, of which 0 and 1, 4 and 5 are seen together; of the second 6 to 8.
TRACKS = [Track(0, shot, place, -1, -1) for shot, place in ((0, 0), (0, 1), (1, 0), (2, 0), (3, 0), (3, 1))]
TRACKS += [Track(1, shot, 0, -1, -1) for shot in range(3)]


@pytest.fixture(scope="module")
def season() -> Season:
    return Season(TRACKS)


def _said(season: Season, *corrections: Correction) -> SaidOfTracks:
    return said_of_tracks(len(season.found), season.places, season.found.seen_with, corrections)


def _groups(said: SaidOfTracks) -> list[set[int]]:
    return [set(np.flatnonzero(said.together == n).tolist()) for n in range(int(said.together.max(initial=-1)) + 1)]


def _apart(said: SaidOfTracks) -> set[tuple[int, int]]:
    return {(a, b) for a, b in said.apart.tolist()}


def test_nothing_said_binds_nothing(season: Season) -> None:
    said = _said(season)
    assert said.nothing
    assert _groups(said) == []
    assert said.apart.shape == (0, 2)


def test_a_gallery_binds_nobody(season: Season) -> None:
    guesses = [
        season.say("name", [0, 2], name="Anna", confidence=0.9),
        season.say("number", [0, 2], number=1, confidence=1),
    ]
    assert _said(season, *guesses).nothing


def test_each_kind(season: Season) -> None:
    assert _groups(_said(season, season.say("merge", [0, 2], [3]))) == [{0, 2, 3}]
    split = _said(season, season.say("split", [0, 2], [3]))
    assert (_groups(split), _apart(split)) == ([{0, 2}], {(0, 3), (2, 3)})
    assert _groups(_said(season, season.say("move", [0], [2, 3]))) == [{0, 2, 3}]
    assert _groups(_said(season, season.say("move", [0], [0]))) == [{0}]
    assert _apart(_said(season, season.say("different", [0, 2], [3]))) == {(0, 3), (2, 3)}
    for kind in ("not-a-face", "nobody"):
        assert np.flatnonzero(_said(season, season.say(kind, [1, 4])).left_out).tolist() == [1, 4]
    assert _said(season, season.say("forget", [1, 4])).nothing  # they are not there to be clustered
    names = _said(season, season.say("name", [0, 2], name="Anna"), season.say("name", [3, 6], name="Berta"))
    assert (_groups(names), _apart(names)) == ([{0, 2}, {3, 6}], {(0, 3)})


def test_those_of_one_name_are_one_and_of_another_two(season: Season) -> None:
    said = _said(season, *(season.say("name", [row], name="Anna" if row % 2 else "Berta") for row in (2, 3, 6, 7)))
    assert _groups(said) == [{2, 6}, {3, 7}]
    assert _apart(said) == {(2, 3)}


def test_the_last_word_counts(season: Season) -> None:
    merge, split = season.say("merge", [0], [2]), season.say("split", [2], [0])
    assert _groups(_said(season, merge, split)) == [{0}, {2}]
    assert _apart(_said(season, merge, split)) == {(0, 2)}
    assert (_groups(_said(season, split, merge)), _apart(_said(season, split, merge))) == ([{0, 2}], set())
    moved = _said(season, merge, season.say("move", [2], [3]))
    assert _groups(moved) == [{0}, {2, 3}]
    assert not _said(season, season.say("nobody", [0]), merge).left_out.any()
    out = _said(season, merge, season.say("nobody", [0]))
    assert (_groups(out), out.left_out.tolist().index(True)) == ([{2}], 0)
    # A merge that took a split back is not undone by what is said later of one of them.
    assert (0, 2) not in _apart(_said(season, split, merge, season.say("move", [2], [3])))


def test_two_who_are_seen_together_are_never_one(season: Season) -> None:
    assert _groups(_said(season, season.say("merge", [0], [1]))) == [{0}]
    chain = _said(season, season.say("merge", [0], [2]), season.say("merge", [2], [1]))
    assert _groups(chain) == [{0, 2}]
    assert _said(season, season.say("split", [0, 1], [3])).nothing
    names = _said(season, season.say("name", [4], name="Anna"), season.say("name", [5], name="Anna"))
    assert {4, 5} not in _groups(names)
    # What cannot be does not take back that a track shows no face.
    kept = _said(season, season.say("not-a-face", [1]), season.say("merge", [0], [1]))
    assert kept.left_out[1]


def test_tracks_that_are_gone_are_passed_over(season: Season) -> None:
    said = [season.say("merge", [0], [2, 3]), season.say("not-a-face", [2]), season.say("split", [3], [2])]
    later = Season([track for k, track in enumerate(TRACKS) if k != 2])
    assert _groups(_said(later, *said)) == [{0, 2}]


def test_which_tracks_stand_for_themselves_alone(season: Season) -> None:
    said = _said(season, season.say("move", [0], [6, 7]), season.say("split", [2], [3]), season.say("merge", [6], [8]))
    assert np.flatnonzero(said.one_by_one).tolist() == [0, 2]


def test_what_binds_a_title_is_what_is_said_of_its_own_tracks(season: Season) -> None:
    own = {"print 0"}
    assert (
        of_title(
            [season.say("name", [0, 2], name="A"), season.say("unname", [0]), season.say("number", [0], number=1)], own
        )
        == []
    )
    assert of_title([season.say("merge", [0], [6])], own) == []
    assert of_title([season.say("merge", [0], [2], by="x")], {"print 1"}) == []
    (kept,) = of_title([season.say("merge", [0, 6], [2, 7])], own)
    assert [len(kept.tracks), len(kept.others)] == [1, 1]
    (split,) = of_title([season.say("split", [0, 2], [6])], own)
    assert split.others == ()
    assert _groups(_said(season, split)) == [{0, 2}]
    assert of_title([season.say("split", [0], [6])], own) == []
    # Whoever says it, and whatever the video is called by then, nothing is done again for it.
    (again,) = of_title([season.say("merge", [0], [2], by="Bo")], own)
    renamed = [replace(season.places.anchor(row), file="moved.mp4", time_s=9.0) for row in (0, 2)]
    assert of_title([make_correction(Kind.MERGE, renamed[:1], renamed[1:], by="Al")], own) == [again]
    assert len(of_title([season.say("nobody", [0, 6])], own)[0].tracks) == 1


@st.composite
def _anything(draw: st.DrawFn, season: Season) -> list[Correction]:
    rows = st.lists(st.integers(0, len(TRACKS) - 1), min_size=1, max_size=4, unique=True)
    said = []
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(Kind))
        tracks, others = draw(rows), draw(rows) if kind in OTHERS_KEY else []
        others = others if kind is Kind.MOVE else [row for row in others if row not in tracks]
        if others or kind not in OTHERS_KEY:
            more = {"name": draw(st.sampled_from("AB"))} if kind is Kind.NAME else {}
            more |= {"number": draw(st.integers(0, 2))} if kind is Kind.NUMBER else {}
            said.append(season.say(kind, tracks, others, **more))
    return said


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_nobody_is_said_to_be_one_and_two(data: st.DataObject) -> None:
    season = Season(TRACKS)
    said = _said(season, *data.draw(_anything(season)))
    together = said.together
    for a, b in [*said.apart.tolist(), *season.found.together.tolist()]:
        assert together[a] < 0 or together[a] != together[b]
    assert (together[said.left_out] == -1).all()
    assert not said.left_out[said.apart.ravel()].any()
    assert sorted(set(together[together >= 0].tolist())) == list(range(int(together.max()) + 1))
    assert together[said.one_by_one].min(initial=0) >= 0
