"""Which tracks of one frame are two people, and which one face found twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.tracks.duplicates import Meeting, find_meetings, join_duplicates, keep_better_faces

MARKS = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)])


def _faces(*tracks: tuple[range, tuple[float, float, float, float]]):
    """Frames, tracks, boxes and landmarks of tracks that do not move."""
    rows = [(frame, number, box) for number, (frames, box) in enumerate(tracks) for frame in frames]
    boxes = np.array([box for _, _, box in rows], float)
    landmarks = boxes[:, None, :2] + MARKS * boxes[:, None, 2:]
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), boxes, landmarks


def test_a_small_box_within_the_face_is_the_same_face():
    meetings = find_meetings(*_faces((range(10), (0, 0, 100, 120)), (range(5, 15), (25, 35, 50, 60))))
    assert meetings[0, 1].found_twice
    assert not meetings[0, 1].two_people
    assert join_duplicates(meetings) == {1: 0}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((45, 0, 100, 120), id="cheek to cheek"),
        pytest.param((70, 5, 40, 48), id="behind the shoulder, within the box"),
    ],
)
def test_two_faces_that_overlap_stay_two(other):
    meetings = find_meetings(*_faces((range(10), (0, 0, 100, 120)), (range(10), other)))
    assert meetings[0, 1].overlapping == 10
    assert not meetings[0, 1].found_twice
    assert join_duplicates(meetings) == {}


def test_faces_that_were_apart_for_a_moment_are_two_people():
    frames, tracks, boxes, landmarks = _faces((range(10), (0, 0, 100, 120)), (range(10), (25, 35, 50, 60)))
    for shift, twice in ((0, True), (500, False)):
        boxes[-1, 0] += shift
        assert find_meetings(frames, tracks, boxes, landmarks)[0, 1].found_twice is twice


def test_interpolated_faces_decide_nothing():
    frames, tracks, boxes, landmarks = _faces((range(10), (0, 0, 100, 120)), (range(10), (25, 35, 50, 60)))
    landmarks[1::2] = np.nan
    assert find_meetings(frames, tracks, boxes, landmarks)[0, 1].detected == 5
    landmarks[3:] = np.nan
    assert not find_meetings(frames, tracks, boxes, landmarks)[0, 1].found_twice


def test_one_detection_in_common_is_too_little_to_say_so():
    for last, twice in ((9, False), (10, True)):
        faces = _faces((range(last + 1), (0, 0, 100, 120)), (range(9, 20), (25, 35, 50, 60)))
        assert find_meetings(*faces)[0, 1].found_twice is twice


def test_faces_without_a_track_meet_nobody():
    frames, tracks, boxes, landmarks = _faces((range(10), (0, 0, 100, 120)), (range(10), (200, 0, 100, 120)))
    assert find_meetings(frames, tracks, boxes, landmarks)[0, 1].two_people
    assert find_meetings(frames, np.where(tracks == 1, -1, tracks), boxes, landmarks) == {}


def _meeting(kind: str, frames: int) -> Meeting:
    if kind == "one":
        return Meeting(frames, frames, frames, frames, 0)
    return Meeting(frames, 0, frames, 0, frames)


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] < pair[1]),
        st.builds(_meeting, st.sampled_from(["one", "two"]), st.integers(2, 9)),
    ),
    st.randoms(use_true_random=False),
)
def test_joining_never_puts_two_people_into_one_track(meetings, order):
    joined = join_duplicates(meetings)
    for (a, b), meeting in meetings.items():
        if meeting.two_people:
            assert joined.get(a, a) != joined.get(b, b)
    assert not set(joined) & set(joined.values())
    shuffled = list(meetings.items())
    order.shuffle(shuffled)
    assert join_duplicates(dict(shuffled)) == joined


def test_the_better_face_of_a_frame_stays():
    frames = np.array([0, 1, 2, 1, 2, 3, 2, 9])
    tracks = np.array([4, 4, 4, 6, 6, 6, 5, -1])
    scores = np.array([0.8, 0.7, np.nan, 0.9, np.nan, 0.6, 0.1, 0.3])
    stays = keep_better_faces(frames, tracks, scores, {6: 4})
    # Frame 1: track 6 is surer. Frame 2: neither was detected; both tracks score 1.5 in all, so the first.
    np.testing.assert_array_equal(stays, [True, False, True, True, False, True, True, True])


def test_of_two_interpolated_faces_that_of_the_surer_track_stays():
    frames = np.array([0, 1, 2, 0, 1, 2])
    tracks = np.array([4, 4, 4, 6, 6, 6])
    scores = np.array([0.8, np.nan, 0.8, 0.7, np.nan, 0.95])  # 1.6 in all, and 1.65
    stays = keep_better_faces(frames, tracks, scores, {6: 4})
    np.testing.assert_array_equal(stays, [True, False, False, False, True, True])


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from([0.5, 0.7, np.nan])), unique_by=lambda f: f[:2]
    )
)
def test_a_joined_track_has_one_face_in_each_frame_that_any_of_its_parts_had(faces):
    frames, tracks, scores = (np.array([f[k] for f in faces]) for k in range(3))
    stays = keep_better_faces(frames.astype(int), tracks.astype(int), scores.astype(float), {2: 0, 3: 1})
    after = np.array([{2: 0, 3: 1}.get(track, track) for track in tracks.tolist()], int)
    kept = list(zip(after[stays].tolist(), frames[stays].tolist(), strict=True))
    assert len(kept) == len(set(kept))
    assert set(kept) == set(zip(after.tolist(), frames.tolist(), strict=True))
