"""Given boxes brought to a video: its frames, its pixels, its tracks' numbers; refused where they do not fit."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.errors import InputError
from vcn_ray.schemas import STAGE1_FACES
from vcn_ray.track_files.content import TrackFile, find_video
from vcn_ray.tracks.video_info import VideoInfo

#: The given faces of one video, in order of frame and track: as `schemas.STAGE1_FACES`; score null: filled in.
GIVEN = pa.schema(
    [STAGE1_FACES.field(name) for name in ("frame", "x", "y", "w", "h", "score", "landmarks", "track_id")]
)

_LARGEST_NUMBER = 2**31


def given_faces(file: TrackFile, video: str, info: VideoInfo, fps: float | None = None) -> pa.Table:
    """A video's faces (`GIVEN`) of a file, none where the file names other videos alone.

    A file's frame is that of the video which is seen at its time; the time comes from `fps`, from the file's own times,
    or from the rate that the file names. Where nothing tells, frames are those of the video. Where a track has a box in
    every n-th frame alone, those between lie on a straight line. Tracks keep their numbers where all have one; else
    they are counted as they appear.

    Args:
        file: as it was read.
        video: the video's name.
        info: the video.
        fps: frames a second that the file was made for, where it is said beside it.

    Raises:
        InputError: a frame that the video does not have, a box outside of its picture, a track twice in one frame.
    """
    file = file.named(video)
    name = find_video(video, [one for one in file.videos() if one is not None])
    if name is None:
        return GIVEN.empty_table()
    faces = file.faces.filter(pc.equal(file.faces["video"], name))
    labels, track = np.unique(faces["track"].to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    frame = faces["frame"].to_numpy()
    _check_once(file.source, frame, track, labels)
    where = _frames(file, faces, name, info, fps)
    boxes = _boxes(file, faces, name, info)
    order = np.lexsort((track, where, frame))
    _, first = np.unique(np.stack([track[order], where[order]]), axis=1, return_index=True)
    rows = order[np.sort(first)]  # of several frames of the file that are one of the video, the first
    table = pa.table(
        {
            "frame": where[rows],
            **{side: pa.array(boxes[rows, n], pa.float32()) for n, side in enumerate("xywh")},
            "score": faces["score"].take(pa.array(rows)).cast(pa.float32()),
            "landmarks": faces["landmarks"].take(pa.array(rows)),
            "track_id": _numbers(labels, track[rows], where[rows], boxes[rows]),
        },
        schema=GIVEN,
    )
    return _filled(table, _gap(frame, where, track, info.fps)).sort_by(
        [("frame", "ascending"), ("track_id", "ascending")]
    )


def content_digest(table: pa.Table) -> str:
    """Digest of the content of a table of `GIVEN`."""
    content = hashlib.sha256()
    for name in GIVEN.names:
        column = table[name].combine_chunks()
        if name == "landmarks":
            content.update(repr([None if marks is None else list(marks) for marks in column.to_pylist()]).encode())
        else:
            content.update(np.ascontiguousarray(column.to_numpy(zero_copy_only=False)).tobytes())
    return content.hexdigest()[:32]


def _check_once(source: str, frame: np.ndarray, track: np.ndarray, labels: np.ndarray) -> None:
    pairs, count = np.unique(np.stack([track, frame]), axis=1, return_counts=True)
    if (count > 1).any():
        n = int(np.flatnonzero(count > 1)[0])
        raise InputError(
            f"{source}: the track {labels[pairs[0, n]]} has {count[n]} boxes in frame {pairs[1, n]}; a track is one "
            "person: give each a name of its own"
        )


def _frames(file: TrackFile, faces: pa.Table, name: str, info: VideoInfo, fps: float | None) -> np.ndarray:
    """The video's frame of each row."""
    frame = faces["frame"].to_numpy()
    rate = fps or (None if faces["time_s"].null_count == 0 else file.rates.get(name))
    times: np.ndarray | None = None
    if rate is not None:
        times = frame / rate
    elif faces["time_s"].null_count == 0:
        times = faces["time_s"].to_numpy()
    own = (info.pts - info.pts[0]).astype(np.float64) * float(info.time_base)
    half_s = 0.5 / info.fps
    if times is None or (frame.max() < info.frames and np.abs(own[frame] - times).max() < half_s):
        if frame.max() >= info.frames:
            raise _beyond(file, name, info, int(frame.max()), None)
        return frame
    # The last frame is seen for 2 half_s; a little less, as a frame's time is rounded.
    if times.max() > own[-1] + 1.98 * half_s:
        last = int(np.argmax(times))
        raise _beyond(file, name, info, int(frame[last]), float(times[last]))
    after = np.searchsorted(own, times).clip(0, info.frames - 1)
    before = (after - 1).clip(0)
    return np.where(times - own[before] <= own[after] - times, before, after).astype(np.int64)


