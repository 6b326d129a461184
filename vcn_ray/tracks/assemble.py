"""From the shards' tables to the title's: long takes and faces found twice joined, tracks numbered, cannot-links.

Numbers follow from the content alone (videos as given, then frames, then position), so they are the same for any
cutting into shards and any order in which these were done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from vcn_ray import schemas
from vcn_ray.errors import InputError
from vcn_ray.tracks.duplicates import (
    box_overlaps,
    boxes_of,
    cannot_links,
    join_duplicates,
    keep_better_faces,
    meetings_of,
)
from vcn_ray.tracks.extract import GRID, ShardResult
from vcn_ray.tracks.tracktable import track_table
from vcn_ray.tracks.video_info import VideoInfo

_JOIN_IOU = 0.3


@dataclass(frozen=True)
class TitleTracks:
    """Stage 1 of a title: tables of the schemas STAGE1_FACES, STAGE1_TRACKS, CROPS, SHOTS and CANNOT_LINK."""

    faces: pa.Table
    tracks: pa.Table
    crops: pa.Table
    shots: pa.Table
    cannot_link: pa.Table


@dataclass(frozen=True)
class TrackNumbering:
    """Which track each face and each crop of a video is of; the two are renumbered together or not at all.

    faces: (faces,) int, negative where a face is of no track; crops: (crops,) int.
    """

    faces: np.ndarray
    crops: np.ndarray

    @classmethod
    def of_shards(cls, shards: list[ShardResult]) -> TrackNumbering:
        """The shards' own numbers, raised so that those of several shards differ."""
        faces, crops, above = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        for shard in shards:
            own = shard.faces["track_id"].fill_null(-1).to_numpy()
            faces.append(np.where(own >= 0, own + above, -1))
            crops.append(shard.crops["track_id"].to_numpy() + above)
            above += 1 + int(own.max(initial=-1))
        return cls(np.concatenate(faces), np.concatenate(crops))

    @classmethod
    def as_given(cls, shards: list[ShardResult]) -> TrackNumbering:
        """The shards' own numbers, which are the video's where its tracks were given."""
        faces = [np.empty(0, np.int64), *(shard.faces["track_id"].to_numpy() for shard in shards)]
        crops = [np.empty(0, np.int64), *(shard.crops["track_id"].to_numpy() for shard in shards)]
        return cls(np.concatenate(faces), np.concatenate(crops))

    def joined(self, into: Mapping[int, int]) -> TrackNumbering:
        """The tracks named in `into` are those that they go to; the others keep their numbers."""
        return TrackNumbering(
            np.array([into.get(track, track) for track in self.faces.tolist()], np.int64),
            np.array([into.get(track, track) for track in self.crops.tolist()], np.int64),
        )

    def counted(self, order: np.ndarray, first: int = 0) -> TrackNumbering:
        """Tracks numbered first, first + 1, ... as each has its first face in `order`, (faces,) rows."""
        numbers: dict[int, int] = {}
        for track in self.faces[order].tolist():
            if track >= 0:
                numbers.setdefault(track, first + len(numbers))
        return TrackNumbering(
            np.array([numbers.get(track, -1) for track in self.faces.tolist()], np.int64),
            np.array([numbers[track] for track in self.crops.tolist()], np.int64),
        )


@dataclass(frozen=True)
class _Found:
    """What the shards of one video found, one shard after the other, long takes in pieces; boxes as an array."""

    faces: pa.Table
    crops: pa.Table
    pieces: pa.Table
    boxes: np.ndarray

    @property
    def by_place(self) -> np.ndarray:
        """Rows of the faces in order of frame, then x, then y."""
        return np.lexsort((self.boxes[:, 1], self.boxes[:, 0], self.faces["frame"].to_numpy()))


@dataclass(frozen=True)
class _Video:
    """One video's tables with shots and tracks numbered for the title."""

    faces: pa.Table
    crops: pa.Table
    shots: pa.Table
    cannot_link: list[tuple[int, int]]
    tracks: pa.Table


