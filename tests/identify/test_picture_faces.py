from importlib.resources import files

import cv2
import numpy as np
import pytest
import skimage.data
from support.drawn_faces import DRAWN, draw

from vcn_ray.config import ModelOptions, TrackOptions
from vcn_ray.errors import InputError
from vcn_ray.identify.picture_faces import cut_face
from vcn_ray.models.alignment import align_crop
from vcn_ray.models.detection import FaceDetector
from vcn_ray.models.packs import load_pack

OPTIONS = TrackOptions()


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return load_pack("opencv-zoo").detector(OPTIONS.min_face_score)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


def _png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def _drawn(picture: np.ndarray) -> np.ndarray:
    return cut_face(_png(picture), DRAWN.load(ModelOptions()).detector(0.6), OPTIONS)


def test_the_face_of_a_photograph_is_aligned_as_a_films(detector: FaceDetector, astronaut: np.ndarray) -> None:
    crop = cut_face(_png(astronaut), detector, OPTIONS)
    expected = align_crop(astronaut, detector.detect(astronaut).landmarks[0])
    assert np.abs(crop.astype(int) - expected).mean() < 8  # the photograph is scaled down before, without aliases


def test_a_face_that_is_small_in_a_large_picture_is_found(detector: FaceDetector, astronaut: np.ndarray) -> None:
    large = np.full((3000, 4000, 3), 90, np.uint8)
    large[200:456, 300:556] = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(cut_face(_png(large), detector, OPTIONS).astype(int) - 90).mean() > 20


def test_several_faces_ask_for_a_crop(detector: FaceDetector) -> None:
    group = files("insightface").joinpath("data/images/t1.jpg").read_bytes()
    with pytest.raises(InputError, match="shows 6 faces; crop it to the one that is meant"):
        cut_face(group, detector, OPTIONS)


def test_somebody_small_in_the_background_is_not_meant() -> None:
    picture = draw(1, 2)
    left = 20 + 160
    picture[20:140, left : left + 120] = 128
    picture[30:50, left : left + 20] = draw(2)[25, 25]
    assert _drawn(picture)[56, 56].tolist() == draw(1)[25, 25].tolist()


def test_a_face_cut_off_by_the_pictures_edge_is_not_meant() -> None:
    picture = draw(1, 2)
    with pytest.raises(InputError, match="2 faces"):
        _drawn(picture)
    detector = DRAWN.load(ModelOptions()).detector(0.6)
    found = detector.detect(picture)
    half = type(found)(found.boxes.copy(), found.scores, found.landmarks)
    half.boxes[1, 0] = picture.shape[1] - 40.0  # of 120 pixels
    assert cut_face(_png(picture), _Fixed(half), OPTIONS).shape == (112, 112, 3)


class _Fixed:
    def __init__(self, found) -> None:
        self.found = found

    def detect(self, image_bgr: np.ndarray):
        return self.found


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no picture that can be read"),
        (b"GIF89a nothing", "is no picture that can be read"),
        (_png(draw()), "shows no face that is found"),
        (_png(cv2.resize(draw(1), (13, 10))), "pixels wide, too small"),
    ],
)
def test_what_is_wrong_with_a_picture_is_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        cut_face(content, DRAWN.load(ModelOptions()).detector(0.6), OPTIONS)
