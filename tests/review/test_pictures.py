"""Crops and strips come from few rows of the working store, the best crop first, and the cache has a bound."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from vcn_ray import schemas
from vcn_ray.errors import OutputError
from vcn_ray.review.bounded_cache import BoundedCache
from vcn_ray.review.pictures import StoredPictures, strip_of
from vcn_ray.storage.store import Store


def jpeg(grey: int, size: tuple[int, int] = (112, 112)) -> bytes:
    return cv2.imencode(".jpg", np.full((*size, 3), grey, np.uint8))[1].tobytes()


def grey(picture: bytes | None) -> int:
    assert picture is not None
    decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return round(float(decoded.mean()), -1)  # type: ignore[return-value]


@pytest.fixture
def pictures(tmp_path: Path) -> StoredPictures:
    """Track 5 has crops of frames 0, 1, 2 (grey 10, 20, 30); from frame 10 on they are track 9's (40, 50)."""
    work = Store(tmp_path)
    rows = [(5, 0, 0.2, 10), (5, 1, 0.9, 20), (5, 2, 0.5, 30), (5, 10, 0.4, 40), (5, 11, 0.8, 50)]
    crops = [
        {"track_id": track, "video": "v", "frame": frame, "score": 1.0, "sharpness": sharp, "jpeg": jpeg(value)}
        for track, frame, sharp, value in rows
    ]
    work.write_table("tracks/crops.parquet", pa.Table.from_pylist(crops, schemas.CROPS), rows_per_group=2)
    splits = [{"track_id": 5, "first_frame": 10, "new_track_id": 9}]
    work.write_table("split/splits.parquet", pa.Table.from_pylist(splits, schemas.SPLITS))
    return StoredPictures([work], np.array([0, 0, 0]), np.array([5, 9, 11]))


def test_the_best_crop_comes_first(pictures: StoredPictures) -> None:
    assert [grey(pictures.crop(0, nth)) for nth in range(3)] == [20, 30, 10]
    assert [grey(pictures.crop(1, nth)) for nth in range(2)] == [50, 40]
    assert pictures.crop(0, 3) is None
    assert pictures.crop(2, 0) is None
    assert pictures.strip(2, 8) is None


def test_a_strip_is_in_time(pictures: StoredPictures) -> None:
    strip = cv2.imdecode(np.frombuffer(pictures.strip(0, 8) or b"", np.uint8), cv2.IMREAD_COLOR)
    assert strip is not None
    assert strip.shape == (112, 336, 3)
    assert [round(float(strip[:, x].mean())) for x in (50, 160, 280)] == pytest.approx([10, 20, 30], abs=2)
    assert pictures.strip(0, 2) != pictures.strip(0, 8)


def test_only_the_rows_that_are_shown_are_read(pictures: StoredPictures, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[object]] = []
    read = Store.read_table
    monkeypatch.setattr(Store, "read_table", lambda store, *what: asked.append([*what]) or read(store, *what))
    pictures.crop(1, 0)
    assert [what[2] for what in asked if what[1:2] == [["jpeg"]]] == [[4]]
    pictures.crop(1, 0)
    assert len(asked) == 3  # crops without pictures, splits, a picture: and nothing again


def test_damaged_pictures_are_left_out() -> None:
    strip = cv2.imdecode(np.frombuffer(strip_of([b"nonsense", jpeg(90, (56, 28))]), np.uint8), cv2.IMREAD_COLOR)
    assert strip is not None
    assert strip.shape == (112, 56, 3)
    with pytest.raises(OutputError, match="damaged"):
        strip_of([b"nonsense"])


def test_what_was_used_longest_ago_goes_first() -> None:
    cache, made = BoundedCache(30), []

    def ten(key: str) -> bytes:
        return cache.get(key, lambda: made.append(key) or b"x" * 10)  # type: ignore[func-returns-value]

    for key in ("a", "b", "c", "a", "d", "a", "b"):
        assert len(ten(key)) == 10
    assert made == ["a", "b", "c", "d", "b"]
    assert cache.get("large", lambda: b"x" * 100) == b"x" * 100  # given, not kept
    assert cache.get("large", lambda: b"anew") == b"anew"