def assemble_title(
    videos: list[tuple[VideoInfo, list[ShardResult]]], given: Collection[str] = frozenset()
) -> TitleTracks:
    """Put a title together from its videos, in the order given, and their shards, in any order.

    Shot and track numbers are unique in the title and start at 0. The tracks of videos that are named in `given` stay
    as they came, and where those are all of the title's and no number is there twice, they keep their numbers, too.
    Raises `InputError` where two videos bear one name, since the tables tell videos apart by name.
    """
    names = [info.name for info, _ in videos]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two videos of one title are named {name}; rename one or make them titles of their own")
    parts: list[_Video] = []
    first_shot = first_track = 0
    keeps_numbers = _differ([shards for _, shards in videos]) if all(name in given for name in names) else False
    for info, shards in videos:
        part = _assemble_video(
            info, shards, first_shot, first_track, given=info.name in given, keeps_numbers=keeps_numbers
        )
        first_shot += part.shots.num_rows
        first_track += part.tracks.num_rows
        parts.append(part)
    links = [pair for part in parts for pair in part.cannot_link]
    return TitleTracks(
        faces=_concat([part.faces for part in parts], schemas.STAGE1_FACES),
        tracks=_concat([part.tracks for part in parts], schemas.STAGE1_TRACKS),
        crops=_concat([part.crops for part in parts], schemas.CROPS),
        shots=_concat([part.shots for part in parts], schemas.SHOTS),
        cannot_link=pa.table(
            {"track_a": [a for a, _ in links], "track_b": [b for _, b in links]}, schema=schemas.CANNOT_LINK
        ),
    )


def _differ(videos: list[list[ShardResult]]) -> bool:
    """Whether no number is that of tracks of two videos."""
    seen: set[int] = set()
    for shards in videos:
        own = set(TrackNumbering.as_given(shards).faces.tolist())
        if seen & own:
            return False
        seen |= own
    return True


