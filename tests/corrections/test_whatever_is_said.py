"""What never happens to a season, whatever is said of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.seen_tracks import Season, Track, apply, check_invariants, groups_of, names_of, people_of

from vcn_ray.corrections.correction import OTHERS_KEY, Correction, Kind


@st.composite
def _seasons(draw: st.DrawFn) -> Season:
    """Tracks with characters and members in which nobody is seen together."""
    drawn = draw(
        st.lists(
            st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 2), st.integers(-1, 3)),
            min_size=2,
            max_size=14,
            unique_by=lambda track: track[:3],
        )
    )
    seen: dict[tuple[int, int], set[int]] = defaultdict(set)  # shots of a title in which a member is seen
    tracks = []
    for title, shot, place, cluster in drawn:
        own = cluster if shot not in seen[title, cluster // 2] else -1
        seen[title, own // 2].add(shot)
        tracks.append(Track(title, shot, place, own, own // 2))  # two characters of a title are one member
    return Season(tracks)


@st.composite
def _said(draw: st.DrawFn, season: Season) -> list[Correction]:
    rows = st.lists(st.integers(0, len(season.tracks) - 1), min_size=1, max_size=4, unique=True)
    said = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from([kind for kind in Kind if kind is not Kind.FORGET]))
        tracks, others = draw(rows), draw(rows) if kind in OTHERS_KEY else []
        if kind is not Kind.MOVE:
            others = [row for row in others if row not in tracks]
        if kind in OTHERS_KEY and not others:
            continue
        more = {}
        if kind is Kind.NAME:
            more = {"name": draw(st.sampled_from(["Anna", "Berta"])), "confidence": draw(st.sampled_from([None, 0.7]))}
        if kind is Kind.NUMBER:
            more = {"number": draw(st.integers(0, 2))}
        said.append(season.say(kind, tracks, others, draw(st.sampled_from(["ann", "bob"])), **more))
    return said


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_whatever_is_said_nobody_who_is_seen_together_becomes_one(data: st.DataObject) -> None:
    season = data.draw(_seasons())
    said = data.draw(_said(season))
    corrected = apply(season, *said)
    check_invariants(season, corrected)
    again = apply(season, *said)
    assert np.array_equal(again.member, corrected.member)
    assert np.array_equal(again.character, corrected.character)
    assert (again.names, again.numbers, again.reason) == (corrected.names, corrected.numbers, corrected.reason)
    # Whoever has another name in the end was given it by a person, or by nobody.
    for naming in corrected.names.values():
        assert any(one.name == naming.name and one.confidence == naming.confidence for one in said)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_other_numbers_of_characters_and_members_change_nothing(data: st.DataObject) -> None:
    season = data.draw(_seasons())
    said = data.draw(_said(season))
    other = Season(season.tracks)
    clusters, members = data.draw(st.permutations(range(4))), data.draw(st.permutations(range(10)))
    other.found = replace(
        season.found,
        cluster=np.array([clusters[c] if c >= 0 else -1 for c in season.found.cluster.tolist()], np.int64),
        member=np.array([members[m] if m >= 0 else -1 for m in season.found.member.tolist()], np.int64),
    )
    one, two = apply(season, *said), apply(other, *said)
    assert people_of(one) == people_of(two)
    assert groups_of(one.character) == groups_of(two.character)
    assert names_of(one) == names_of(two)
    assert one.reason == two.reason
    assert one.said_by == two.said_by
    assert list(map(str, one.problems)) == list(map(str, two.problems))
