"""A track is found again where it was seen, whatever its number, and nobody else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.correctable_season import read_rows, write_correctable_season
from support.seen_tracks import FACE_PX, Season, Track, faces, title_places

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.storage.store import Store

Faces = list[tuple[int, float]]
TRACKS = [faces(Track(0, shot, place, -1, -1)) for shot in range(3) for place in range(2)]


def _places(*titles: list[Faces], **more: str) -> TrackPlaces:
    return TrackPlaces([title_places(number, tracks, **more) for number, tracks in enumerate(titles)])


def test_every_track_of_a_stored_season_finds_itself(tmp_path) -> None:
    out = Store(tmp_path)
    write_correctable_season(out)
    found, places = read_rows(out)
    assert [places.rows(places.anchor(row)) for row in range(len(found))] == [[row] for row in range(len(found))]


def test_an_anchor_says_to_people_where_to_look() -> None:
    anchor = _places(TRACKS).anchor(3)
    assert (anchor.video, anchor.file, anchor.time_s) == ("print 0", "e0.mp4", 0.8)
    assert anchor.frames == (20, 39)
    assert [box[0] for box in anchor.boxes] == [24, 29, 34]


@pytest.mark.parametrize("start", [0, 1, 2])
def test_it_is_found_where_only_every_third_face_was_looked_at(start: int) -> None:
    before, after = _places(TRACKS), _places([track[start::3] for track in TRACKS])
    for row in range(len(TRACKS)):
        assert after.rows(before.anchor(row)) == [row]
        assert before.rows(after.anchor(row)) == [row]


def test_a_track_that_was_cut_in_two_is_both_parts() -> None:
    anchor = _places(TRACKS).anchor(0)
    assert _places([TRACKS[0][:10], TRACKS[1], TRACKS[0][10:]]).rows(anchor) == [0, 2]
    assert _places([TRACKS[0][:2], TRACKS[1], TRACKS[0][2:]]).rows(anchor) == [2]  # all that was anchored is there


def test_boxes_of_another_detector_are_the_same_face_but_not_those_beside_it() -> None:
    anchor = _places(TRACKS).anchor(0)

    def shifted(by: float) -> TrackPlaces:
        return _places([[(frame, x + by) for frame, x in TRACKS[0]]])

    assert shifted(FACE_PX / 3).rows(anchor) == [0]
    assert shifted(-FACE_PX / 3).rows(anchor) == [0]
    assert shifted(FACE_PX * 0.7).rows(anchor) == []
    assert shifted(150).rows(anchor) == []


def test_nobody_is_taken_who_is_at_the_same_place_at_another_time_or_in_another_video() -> None:
    anchor = _places([TRACKS[0]]).anchor(0)
    assert _places([TRACKS[2]]).rows(anchor) == []  # the next shot
    assert _places([TRACKS[0]], fingerprint="another").rows(anchor) == []
    assert _places([]).rows(anchor) == []
    assert TrackPlaces([]).rows(anchor) == []


def test_of_a_video_that_is_there_twice_both_copies_are_meant() -> None:
    twice = TrackPlaces([title_places(number, TRACKS, fingerprint="one") for number in range(2)])
    assert [twice.rows(twice.anchor(row)) for row in (1, 7)] == [[1, 7], [1, 7]]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_short_track_is_anchored_by_all_its_faces(length: int) -> None:
    track = [TRACKS[0][5:][:length]]
    anchor = _places(track).anchor(0)
    assert len(anchor.boxes) == length
    for nth in range(length):  # and found by any of them
        assert _places([[track[0][nth]]]).rows(anchor) == [0]


def test_tracks_of_titles_that_were_not_read_are_nowhere() -> None:
    season = TrackPlaces([title_places(0, TRACKS), replace(title_places(1, []), track_id=np.arange(2))])
    assert season.rows(season.anchor(2)) == [2]
    assert len(season.faces(len(TRACKS))[0]) == 0
    assert season.file(len(TRACKS)) == ""


_tracks = st.lists(
    st.builds(Track, st.integers(0, 1), st.integers(0, 3), st.integers(0, 2), st.just(-1), st.just(-1)),
    min_size=1,
    max_size=10,
    unique_by=lambda track: track[:3],
)


@settings(max_examples=50, deadline=None)
@given(tracks=_tracks, every=st.integers(1, 5), start=st.integers(0, 4), jitter=st.floats(-8, 8), data=st.data())
def test_tracks_are_found_by_place_whatever_order_sampling_and_boxes(tracks, every, start, jitter, data) -> None:
    season = Season(tracks)
    order = data.draw(st.permutations(range(len(tracks))))
    again = Season([])
    of_title = {title: [k for k in order if season.tracks[k].title == title] for title in (0, 1)}
    again.places = TrackPlaces(
        [
            title_places(title, [[(f, x + jitter) for f, x in faces(season.tracks[k])[start::every]] for k in own])
            for title, own in of_title.items()
        ]
    )
    new_row = {k: place for place, k in enumerate([*of_title[0], *of_title[1]])}
    for row in range(len(tracks)):
        assert again.places.rows(season.places.anchor(row)) == [new_row[row]]
