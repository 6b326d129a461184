"""From the shards' tables to the title's: long takes and faces found twice joined, tracks numbered, cannot-links.

Numbers follow from the content alone (videos as given, then frames, then position), so they are the same for any
cutting into shards and any order in which these were done.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from vcn_ray import schemas
from vcn_ray.config import TrackOptions
from vcn_ray.errors import InputError
from vcn_ray.tracks.duplicates import box_overlaps, cannot_links, join_duplicates, keep_better_faces, meetings_of
from vcn_ray.tracks.extract import GRID, ShardResult
from vcn_ray.tracks.probe import VideoInfo
from vcn_ray.tracks.tracktable import track_table

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
class _Video:
    """One video's tables with shots and tracks numbered for the title; box columns as arrays for what follows."""

    faces: pa.Table
    crops: pa.Table
    shots: pa.Table
    cannot_link: list[tuple[int, int]]
    tracks: pa.Table


def assemble_title(videos: list[tuple[VideoInfo, list[ShardResult]]], options: TrackOptions) -> TitleTracks:
    """Put a title together from its videos, in the order given, and their shards, in any order.

    Shot and track numbers are unique in the title and start at 0. Raises `InputError` where two videos bear one name,
    since the tables tell videos apart by name.
    """
    names = [info.name for info, _ in videos]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two videos of one title are named {name}; rename one or make them titles of their own")
    parts: list[_Video] = []
    first_shot = first_track = 0
    for info, shards in videos:
        part = _assemble_video(info, shards, options, first_shot, first_track)
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


def _concat(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *tables]).combine_chunks()


def _assemble_video(
    info: VideoInfo, shards: list[ShardResult], options: TrackOptions, first_shot: int, first_track: int
) -> _Video:
    shards = sorted((s for s in shards if s.shots.num_rows), key=lambda s: int(s.shots["first_frame"].to_numpy()[0]))
    shots = _concat([s.shots for s in shards], schemas.SHOTS)
    piece_starts = shots["first_frame"].to_numpy()
    transitions = shots["transition"].to_pylist()
    real = np.cumsum([t != GRID for t in transitions]) - 1  # pieces to shots
    real = np.maximum(real, 0)

    offsets = np.cumsum([0, *(1 + _highest_track(s.faces) for s in shards)])
    faces = _concat([_offset(s.faces, int(o)) for s, o in zip(shards, offsets, strict=False)], schemas.STAGE1_FACES)
    crops = _concat([_offset(s.crops, int(o)) for s, o in zip(shards, offsets, strict=False)], schemas.CROPS)
    frames = faces["frame"].to_numpy()
    tracks = faces["track_id"].fill_null(-1).to_numpy().copy()
    boxes = np.stack([faces[c].to_numpy().astype(np.float64) for c in "xywh"], axis=1).reshape(-1, 4)

    # Numbered before duplicates are looked for, so that equals are told apart by their content alone.
    joined = _join_pieces(frames, tracks, boxes, piece_starts, transitions, info.fps)
    tracks = np.array([joined.get(t, t) for t in tracks.tolist()], np.int64)
    tracks, number = _number_tracks(frames, tracks, boxes)
    crop_tracks = np.array([number[joined.get(t, t)] for t in crops["track_id"].to_pylist()], np.int64)
    twice = join_duplicates(meetings_of(faces, tracks))
    after, stays = keep_better_faces(frames, tracks, faces["score"].to_numpy().astype(np.float64), twice)
    crops, crop_tracks = _crops_of_kept(
        crops, crop_tracks, {*zip(tracks[stays].tolist(), frames[stays].tolist(), strict=True)}, twice
    )
    tracks, number = _number_tracks(frames, np.where(stays, after, -1), boxes)
    tracks = np.where(tracks >= 0, tracks + first_track, -1)
    crop_tracks = np.array([number[t] + first_track for t in crop_tracks.tolist()], np.int64)
    shot_of_face = real[np.searchsorted(piece_starts, frames, side="right") - 1] + first_shot if len(frames) else frames

    order = np.lexsort((boxes[:, 1], boxes[:, 0], frames))
    faces = faces.set_column(
        faces.schema.get_field_index("track_id"), "track_id", pa.array(tracks, pa.int64(), mask=tracks < 0)
    )
    faces = faces.set_column(faces.schema.get_field_index("shot"), "shot", pa.array(shot_of_face, pa.int32()))
    faces = faces.take(pa.array(order))
    crops = crops.set_column(0, "track_id", pa.array(crop_tracks, pa.int64()))
    crops = crops.take(pa.array(np.lexsort((crops["frame"].to_numpy(), crop_tracks))))
    shots = _real_shots(info, piece_starts, transitions, real, first_shot)
    return _Video(
        faces=faces,
        crops=crops,
        shots=shots,
        cannot_link=cannot_links(faces),
        tracks=track_table(faces, crops),
    )


