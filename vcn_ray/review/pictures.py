"""Crops and picture strips of tracks, read a few rows at a time from the titles' working stores."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import cv2
import numpy as np

from vcn_ray.errors import OutputError
from vcn_ray.export.pictures import CropIndex
from vcn_ray.pipeline.split_tables import read_crop_index
from vcn_ray.review.bounded_cache import BoundedCache
from vcn_ray.storage.store import Store

_KEY = "tracks/crops.parquet"
_KEPT_BYTES = 64 << 20
_STRIP_HEIGHT_PX = 112
_STRIP_QUALITY = 85


class StoredPictures:
    """The crops of a season's tracks.

    Args:
        titles: working store of each title.
        title: (n,) index into `titles` of each track.
        track_id: (n,) number in the title.
    """

    def __init__(self, titles: Sequence[Store], title: np.ndarray, track_id: np.ndarray):
        self._titles, self._title, self._track_id = titles, title, track_id
        self._index: dict[int, CropIndex] = {}
        self._kept = BoundedCache(_KEPT_BYTES)
        self._reading = threading.Lock()

    def crop(self, row: int, nth: int) -> bytes | None:
        """The nth best crop of a track as JPEG; None where it has none."""
        places = self._crops_of(row).ranked(int(self._track_id[row]))
        if not 0 <= nth < len(places):
            return None
        place = places[nth]
        return self._kept.get((row, place), lambda: self._read(row, [place])[0])

    def strip(self, row: int, count: int) -> bytes | None:
        """Up to so many crops of a track side by side, in time, as JPEG; None where it has none."""
        places = self._crops_of(row).varied(int(self._track_id[row]), count)
        return self._kept.get((row, count, "strip"), lambda: strip_of(self._read(row, places))) if places else None

    def _read(self, row: int, places: list[int]) -> list[bytes]:
        table = self._titles[self._title[row]].read_table(_KEY, ["jpeg"], places)
        return table["jpeg"].to_pylist()

    def _crops_of(self, row: int) -> CropIndex:
        title = int(self._title[row])
        with self._reading:
            if title not in self._index:
                self._index[title] = CropIndex(read_crop_index(self._titles[title]))
            return self._index[title]


def strip_of(jpegs: Sequence[bytes]) -> bytes:
    """Pictures side by side, each 112 px high, as one JPEG."""
    pictures: list[np.ndarray] = []
    for jpeg in jpegs:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:  # damaged
            continue
        width = max(1, round(picture.shape[1] * _STRIP_HEIGHT_PX / picture.shape[0]))
        pictures.append(cv2.resize(picture, (width, _STRIP_HEIGHT_PX), interpolation=cv2.INTER_AREA))
    if not pictures:
        raise OutputError("The pictures of this track are damaged; run again to make them anew.")
    encoded = cv2.imencode(".jpg", np.concatenate(pictures, axis=1), [cv2.IMWRITE_JPEG_QUALITY, _STRIP_QUALITY])
    return encoded[1].tobytes()
