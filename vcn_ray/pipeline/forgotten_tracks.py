"""Tracks of people who are forgotten, taken out of what stage 1 stored: its shards and the title's tables.

What is theirs goes by where it is seen, since each shard numbers its tracks by itself, and since a detector may have
found a face twice: a detection that lies on theirs and that no other track took is theirs, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.corrections.anchoring import TitlePlaces, TrackPlaces
from vcn_ray.corrections.correction_file import from_plain
from vcn_ray.pipeline.layout import FORGOTTEN_KEY, MARKER
from vcn_ray.schemas import CANNOT_LINK, CROPS, STAGE1_FACES, STAGE1_TRACKS
from vcn_ray.storage.store import Store
from vcn_ray.tracks.duplicates import box_overlaps, boxes_of, cannot_links
from vcn_ray.tracks.tracktable import track_table

if TYPE_CHECKING:  # it brings the decoder
    from vcn_ray.tracks.assemble import TitleTracks

#: Faces of a title's tracks (`PLACES`) with whose they are, while a removal is under way: a removal that was stopped
#: half-way is finished from it.
REMOVAL_KEY = "removal.parquet"

PLACES = pa.schema(
    [
        *(STAGE1_FACES.field(name) for name in ("video", "frame", "x", "y", "w", "h", "track_id")),
        ("theirs", pa.bool_()),
    ]
)

#: A detection lies on a face where their boxes overlap by so much (intersection over union).
LYING_ON = 0.3

#: A face is found for so many frames before a track is made of it, or after it was lost.
_BESIDE_FRAMES = 12

CROPS_PER_ROW_GROUP = 64  # crops are read back a few at a time


def places_of(faces: pa.Table, theirs: np.ndarray) -> pa.Table:
    """As `PLACES`; faces: with a track each; theirs: (n,) bool."""
    return faces.select(PLACES.names[:-1]).append_column("theirs", pa.array(theirs, pa.bool_())).cast(PLACES)


class Whose:
    """Tells which faces are of whoever is removed.

    Args:
        places: `PLACES` of a title.
    """

    def __init__(self, places: pa.Table):
        self._videos = {name: code for code, name in enumerate(pc.unique(places["video"]).to_pylist())}
        mine = places.filter(places["theirs"])
        self._mine = np.sort(self._keys(mine))
        self._others = np.sort(self._keys(places.filter(pc.invert(places["theirs"]))))
        self._tracks = []  # video, frames, boxes of each of theirs
        for track in pc.unique(mine["track_id"]).to_pylist():
            own = mine.filter(pc.equal(mine["track_id"], track)).sort_by("frame")
            self._tracks.append((own["video"][0].as_py(), own["frame"].to_numpy(), boxes_of(own)))

    def are_theirs(self, faces: pa.Table) -> np.ndarray:
        """(n,) bool; faces: video, frame, x, y, w, h, with or without tracks. Faces of others are never theirs."""
        keys = self._keys(faces)
        theirs = _are_in(keys, self._mine)
        free = ~theirs & ~_are_in(keys, self._others)
        if not free.any():
            return theirs
        videos = faces["video"].to_numpy(zero_copy_only=False)
        frames, boxes = faces["frame"].to_numpy(), boxes_of(faces)
        for video, own_frames, own_boxes in self._tracks:
            near = (frames >= own_frames[0] - _BESIDE_FRAMES) & (frames <= own_frames[-1] + _BESIDE_FRAMES)
            rows = np.flatnonzero(free & near & (videos == video))
            there = np.stack([np.interp(frames[rows], own_frames, side) for side in own_boxes.T], axis=1)
            theirs[rows[box_overlaps(boxes[rows], there) >= LYING_ON]] = True
        return theirs

    def _keys(self, faces: pa.Table) -> np.ndarray:
        """What makes two faces the same: video, frame and box, as bytes that can be sorted."""
        keys = np.zeros(len(faces), [("video", "<i4"), ("frame", "<i8"), ("box", "<f4", 4)])
        keys["video"] = [self._videos.get(name, -1) for name in faces["video"].to_pylist()]
        keys["frame"], keys["box"] = faces["frame"].to_numpy(), boxes_of(faces)
        return keys.view(f"S{keys.dtype.itemsize}")


def _are_in(keys: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which keys are among the known ones, which are sorted."""
    if not len(known):
        return np.zeros(len(keys), bool)
    return known[np.minimum(np.searchsorted(known, keys), len(known) - 1)] == keys


def remove_from_shards(work: Store, places: pa.Table) -> None:
    """Take faces and pictures out of all stored shards of a title; what a killed run has left of one goes whole."""
    whose = Whose(places)
    for step in sorted({key.rpartition("/")[0] for key in work.keys("shards/") if key.endswith(".parquet")}):
        if work.exists(f"{step}{MARKER}"):
            _remove(work, step, whose, None)
        else:
            work.delete(step)


