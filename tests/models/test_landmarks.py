"""LandmarkFinder: what is looked at, and that what is seen there is brought back to the image."""

from hashlib import sha256

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.models.detection import Detections
from vcn_ray.models.landmarks import LandmarkFinder, best_landmarks

# A picture that says where each pixel is: blue its x, green its y, red that there is a picture.
_SIZE = 240
_PLACES = np.full((_SIZE, _SIZE, 3), 255, np.float32)
_PLACES[..., 0], _PLACES[..., 1] = np.meshgrid(np.arange(_SIZE), np.arange(_SIZE))


class _Sees:
    """Sees a face in the middle of what it is shown, as large as one is there that was found well, and keeps that."""

    def __init__(self, *, shift: float = 0.0, score: float = 0.9):
        self.shift, self.score = shift, score
        self.shown: list[np.ndarray] = []

    def detect(self, image_bgr: np.ndarray) -> Detections:
        self.shown.append(image_bgr)
        side = len(image_bgr)
        box = np.array([[side * 0.22 + self.shift, side * 0.22, side / 1.8, side / 1.8]])
        points = np.array([[[0.3, 0.4], [0.7, 0.4], [0.5, 0.5], [0.4, 0.7], [0.6, 0.7]]]) * side
        points[..., 0] += self.shift
        return Detections.ranked(box, np.array([self.score]), points)


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(-20, _SIZE),
    y=st.floats(-20, _SIZE),
    width=st.floats(10, 150),
    tall=st.floats(0.8, 1.4),
)
def test_points_are_brought_back_to_where_they_were_seen(x: float, y: float, width: float, tall: float) -> None:
    detector = _Sees()
    found = LandmarkFinder(detector).find(_PLACES, np.array([x, y, width, width * tall]))
    if found is None:  # hardly any of the square is in the picture, or it is no square face
        return
    (shown,) = detector.shown
    seen = detector.detect(shown).landmarks[0]
    for point, (u, v) in zip(found, seen, strict=True):
        # Detectors count from the corner of the first pixel, pictures from its middle.
        shade = cv2.remap(shown, np.float32([[u - 0.5]]), np.float32([[v - 0.5]]), cv2.INTER_LINEAR)[0, 0]
        if shade[2] > 254.99:  # in the picture
            assert np.abs(point - shade[:2]).max() <= 0.2  # remap reads at 32nds of a pixel


def test_the_square_is_around_the_face_and_black_beyond_the_image() -> None:
    detector = _Sees()
    LandmarkFinder(detector).find(_PLACES, np.array([-10.0, 100, 40, 50]))
    (shown,) = detector.shown
    assert shown.shape == (128, 128, 3)
    assert shown[64, 64, 1] == pytest.approx(125, abs=2)
    inside = shown[64, :, 2] == 255
    assert not inside[:40].any()  # 35 of the square's 90 pixels
    assert inside[60:].all()


def test_of_several_faces_the_one_that_fits_counts() -> None:
    class Two(_Sees):
        def detect(self, image_bgr: np.ndarray) -> Detections:
            both = _Sees(shift=60, score=0.99).detect(image_bgr), super().detect(image_bgr)
            return Detections.ranked(
                *(np.concatenate([getattr(d, name) for d in both]) for name in ("boxes", "scores", "landmarks"))
            )

    box = np.array([90.0, 90, 50, 50])
    assert np.array_equal(LandmarkFinder(Two()).find(_PLACES, box), LandmarkFinder(_Sees()).find(_PLACES, box))


def test_without_a_face_that_fits_the_detectors_points_stay() -> None:
    box, seen = np.array([90.0, 90, 50, 50]), np.arange(10, dtype=np.float64).reshape(5, 2)
    finder = LandmarkFinder(_Sees(shift=70))
    assert finder.find(_PLACES, box) is None
    assert np.array_equal(best_landmarks(finder, _PLACES, box, seen), seen.astype(np.float32))
    assert np.array_equal(best_landmarks(None, _PLACES, box, seen), seen.astype(np.float32))


@pytest.mark.parametrize("box", [(500, 20, 40, 40), (-200, -200, 30, 30), (10, 10, 0, 0), (239.9, 239.9, 0.5, 0.5)])
def test_a_box_beside_the_image_or_of_no_size_has_no_landmarks_or_finite_ones(box) -> None:
    found = LandmarkFinder(_Sees()).find(_PLACES, np.array(box, np.float64))
    assert found is None or np.isfinite(found).all()


def test_small_faces_are_aligned_as_large_ones_are(pack, group) -> None:
    """Of six faces a quarter as large: nearer to the landmarks of the large picture than those of the detector."""
    large = pack.detector(0.6).detect(group)
    small = cv2.resize(group, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    seen, finder = pack.detector(0.3).detect(small), pack.landmark_finder()
    errors = []
    for box in large.boxes:
        true = finder.find(group, box)
        place = np.linalg.norm(seen.boxes[:, :2] * 4 - box[:2], axis=1).argmin()
        found = finder.find(small, seen.boxes[place])
        middle = 1.5  # where four pixels become one
        errors.append([np.abs(points * 4 + middle - true).mean() for points in (found, seen.landmarks[place])])
    refined, detected = np.mean(errors, axis=0)
    assert refined < 0.8 * detected


def test_the_same_picture_gives_the_same_bytes(pack, group) -> None:
    boxes = pack.detector(0.6).detect(group).boxes
    finders = pack.landmark_finder(), pack.landmark_finder()
    digests = [sha256(b"".join(f.find(group, box).tobytes() for box in boxes)).hexdigest() for f in finders]
    again = sha256(b"".join(finders[0].find(group, box).tobytes() for box in boxes)).hexdigest()
    assert len({*digests, again}) == 1


def test_who_wants_the_detectors_landmarks_gets_no_finder(pack) -> None:
    assert pack.landmark_finder("detector") is None
    assert pack.landmark_finder("refined") is not None
