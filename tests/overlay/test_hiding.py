"""Who is hidden in a frame: tracks of others, for a while around them, and detections that nothing explains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.models.detection import Detections
from vcn_ray.overlay import hiding as module
from vcn_ray.overlay.hiding import Hider
from vcn_ray.overlay.making import supercut_parts
from vcn_ray.overlay.task import Hiding, Look
from vcn_ray.overlay.tracks_in_frames import Shots, VideoTracks, by_frame, extended

FPS = 20
INFO: Any = SimpleNamespace(fps=FPS)
SHOTS = Shots(np.array([0, 100]))
#: Cluster and frames of tracks.
CUT = [(0, [10, 20]), (0, [21, 30]), (0, [40]), (0, [5, 10]), (1, [7, 8])]


def _tracks(*tracks: tuple[int, float, list[int], tuple[float, float]]) -> VideoTracks:
    """Of (cluster, confidence, frames, corner); boxes are 20 x 20."""
    return VideoTracks(
        np.arange(len(tracks)),
        np.array([cluster for cluster, *_ in tracks]),
        np.array([confidence for _, confidence, *_ in tracks]),
        [np.array(frames) for *_, frames, _ in tracks],
        [np.array([[x, y, x + 20, y + 20]] * len(frames), float) for *_, frames, (x, y) in tracks],
    )


@pytest.fixture
def hider(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a hider; its frames are lists of (x, y, score) of faces of 20 x 20."""

    class Pictures:
        scale = np.ones(2)

        def __init__(self, info: Any, max_side_px: int):
            assert max_side_px == 320

        def bgr(self, frame: Any) -> Any:
            return frame

    class Detector:
        def detect(self, faces: list[tuple[float, float, float]]) -> Detections:
            boxes = np.array([(x, y, 20, 20) for x, y, _ in faces], np.float32).reshape(-1, 4)
            return Detections(boxes, np.array([score for *_, score in faces]), np.zeros((len(faces), 5, 2)))

    monkeypatch.setattr(module, "Picture", Pictures)

    def make(tracks: VideoTracks, seen: set[int], **wanted: Any) -> Hider:
        wish = Hiding(frozenset(seen), look=Look("any", max_side_px=320), **wanted)
        return Hider(tracks, wish, SHOTS, INFO, lambda score: Detector())

    return make


def _covered(hider: Hider, frame: int, x: float, y: float, faces: Any = ()) -> bool:
    """Whether a face of 20 x 20 is hidden in all its area."""
    boxes = hider.boxes(frame, [(at, hider.look(at, found)) for at, found in faces])
    return bool(((boxes[:, :2] <= [x, y]) & (boxes[:, 2:] >= [x + 20, y + 20])).all(axis=1).any())


def test_others_tracks_are_hidden_from_before_their_first_face_to_the_end_of_the_shot(hider: Any) -> None:
    one = hider(_tracks((0, 1.0, [40, 60], (50, 50)), (1, 1.0, [40, 41], (150, 50)), (0, 1.0, [95], (50, 50))), {1})
    assert [_covered(one, frame, 50, 50) for frame in (27, 28, 40, 50, 72, 73)] == [
        False,
        True,
        True,
        True,
        True,
        False,
    ]
    assert not any(_covered(one, frame, 150, 50) for frame in range(100))
    assert [_covered(one, frame, 50, 50) for frame in (99, 100)] == [True, False]


def test_a_face_that_nobody_knows_is_hidden_around_the_frames_in_which_it_is_found(hider: Any) -> None:
    one = hider(_tracks((1, 1.0, [10, 30], (150, 50))), {1})
    faces = [(20, [(150, 50, 0.9), (50, 50, 0.31)])]
    assert [_covered(one, frame, 50, 50, faces) for frame in (14, 15, 25, 26)] == [False, True, True, False]
    assert not _covered(one, 20, 150, 50, faces)
    assert not _covered(one, 100, 50, 50, [(99, [(50, 50, 0.9)])])  # another shot


def test_one_track_explains_one_face_and_its_parts(hider: Any) -> None:
    one = hider(_tracks((1, 1.0, [10], (50, 50))), {1})
    assert len(one.look(10, [(50, 50, 0.9), (53, 52, 0.9)])) == 1
    assert len(one.look(10, [(50, 50, 0.9), (53, 52, 0.4)])) == 0
    assert len(one.look(10, [(62, 62, 0.4)])) == 1
    assert len(one.look(10, [])) == 0


def test_the_unknown_and_the_unsure_are_hidden_unless_they_are_to_be_kept(hider: Any) -> None:
    tracks = _tracks((-1, np.nan, [10], (50, 50)), (1, 0.8, [10], (150, 50)), (1, np.nan, [110], (50, 50)))
    assert _covered(hider(tracks, {1}), 10, 50, 50)
    assert _covered(hider(tracks, {1}), 10, 150, 50)
    assert not _covered(hider(tracks, {1}, least=0.8), 10, 150, 50)
    assert not _covered(hider(tracks, {1}), 110, 50, 50)
    assert not _covered(hider(tracks, {1}, unknown=True), 10, 50, 50)
    # Where nobody is tracked who is to be hidden, faces without a track stay as well.
    assert len(hider(tracks, {1}, unknown=True).look(10, [(0, 0, 0.9)])) == 1
    assert len(hider(tracks, {1}, unknown=True).look(110, [(0, 0, 0.9)])) == 0


@settings(max_examples=50, deadline=None)
@given(
    frames=st.lists(st.integers(0, 99), min_size=1, max_size=6, unique=True).map(sorted),
    reach=st.integers(0, 30),
    shots=st.lists(st.integers(0, 120), max_size=4, unique=True).map(sorted),
)
def test_tracks_have_a_box_in_every_frame_of_theirs_and_reach_no_further_than_the_shot(
    frames: list[int], reach: int, shots: list[int]
) -> None:
    tracks = _tracks((0, 1.0, frames, (5, 5)))
    rows = by_frame(tracks, np.array([0]))
    assert rows.frame.tolist() == list(range(frames[0], frames[-1] + 1))
    long = extended(tracks, np.array([0]), reach, Shots(np.array(shots, int)), 0.1)
    assert np.diff(long.frame).tolist() == [1] * (len(long.frame) - 1)
    assert set(rows.frame) <= set(long.frame)
    for begin in shots:  # no cut between the track and what it was extended by
        assert not long.frame[0] < begin <= frames[0]
        assert not frames[-1] < begin <= long.frame[-1]
    assert long.frame[0] >= max(0, frames[0] - reach)
    assert long.frame[-1] <= frames[-1] + reach
    for box in long.box:
        assert (box[:2] <= 5).all()
        assert (box[2:] >= 25).all()


def test_between_two_faces_a_box_moves_on_a_straight_line() -> None:
    tracks = _tracks((0, 1.0, [10, 14], (0, 0)))
    tracks.boxes[0][1] += 8
    [box] = by_frame(tracks, np.array([0])).at(11)[1]
    assert box.tolist() == [2, 2, 22, 22]


def test_appearances_of_a_supercut_are_tracks_that_touch_joined() -> None:
    tracks = _tracks(*((cluster, 1.0, frames, (0, 0)) for cluster, frames in CUT))
    assert supercut_parts(tracks, frozenset({0})) == [(5, 31), (40, 41)]
    assert supercut_parts(tracks, frozenset({-1, 1})) == [(7, 9)]
    assert supercut_parts(tracks, frozenset({9})) == []
