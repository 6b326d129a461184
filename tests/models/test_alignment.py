import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.transform import SimilarityTransform

from vcn_ray.models.alignment import CROP_SIZE_PX, align_crop, align_template, similarity_to_template

landmark_sets = arrays(np.float64, (5, 2), elements=st.floats(-2000, 2000))


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


@given(angle=st.floats(-np.pi, np.pi), scale=st.floats(0.05, 50), x=st.floats(-1000, 1000), y=st.floats(-1000, 1000))
def test_undoes_any_turn_scale_and_shift_of_the_template(angle: float, scale: float, x: float, y: float) -> None:
    face = SimilarityTransform(scale=scale, rotation=angle, translation=(x, y))(align_template())
    assert np.allclose(_apply(similarity_to_template(face), face), align_template(), atol=1e-3)


@given(landmarks=landmark_sets, change=arrays(np.float64, (4,), elements=st.floats(-1, 1)))
def test_no_other_similarity_comes_closer(landmarks: np.ndarray, change: np.ndarray) -> None:
    assume(np.ptp(landmarks, axis=0).max() > 1)
    best = similarity_to_template(landmarks)
    assert np.allclose(best[0, 0], best[1, 1])
    assert np.allclose(best[0, 1], -best[1, 0])
    a, b, x, y = change * [0.01, 0.01, 3, 3]
    other = best + np.array([[a, -b, x], [b, a, y]])

    def miss(matrix: np.ndarray) -> float:
        return float(np.square(_apply(matrix, landmarks) - align_template()).sum())

    assert miss(best) <= miss(other) * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("landmarks", [np.ones((5, 2)), np.zeros((4, 2)), np.full((5, 2), np.nan)])
def test_landmarks_that_define_no_transform_are_refused(landmarks: np.ndarray) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        similarity_to_template(landmarks)


def test_a_crop_shows_the_face_where_the_transform_says(pack, astronaut, group) -> None:
    detector = pack.detector(0.6)
    misses = []
    for image in (astronaut, group):
        for landmarks in detector.detect(image).landmarks:
            crop = align_crop(image, landmarks)
            assert crop.shape == (CROP_SIZE_PX, CROP_SIZE_PX, 3)
            assert crop.dtype == np.uint8
            again = detector.detect(np.pad(crop, ((40, 40), (40, 40), (0, 0)), mode="edge"))
            expected = _apply(similarity_to_template(landmarks), landmarks)
            misses.append(np.abs(again.landmarks[0] - 40 - expected).mean())
            assert np.abs(expected - align_template()).mean() < 10  # faces differ, and not all look into the camera
    assert np.median(misses) < 2.5
    assert max(misses) < 6


def test_a_head_on_its_side_gives_the_same_crop(pack, astronaut) -> None:
    landmarks = pack.detector(0.6).detect(astronaut).landmarks[0]
    upright = align_crop(astronaut, landmarks)
    turned = np.ascontiguousarray(np.rot90(astronaut, -1))  # clockwise: (x, y) -> (h - 1 - y, x)
    on_side = np.stack([len(astronaut) - 1 - landmarks[:, 1], landmarks[:, 0]], axis=1)
    assert np.abs(align_crop(turned, on_side).astype(int) - upright).mean() < 1