def remove_from_tracks(work: Store, places: pa.Table) -> None:
    """Take faces and pictures out of a title's joined tables."""
    _remove(work, "tracks", Whose(places), CROPS_PER_ROW_GROUP)
    faces, crops = work.read_table("tracks/faces.parquet"), work.read_table("tracks/crops.parquet")
    work.write_table("tracks/tracks.parquet", track_table(faces, crops), STAGE1_TRACKS)
    work.write_table("tracks/cannot_link.parquet", _links(faces), CANNOT_LINK)


def drop_forgotten(work: Store, found: TitleTracks, fingerprints: Mapping[str, str]) -> TitleTracks:
    """A title's tracks without those that people had forgotten; out of its shards they are taken as well.

    Tracks keep the numbers that they would have otherwise.

    Args:
        work: the title's working store.
        found: its tracks, joined.
        fingerprints: of its videos, by name.
    """
    gone = _found_again(work, found.faces, fingerprints)
    tracked = found.faces.filter(found.faces["track_id"].is_valid())
    theirs = _in_ranges(tracked, gone)
    if not theirs.any():
        return found
    # What was made of the tracks before, if anything is left of it, goes by other numbers.
    for key in ("views", "split", "split.done.json", "adapt", "adapt.done.json", "results.done.json"):
        work.delete(key)
    places = places_of(tracked, theirs)
    work.write_table(REMOVAL_KEY, places)
    finish_removal_from_shards(work)
    faces, crops = _without(found.faces, found.crops, Whose(places))
    return replace(found, faces=faces, crops=crops, tracks=track_table(faces, crops), cannot_link=_links(faces))


def finish_removal_from_shards(work: Store) -> None:
    """Take out of the shards what a removal that was stopped half-way has left there; before they are joined."""
    if work.exists(REMOVAL_KEY):
        remove_from_shards(work, work.read_table(REMOVAL_KEY))
        work.delete(REMOVAL_KEY)


def _found_again(work: Store, faces: pa.Table, fingerprints: Mapping[str, str]) -> list[tuple[int, int, int]]:
    """Tracks that are where somebody was who is forgotten: number, and the frames between which it is theirs."""
    if not work.exists(FORGOTTEN_KEY):
        return []
    tracked = faces.filter(faces["track_id"].is_valid())
    track_id = np.unique(tracked["track_id"].to_numpy())
    places = TrackPlaces([TitlePlaces(fingerprints, tracked, track_id)])
    anchors = [anchor for one in from_plain(work.read_json(FORGOTTEN_KEY)) for anchor in one.tracks]
    return [(int(track_id[row]), *anchor.frames) for anchor in anchors for row in places.rows_of_most(anchor)]


def _in_ranges(tracked: pa.Table, ranges: Collection[tuple[int, int, int]]) -> np.ndarray:
    """Which faces are of these tracks (number, first frame, last frame), (n,) bool."""
    track, frame = tracked["track_id"].to_numpy(), tracked["frame"].to_numpy()
    inside = np.zeros(len(track), bool)
    for number, first, last in ranges:
        inside |= (track == number) & (frame >= first) & (frame <= last)
    return inside


def _remove(work: Store, step: str, whose: Whose, rows_per_group: int | None) -> None:
    """Take somebody out of the tables of faces and crops below a step."""
    faces, crops = work.read_table(f"{step}/faces.parquet"), work.read_table(f"{step}/crops.parquet")
    faces_left, crops_left = _without(faces, crops, whose)
    # Pictures first: which are theirs is told by the faces.
    if len(crops_left) < len(crops):
        work.write_table(f"{step}/crops.parquet", crops_left, CROPS, rows_per_group)
    if len(faces_left) < len(faces):
        work.write_table(f"{step}/faces.parquet", faces_left, STAGE1_FACES)


def _without(faces: pa.Table, crops: pa.Table, whose: Whose) -> tuple[pa.Table, pa.Table]:
    """Faces and crops without theirs. A crop is whose its track's nearest face is: its own may have lost its track."""
    theirs = whose.are_theirs(faces)
    track, frame = faces["track_id"].fill_null(-1).to_numpy(), faces["frame"].to_numpy()
    crop_track, crop_frame = crops["track_id"].to_numpy(), crops["frame"].to_numpy()
    crop_is_theirs = np.zeros(len(crop_track), bool)
    for number in np.unique(track[theirs & (track >= 0)]).tolist():
        own = np.flatnonzero(track == number)
        for row in np.flatnonzero(crop_track == number).tolist():
            crop_is_theirs[row] = theirs[own[np.argmin(np.abs(frame[own] - crop_frame[row]))]]
    return faces.filter(pa.array(~theirs)), crops.filter(pa.array(~crop_is_theirs))


def _links(faces: pa.Table) -> pa.Table:
    pairs = cannot_links(faces)
    return pa.table({"track_a": [a for a, _ in pairs], "track_b": [b for _, b in pairs]}, schema=CANNOT_LINK)
