"""Where the tracks of a video are in each of its frames: rows by frame, gaps between faces filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.storage.store import Store


@dataclass(frozen=True)
class VideoTracks:
    """The tracks of a video, one place each in all arrays."""

    track_id: np.ndarray  # (t,)
    cluster: np.ndarray  # (t,) cluster of the title, -1: Unknown
    confidence: np.ndarray  # (t,) probability that it is of its character, NaN where not known
    frames: list[np.ndarray]  # of each: (n,) rising
    boxes: list[np.ndarray]  # of each: (n, 4) float x0, y0, x1, y1 in pixels of the frame as displayed

    def __len__(self) -> int:
        return len(self.track_id)

    def extent(self, place: int) -> tuple[int, int]:
        """First and last frame of a track."""
        return int(self.frames[place][0]), int(self.frames[place][-1])


def read_tracks(title: Store, video: str) -> VideoTracks:
    """The tracks of a video from its title's tables.

    Args:
        title: the title's results.
        video: its name in the tables.
    """
    tracks = title.read_table("tracks.parquet", ["video", "track_id", "confidence", "cluster_id"])
    tracks = tracks.filter(pc.equal(tracks["video"], video))
    faces = title.read_table("faces.parquet", ["video", "frame", "x", "y", "w", "h", "track_id"])
    faces = faces.filter(pc.equal(faces["video"], video)).sort_by([("track_id", "ascending"), ("frame", "ascending")])
    of_track, frame = faces["track_id"].to_numpy(), faces["frame"].to_numpy()
    boxes = np.stack([faces[name].to_numpy() for name in ("x", "y", "w", "h")], axis=1).astype(np.float64)
    boxes[:, 2:] += boxes[:, :2]
    starts = np.flatnonzero(np.diff(of_track, prepend=-1)) if len(of_track) else np.zeros(0, np.int64)
    pieces = np.split(np.arange(len(of_track)), starts[1:]) if len(starts) else []
    track_ids = of_track[starts]
    rows = tracks.take(pc.index_in(pa.array(track_ids, pa.int64()), tracks["track_id"]))
    return VideoTracks(
        track_ids,
        rows["cluster_id"].fill_null(-1).to_numpy(),
        rows["confidence"].cast(pa.float64()).to_numpy(),
        [frame[piece] for piece in pieces],
        [boxes[piece] for piece in pieces],
    )


@dataclass(frozen=True)
class ByFrame:
    """Boxes in rows by rising frame, and the place of the track that each is of."""

    frame: np.ndarray  # (n,)
    place: np.ndarray  # (n,)
    box: np.ndarray  # (n, 4) x0, y0, x1, y1

    def at(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Places and boxes of a frame."""
        low, high = np.searchsorted(self.frame, [frame, frame + 1])
        return self.place[low:high], self.box[low:high]


def by_frame(tracks: VideoTracks, places: np.ndarray) -> ByFrame:
    """Boxes of these tracks in every frame from first to last face, between two faces on a straight line."""
    return _joined([(place, *_filled(tracks, int(place))) for place in places])


def extended(tracks: VideoTracks, places: np.ndarray, by_frames: int, shots: Shots, growth: float) -> ByFrame:
    """As `by_frame`, and so many frames before the first and after the last face, as far as the shot goes.

    A face is seen before a detector takes it for one, and after. It moves meanwhile: each frame away from the track
    the box grows by `growth` of its size on each side.
    """
    rows = []
    for place in places:
        frame, box = _filled(tracks, int(place))
        first, end = shots.around(int(frame[0]))[0], shots.around(int(frame[-1]))[1]
        before = np.arange(max(first, int(frame[0]) - by_frames), int(frame[0]))
        after = np.arange(int(frame[-1]) + 1, min(end, int(frame[-1]) + 1 + by_frames))
        grown = [
            _grown(box[0], growth * (frame[0] - before)),
            box,
            _grown(box[-1], growth * (after - frame[-1])),
        ]
        rows.append((place, np.concatenate([before, frame, after]), np.concatenate(grown)))
    return _joined(rows)


class Shots:
    """Where the shots of a video begin.

    Args:
        starts: first frame of each, rising; empty where they are not known: then a shot has no ends.
    """

    def __init__(self, starts: np.ndarray):
        self._starts = starts

    def around(self, frame: int) -> tuple[int, int]:
        """First frame of the shot of a frame, and of the next one."""
        nth = int(np.searchsorted(self._starts, frame, side="right"))
        first = int(self._starts[nth - 1]) if nth else 0
        return first, int(self._starts[nth]) if nth < len(self._starts) else np.iinfo(np.int64).max


def _filled(tracks: VideoTracks, place: int) -> tuple[np.ndarray, np.ndarray]:
    known, boxes = tracks.frames[place], tracks.boxes[place]
    frame = np.arange(known[0], known[-1] + 1)
    return frame, np.stack([np.interp(frame, known, boxes[:, side]) for side in range(4)], axis=1)


def _grown(box: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(n, 4) of one box, larger by a share of its size on each side."""
    by = np.outer(shares, [*(box[2:] - box[:2]), *(box[2:] - box[:2])])
    return box + by * np.array([-1, -1, 1, 1])


def _joined(rows: list[tuple[int, np.ndarray, np.ndarray]]) -> ByFrame:
    if not rows:
        return ByFrame(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))
    frame = np.concatenate([frame for _, frame, _ in rows])
    place = np.concatenate([np.full(len(frame), place) for place, frame, _ in rows])
    box = np.concatenate([box for *_, box in rows])
    order = np.lexsort((place, frame))
    return ByFrame(frame[order], place[order], box[order])
