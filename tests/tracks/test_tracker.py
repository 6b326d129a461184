"""Tracks through a shot: numbers from the first box on, through weak detections and short gaps, one a person."""

from __future__ import annotations

import numpy as np
import pytest

from vcn_ray.models.detection import Detections
from vcn_ray.tracks.tracker import ShotTracker


def _faces(boxes: list[tuple[float, float, float, float]], scores: list[float]) -> Detections:
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(count, 4),
        np.array(scores, np.float32),
        np.zeros((count, 5, 2), np.float32),
    )


def _track(frames: list[Detections], fps: float = 25, every: int = 1) -> tuple[list[list[int | None]], ShotTracker]:
    tracker = ShotTracker(fps, every)
    return [tracker.update(faces, n * every / fps) for n, faces in enumerate(frames)], tracker


def test_tracks_have_their_number_from_the_first_box():
    late = [_faces([], [])] * 3 + [_faces([(10 + n, 20, 30, 40)], [0.9]) for n in range(5)]
    numbers, tracker = _track(late)
    assert numbers == [[]] * 3 + [[0]] * 5
    assert tracker.confirmed == {0}


def test_the_order_of_boxes_in_a_frame_does_not_matter():
    frames = []
    for n in range(10):
        boxes, scores = (
            [(10 + n, 20, 30, 40), (200 - n, 30, 30, 40), (100, 90, 20, 25)],
            [0.9, 0.4 if n > 2 else 0.8, 0.95],
        )
        turn = n % 3
        frames.append(_faces(boxes[turn:] + boxes[:turn], scores[turn:] + scores[:turn]))
    numbers, _ = _track(frames)
    turned_back = [row[-(n % 3) :] + row[: -(n % 3)] if n % 3 else row for n, row in enumerate(numbers)]
    assert all(row == turned_back[0] for row in turned_back)
    assert sorted(turned_back[0]) == [0, 1, 2]


def test_weak_faces_prolong_tracks_but_start_none():
    weak_only, tracker = _track([_faces([(10, 20, 30, 40)], [0.4])] * 5)
    assert weak_only == [[None]] * 5
    assert tracker.confirmed == set()
    weakening, _ = _track([_faces([(10, 20, 30, 40)], [score]) for score in (0.9, 0.8, 0.4, 0.3, 0.4)])
    assert weakening == [[0]] * 5


def test_a_short_gap_does_not_end_a_track():
    box = _faces([(10, 20, 30, 40)], [0.9])
    numbers, _ = _track([box] * 5 + [_faces([], [])] * 8 + [box] * 3)
    assert numbers == [[0]] * 5 + [[]] * 8 + [[0]] * 3


def test_a_long_gap_does():
    box = _faces([(10, 20, 30, 40)], [0.9])
    numbers, _ = _track([box] * 5 + [_faces([], [])] * 40 + [box] * 3)
    assert numbers[-1] == [1]


def test_a_face_seen_once_is_not_confirmed():
    numbers, tracker = _track([_faces([(10, 20, 30, 40)], [0.9]), *[_faces([], [])] * 5])
    assert numbers[0] == [0]
    assert tracker.confirmed == set()


@pytest.mark.parametrize("every", [1, 2, 4])
def test_people_who_pass_each_other_keep_their_tracks(every):
    frames = [_faces([(4 * n, 50, 40, 50), (300 - 4 * n, 110, 40, 50)], [0.9, 0.9]) for n in range(0, 60, every)]
    numbers, _ = _track(frames, every=every)
    assert numbers == [[0, 1]] * len(frames)
