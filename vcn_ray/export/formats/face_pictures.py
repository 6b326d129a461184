"""Pictures of people for exports: faces out of a title's crops, as data URIs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

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
        self._title: str | None = None
        self._crops, self._index = pa.table({}), None

    def spread(self, video: VideoTracks, presences: list[Presence], count: int) -> list[FacePicture]:
        """Up to `count` pictures of somebody, of as many presences, spread over time; fewer where crops are gone.

        Args:
            video: that they are in.
            presences: the person's, by time.
            count: how many at most.
        """
        index = self._of(video.facts.title)
        best = {place: max(one.track_ids, key=index.worth) for place, one in enumerate(presences)}
        best = {place: track for place, track in best.items() if index.has(track)}
        worth = np.array([index.worth(track) for track in best.values()])
        return [
            self._picture(video, presences[place], best[place], index)
            for place in pick_spread(list(best), worth, count)
        ]

    def _of(self, title: str) -> CropIndex:
        if self._index is None or self._title != title:
            self._crops, self._title = self._read(title), title
            self._index = CropIndex(self._crops)
        return self._index

    def _picture(self, video: VideoTracks, one: Presence, track_id: int, index: CropIndex) -> FacePicture:
        row = index.best(track_id)
        assert row is not None, "has() said so"  # noqa: S101
        frame = int(self._crops["frame"][row].as_py())
        faces = video.faces
        at = (faces["track_id"].to_numpy() == track_id) & (faces["frame"].to_numpy() == frame)
        times_s = faces["time_s"].to_numpy()[at]
        time_s = float(times_s[0]) if len(times_s) else one.start_s
        uri = data_uri(self._crops["jpeg"][row].as_py(), SAMPLE)
        return FacePicture(one, track_id, frame, time_s, index.worth(track_id), uri)