def _concat(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    # Cast, since shards may be there from a version that wrote landmarks as lists of fixed size.
    return pa.concat_tables([schema.empty_table(), *(table.cast(schema) for table in tables)]).combine_chunks()


def _assemble_video(
    info: VideoInfo,
    shards: list[ShardResult],
    first_shot: int,
    first_track: int,
    *,
    given: bool = False,
    keeps_numbers: bool = False,
) -> _Video:
    shards = sorted((s for s in shards if s.shots.num_rows), key=lambda s: int(s.shots["first_frame"].to_numpy()[0]))
    faces = _concat([s.faces for s in shards], schemas.STAGE1_FACES)
    crops = _concat([s.crops for s in shards], schemas.CROPS)
    found = _Found(faces, crops, _concat([s.shots for s in shards], schemas.SHOTS), boxes_of(faces))
    if given:
        numbering = TrackNumbering.as_given(shards)
        if not keeps_numbers:
            numbering = numbering.counted(found.by_place, first_track)
        return _number_for_title(info, found, numbering, first_shot)
    numbering = TrackNumbering.of_shards(shards)
    numbering = numbering.joined(_continued(found, numbering.faces, info.fps))
    # Counted before duplicates are looked for, so that equals are told apart by their content alone.
    found, numbering = _join_found_twice(found, numbering.counted(found.by_place))
    return _number_for_title(info, found, numbering.counted(found.by_place, first_track), first_shot)


def _continued(found: _Found, tracks: np.ndarray, fps: float) -> dict[int, int]:
    """Which track of a later piece of a long take continues which earlier one: {later: earliest}.

    One to one by the overlap of the last box before the line and the first after it, a quarter of a second apart at
    most: more than a dropped detection or two would be guessing. tracks: (faces,) int, negative where there is none.
    """
    frames, boxes = found.faces["frame"].to_numpy(), found.boxes
    reach = max(1, round(fps / 4))
    root: dict[int, int] = {}
    pieces = zip(found.pieces["first_frame"].to_pylist(), found.pieces["transition"].to_pylist(), strict=True)
    for line in (start for start, transition in pieces if transition == GRID):
        near = np.flatnonzero((tracks >= 0) & (np.abs(frames - line) <= reach))
        ends: dict[int, int] = {}
        starts: dict[int, int] = {}
        for row in near[np.argsort(frames[near], kind="stable")].tolist():
            if frames[row] < line:
                ends[int(tracks[row])] = row
            else:
                starts.setdefault(int(tracks[row]), row)
        if not ends or not starts:
            continue
        overlap = box_overlaps(boxes[list(ends.values())][:, None], boxes[list(starts.values())][None])
        gaps = frames[list(starts.values())][None, :] - frames[list(ends.values())][:, None]
        overlap[gaps > reach] = 0
        for i, j in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[i, j] >= _JOIN_IOU:
                earlier = list(ends)[i]
                root[list(starts)[j]] = root.get(earlier, earlier)
    return root


def _join_found_twice(found: _Found, numbering: TrackNumbering) -> tuple[_Found, TrackNumbering]:
    """One track of those that the detector found on one face: in each frame the better face stays, with its crop.

    Where a track would be left without a crop, it keeps those of the faces that go.
    """
    faces, crops = found.faces, found.crops
    frames = faces["frame"].to_numpy()
    into = join_duplicates(meetings_of(faces, numbering.faces))
    stays = keep_better_faces(frames, numbering.faces, faces["score"].to_numpy().astype(np.float64), into)
    kept = {*zip(numbering.faces[stays].tolist(), frames[stays].tolist(), strict=True)}
    of_kept = [face in kept for face in zip(numbering.crops.tolist(), crops["frame"].to_pylist(), strict=True)]
    crop_stays = np.array(of_kept, bool)
    joined = numbering.joined(into)
    crop_stays |= ~np.isin(joined.crops, joined.crops[crop_stays])
    return (
        replace(found, crops=crops.filter(pa.array(crop_stays))),
        TrackNumbering(np.where(stays, joined.faces, -1), joined.crops[crop_stays]),
    )


def _number_for_title(info: VideoInfo, found: _Found, numbering: TrackNumbering, first_shot: int) -> _Video:
    """The tables as the title has them: shots without the lines that cut long takes, faces and crops in order."""
    shots, shot_of_piece = _real_shots(info, found.pieces, first_shot)
    piece = np.searchsorted(found.pieces["first_frame"].to_numpy(), found.faces["frame"].to_numpy(), side="right") - 1
    of_track = pa.array(numbering.faces, pa.int64(), mask=numbering.faces < 0)
    names = schemas.STAGE1_FACES.names
    faces = found.faces.set_column(names.index("track_id"), "track_id", of_track)
    faces = faces.set_column(names.index("shot"), "shot", pa.array(shot_of_piece[piece], pa.int32()))
    faces = faces.take(pa.array(found.by_place))
    crops = found.crops.set_column(0, "track_id", pa.array(numbering.crops, pa.int64()))
    crops = crops.take(pa.array(np.lexsort((crops["frame"].to_numpy(), numbering.crops))))
    return _Video(faces, crops, shots, cannot_links(faces), track_table(faces, crops))


def _real_shots(info: VideoInfo, pieces: pa.Table, first_shot: int) -> tuple[pa.Table, np.ndarray]:
    """The shots without the lines that cut long takes, each up to where the next begins; and each piece's shot."""
    starts, transitions = pieces["first_frame"].to_pylist(), pieces["transition"].to_pylist()
    heads = [n for n, transition in enumerate(transitions) if n == 0 or transition != GRID]
    shot_of_piece = np.searchsorted(heads, np.arange(len(starts)), side="right") - 1 + first_shot
    ends = [*(starts[n] - 1 for n in heads[1:]), info.frames - 1] if heads else []
    shots = pa.table(
        {
            "video": [info.name] * len(heads),
            "shot": range(first_shot, first_shot + len(heads)),
            "first_frame": [starts[n] for n in heads],
            "last_frame": ends,
            "transition": [transitions[n] for n in heads],
        },
        schema=schemas.SHOTS,
    )
    return shots, shot_of_piece