def _beyond(file: TrackFile, name: str, info: VideoInfo, frame: int, time_s: float | None) -> InputError:
    at = "" if time_s is None else f", at {time_s:.2f} s"
    return InputError(
        f"{file.source}: it has a face in frame {frame}{at}, but {name} has {info.frames} frames, from 0 to "
        f"{info.frames - 1} ({info.duration_s:.1f} s at {info.fps:.3f} a second): it is of another cut of the film, or "
        "counts frames at another rate; say which with --tracks-fps (tracks_fps: in a season file)"
    )


def _boxes(file: TrackFile, faces: pa.Table, name: str, info: VideoInfo) -> np.ndarray:
    """Boxes in pixels of the video, (n, 4)."""
    boxes = np.stack([faces[side].to_numpy() for side in "xywh"], axis=1)
    picture = np.array([info.width_px, info.height_px], np.float64)
    size = file.sizes.get(name)
    if size is not None:
        boxes = boxes * np.tile(picture / size, 2)
    outside = ((boxes[:, :2] >= picture) | (boxes[:, :2] + boxes[:, 2:] <= 0)).any(axis=1)
    if outside.any():
        n = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"{file.source}: in frame {faces['frame'][n].as_py()} the box {np.round(boxes[n], 1).tolist()} lies "
            f"outside of {name}, which has {info.width_px} x {info.height_px} pixels; boxes are x, y, w, h in pixels "
            "of the picture as displayed"
        )
    return boxes


def _numbers(labels: np.ndarray, track: np.ndarray, where: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The number of each row's track: that which the file has, where all tracks have one, else by appearance."""
    plain = [str(label) for label in labels]
    if all(
        label.isascii() and label.isdigit() and len(label) <= 10 and int(label) < _LARGEST_NUMBER for label in plain
    ):
        numbers = [int(label) for label in plain]
        if len(set(numbers)) == len(numbers):  # 7 and 07 are two names
            return np.array(numbers, np.int64)[track]
    order = np.lexsort((boxes[:, 1], boxes[:, 0], where))
    _, first = np.unique(track[order], return_index=True)
    ranks = np.empty(len(labels), np.int64)
    ranks[np.argsort(first, kind="stable")] = np.arange(len(labels))
    return ranks[track]


def _gap(frame: np.ndarray, where: np.ndarray, track: np.ndarray, fps: float) -> int:
    """The most frames of the video from one box of a track to the next that is still the file's own spacing.

    That is how most boxes follow one another, if by no more than a second; 1 where it has none.
    """
    order = np.lexsort((frame, track))
    steps = np.diff(frame[order])[np.diff(track[order]) == 0]
    if not len(steps):
        return 1
    values, counts = np.unique(steps, return_counts=True)
    if 2 * counts.max() <= len(steps):
        return 1
    spacing = int(values[counts.argmax()])
    span = int(frame.max() - frame.min())
    ratio = (int(where.max()) - int(where.min())) / span if span else 1.0
    gap = math.ceil(spacing * ratio - 0.01)
    return gap if gap <= fps else 1


def _filled(table: pa.Table, gap: int) -> pa.Table:
    """The table with boxes on a straight line between those of a track that lie up to `gap` frames apart."""
    if gap < 2:
        return table
    table = table.sort_by([("track_id", "ascending"), ("frame", "ascending")])
    track, frame = table["track_id"].to_numpy(), table["frame"].to_numpy()
    step = np.diff(frame)
    rows = np.flatnonzero((np.diff(track) == 0) & (step > 1) & (step <= gap))
    if not len(rows):
        return table
    index = np.repeat(rows, step[rows] - 1)
    nth = np.concatenate([np.arange(1, count) for count in step[rows]])
    share = (nth / step[index])[:, None]
    boxes = np.stack([table[side].to_numpy().astype(np.float64) for side in "xywh"], axis=1)
    between = (1 - share) * boxes[index] + share * boxes[index + 1]
    filled = pa.table(
        {
            "frame": frame[index] + nth,
            **{side: pa.array(between[:, n], pa.float32()) for n, side in enumerate("xywh")},
            "score": pa.nulls(len(index), pa.float32()),
            "landmarks": pa.nulls(len(index), GIVEN.field("landmarks").type),
            "track_id": track[index],
        },
        schema=GIVEN,
    )
    return pa.concat_tables([table, filled])
