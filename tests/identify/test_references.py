from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from support.drawn_faces import DRAWN, write_gallery, write_picture

from vcn_ray.cluster.similarity import mean_directions
from vcn_ray.config import make_options
from vcn_ray.errors import InputError
from vcn_ray.identify.gallery import find_gallery
from vcn_ray.identify.picture_faces import cut_face
from vcn_ray.identify.references import embed_gallery
from vcn_ray.models.face_id import embed_both_ways
from vcn_ray.models.loading import INSTALLED

OPTIONS = make_options({})


def test_a_reference_is_made_as_a_tracks_base_embedding_is(tmp_path: Path) -> None:
    """By the real models; and a picture that is nothing but an aligned crop is the same person."""
    photograph = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    cv2.imwrite(str(tmp_path / "Photograph.png"), photograph)
    pack = INSTALLED.pack(OPTIONS)
    detector, landmarks = pack.detector(OPTIONS.tracks.min_face_score), pack.landmark_finder()
    crop = cut_face((tmp_path / "Photograph.png").read_bytes(), detector, OPTIONS.tracks, landmarks)
    cv2.imwrite(str(tmp_path / "Crop.png"), crop)
    references, problems = embed_gallery(find_gallery(str(tmp_path)), OPTIONS)
    assert problems == ()
    assert references.name == ("Crop", "Photograph")
    plain, flipped = embed_both_ways(
        INSTALLED.base_network(OPTIONS), np.ascontiguousarray(crop[None, ..., ::-1].transpose(0, 3, 1, 2))
    )
    track = mean_directions((plain + flipped) / 2, np.zeros(1, np.int64), 1)
    np.testing.assert_allclose(references.mean[1], track[0], atol=1e-5)
    assert references.mean[0] @ references.mean[1] > 0.8
    assert (references.clarity > 5).all()


def test_several_pictures_make_one_reference(tmp_path: Path) -> None:
    write_gallery(tmp_path, Anna=0, Bo=1)
    write_picture(tmp_path / "Anna" / "2.png", 0)
    write_picture(tmp_path / "Anna" / "another.png", 2)
    references, _ = embed_gallery(find_gallery(str(tmp_path)), OPTIONS, DRAWN)
    assert (references.name, references.pictures.tolist()) == (("Anna", "Bo"), [3, 1])
    np.testing.assert_allclose(np.linalg.norm(references.mean, axis=1), [np.sqrt(5) / 3, 1], atol=0.1)  # 2 and 1 of 3
    np.testing.assert_allclose(references.clarity, 10, rtol=1e-4)
    assert references.index_of("Bo") == 1
    assert references.index_of("Cy") is None


def test_pictures_that_cannot_be_used_are_named_and_the_others_go_on(tmp_path: Path) -> None:
    write_gallery(tmp_path, Anna=0, Two=[1, 2], Nobody=[])
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    references, problems = embed_gallery(find_gallery(str(tmp_path)), OPTIONS, DRAWN)
    assert references.name == ("Anna",)
    assert [problem.split(" shows ")[-1].split(";")[0] for problem in problems] == [
        "no face that is found",
        "2 faces",
        f"{tmp_path}/broken.jpg is no picture that can be read",
    ]


def test_a_gallery_without_a_face_is_an_error(tmp_path: Path) -> None:
    write_gallery(tmp_path, Nobody=[], Two=[1, 2])
    with pytest.raises(InputError, match=r"no reference picture can be used: .*Nobody\.png shows no face"):
        embed_gallery(find_gallery(str(tmp_path)), OPTIONS, DRAWN)


def test_more_faces_than_a_batch_are_all_embedded(tmp_path: Path) -> None:
    for number in range(33):
        write_picture(tmp_path / f"{number:02}.png", number % 4)
    references, _ = embed_gallery(find_gallery(str(tmp_path)), OPTIONS, DRAWN)
    assert len(references) == 33
    same = references.mean @ references.mean.T > 0.99
    assert (same == (np.arange(33)[:, None] % 4 == np.arange(33) % 4)).all()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
