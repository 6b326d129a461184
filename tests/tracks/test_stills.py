"""Stills: the pictures of their times, upright, from key frames where there are enough, else from all."""

import numpy as np
import pytest

from vcn_ray.errors import InputError
from vcn_ray.storage.store import Store
from vcn_ray.tracks.stills import stills_of


@pytest.mark.parametrize(("group", "expected"), [("6", [0, 6, 18, 30, 36]), ("1000", [0, 10, 20, 30, 40])])
def test_stills_are_those_of_their_times(videos, tmp_path, group, expected) -> None:
    options = {"g": group, "keyint_min": group, "sc_threshold": "0", "crf": "5"}
    path = videos.write(tmp_path / "a.mp4", [videos.stamped(n) for n in range(50)], fps=25, options=options)
    found = list(stills_of(path, 0.4, 192, frames=50))
    assert [round(time_s * 25) for time_s, _ in found] == [videos.read_stamp(picture) for _, picture in found]
    assert [videos.read_stamp(picture) for _, picture in found] == expected


def test_stills_are_upright_and_small(videos, tmp_path) -> None:
    path = videos.write(tmp_path / "a.mp4", [np.rot90(videos.stamped(n)) for n in range(5)], rotation=-90)
    ((time_s, picture),) = stills_of(path, 10.0, 96)
    assert time_s == 0.0
    assert picture.shape == (54, 96, 3)


def test_stills_of_an_object(videos, tmp_path, s3_bucket) -> None:
    path = videos.write(tmp_path / "a.mp4", [videos.stamped(n) for n in range(30)], fps=25, options={"g": "10"})
    Store(s3_bucket).write_file("a.mp4", path)
    found = list(stills_of(f"{s3_bucket}/a.mp4", 0.4, 192))
    assert [videos.read_stamp(picture) for _, picture in found] == [0, 10, 20]


def test_another_film_is_refused(videos, tmp_path) -> None:
    path = videos.write(tmp_path / "a.mp4", [videos.stamped(n) for n in range(5)])
    with pytest.raises(InputError, match=r"another video than the one that was run \(5 frames, not 7\)"):
        list(stills_of(path, 1.0, 96, frames=7))
    with pytest.raises(InputError, match="does not exist"):
        list(stills_of(tmp_path / "b.mp4", 1.0, 96))
