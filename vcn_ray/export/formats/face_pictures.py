"""Pictures of people for exports: faces out of a title's crops, as data URIs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.export.formats.by_video import VideoTracks
from vcn_ray.export.formats.presence import Presence
from vcn_ray.export.pictures import SAMPLE, CropIndex, data_uri, pick_spread


class FacePicture(NamedTuple):
    """A face of a presence: where it is, how good it is (see `CropIndex.worth`), and the picture."""

    presence: Presence
    track_id: int
    frame: int
    time_s: float
    worth: float
    data_uri: str


class FacePictures:
    """The pictures of a season's titles, of one title in memory at a time."""

    def __init__(self, crops: Callable[[str], pa.Table]):
        """Take what reads a title's pictures (`schemas.CROPS`)."""
        self._read = crops
        self._title: tuple[str, pa.Table, CropIndex] | None = None

    def spread(self, video: VideoTracks, presences: list[Presence], count: int) -> list[FacePicture]:
        """Up to `count` pictures of somebody, of as many presences, spread over time; fewer where crops are gone.

        Args:
            video: that they are in.
            presences: the person's, by time.
            count: how many at most.
        """
        crops, index = self._of(video.facts.title)
        best = {
            place: max(one.track_ids, key=lambda id_: (index.has(id_), index.worth(id_)))
            for place, one in enumerate(presences)
        }
        best = {place: track for place, track in best.items() if index.has(track)}
        worth = np.array([index.worth(track) for track in best.values()])
        found = []
        for place in pick_spread(list(best), worth, count):
            track_id, row = best[place], index.best(best[place])
            if row is not None:
                frame, jpeg = crops["frame"][row].as_py(), crops["jpeg"][row].as_py()
                time_s = _time_s(video, track_id, frame)
                picture = data_uri(jpeg, SAMPLE)
                found.append(FacePicture(presences[place], track_id, frame, time_s, index.worth(track_id), picture))
        return found

    def _of(self, title: str) -> tuple[pa.Table, CropIndex]:
        if self._title is None or self._title[0] != title:
            crops = self._read(title)
            self._title = title, crops, CropIndex(crops)
        return self._title[1:]


def _time_s(video: VideoTracks, track_id: int, frame: int) -> float:
    """When a track's frame is; or the track begins, should the frame not be in it."""
    faces = video.faces.filter(pc.equal(video.faces["track_id"], track_id))
    row = pc.index(faces["frame"], frame).as_py()
    return float(faces["time_s"][max(row, 0)].as_py())