def _highest_track(faces: pa.Table) -> int:
    tracks = faces["track_id"].drop_null().to_numpy()
    return int(tracks.max()) if len(tracks) else -1


def _offset(table: pa.Table, offset: int) -> pa.Table:
    """Shift the local track numbers, so that those of several shards differ."""
    column = table.schema.get_field_index("track_id")
    shifted = [None if t is None else t + offset for t in table["track_id"].to_pylist()]
    return table.set_column(column, table.schema.field(column), pa.array(shifted, pa.int64()))


def _join_pieces(
    frames: np.ndarray,
    tracks: np.ndarray,
    boxes: np.ndarray,
    piece_starts: np.ndarray,
    transitions: list[str],
    fps: float,
) -> dict[int, int]:
    """Which track of a later piece of a long take continues which earlier one: {later: earliest}.

    One to one by the overlap of the last box before the line and the first after it, a quarter of a second apart at
    most: more than a dropped detection or two would be guessing.
    """
    reach = max(1, round(fps / 4))
    root: dict[int, int] = {}
    for line, transition in zip(piece_starts.tolist(), transitions, strict=True):
        if transition != GRID:
            continue
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


def _number_tracks(frames: np.ndarray, tracks: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, dict[int, int]]:
    """Tracks numbered 0, 1, ... in order of their first face's frame, then x, then y; and {old: new}."""
    numbers: dict[int, int] = {}
    for row in np.lexsort((boxes[:, 1], boxes[:, 0], frames)).tolist():
        track = int(tracks[row])
        if track >= 0:
            numbers.setdefault(track, len(numbers))
    return np.array([numbers.get(track, -1) for track in tracks.tolist()], np.int64), numbers


def _crops_of_kept(
    crops: pa.Table, track: np.ndarray, kept: set[tuple[int, int]], joined: dict[int, int]
) -> tuple[pa.Table, np.ndarray]:
    """Crops of faces that stay, and their tracks after joining; where a track would have none, it keeps the others.

    track: (crops,); kept: (track before joining, frame) of the faces that stay.
    """
    stays = np.array([face in kept for face in zip(track.tolist(), crops["frame"].to_pylist(), strict=True)], bool)
    track = np.array([joined.get(t, t) for t in track.tolist()], np.int64)
    stays |= ~np.isin(track, track[stays])
    return crops.filter(pa.array(stays)), track[stays]


def _real_shots(
    info: VideoInfo, piece_starts: np.ndarray, transitions: list[str], real: np.ndarray, first_shot: int
) -> pa.Table:
    """The shots without the lines that cut long takes; each ends where the next begins."""
    heads = [n for n in range(len(transitions)) if n == 0 or real[n] != real[n - 1]]
    starts = [int(piece_starts[n]) for n in heads]
    ends = [*(start - 1 for start in starts[1:]), info.frames - 1] if starts else []
    return pa.table(
        {
            "video": [info.name] * len(heads),
            "shot": range(first_shot, first_shot + len(heads)),
            "first_frame": starts,
            "last_frame": ends,
            "transition": [transitions[n] for n in heads],
        },
        schema=schemas.SHOTS,
    )
