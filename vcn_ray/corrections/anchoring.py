"""Tracks by where they are seen: the anchor of a track, and the tracks that are found at an anchor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vcn_ray.corrections.correction import TrackAnchor

#: A track is the one meant if its box overlaps the anchor's by so much at one of the anchor's frames (intersection over
#: union). Two people's boxes hardly overlap; another detector's box of one face does.
_LEAST_OVERLAP = 0.3

#: Which of a track's faces an anchor has the boxes of, as parts of the track: not its ends, which move when it is
#: sampled otherwise.
_BOXES_AT = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class TitlePlaces:
    """What anchoring has to know of a title."""

    fingerprints: Mapping[str, str]  # of the content of each of its videos, by the video's name
    faces: pa.Table  # video, frame, time_s, track_id, x, y, w, h (`schemas.FACES`)
    track_id: np.ndarray  # (tracks,) int64 ascending: its rows


class TrackPlaces:
    """Where the faces of a season's tracks are.

    Args:
        titles: in the order of the rows.
    """

    def __init__(self, titles: Sequence[TitlePlaces]):
        rows, frames, times, boxes = [], [], [], []
        self._file: list[str] = []  # of each row
        self._video: list[str] = []  # fingerprint
        start = 0
        place_of_row: list[int] = []  # of its title
        for number, title in enumerate(titles):
            place_of_row += [number] * len(title.track_id)
            table = title.faces
            track = table["track_id"].to_numpy()
            place = np.searchsorted(title.track_id, track)
            file_of_row = np.full(len(title.track_id), "", dtype=object)
            file_of_row[place] = table["video"].to_numpy(zero_copy_only=False)
            self._file += file_of_row.tolist()
            self._video += [title.fingerprints.get(file, "") for file in file_of_row]
            order = np.lexsort((table["frame"].to_numpy(), place))
            rows.append(place[order] + start)
            frames.append(table["frame"].to_numpy()[order])
            times.append(table["time_s"].to_numpy()[order])
            boxes.append(np.stack([table[c].to_numpy() for c in "xywh"], axis=1)[order].astype(np.float64))
            start += len(title.track_id)
        self._frame = np.concatenate([np.empty(0, np.int64), *frames])
        self._time_s = np.concatenate([np.empty(0), *times])
        self._box = np.concatenate([np.empty((0, 4)), *boxes])
        self._start = np.searchsorted(np.concatenate([np.empty(0, np.int64), *rows]), np.arange(start + 1))
        has_faces = self._start[:-1] < self._start[1:]
        # Rows, first frames, last frames of each file of a content: of one that is there twice, both copies are meant.
        self._of_video: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = defaultdict(list)
        rows_of_file = defaultdict(list)
        for row in np.flatnonzero(has_faces).tolist():
            rows_of_file[place_of_row[row], self._file[row]].append(row)
        for in_file in rows_of_file.values():
            own = np.array(in_file)
            ends = self._frame[self._start[own]], self._frame[self._start[own + 1] - 1]
            self._of_video[self._video[in_file[0]]].append((own, *ends))
        self._found: dict[tuple[object, ...], list[int]] = {}

    def faces(self, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frames (f,), times in seconds (f,) and boxes (f, 4: x, y, w, h) of a track, in order."""
        own = slice(self._start[row], self._start[row + 1])
        return self._frame[own], self._time_s[own], self._box[own]

    def file(self, row: int) -> str:
        """Name of the video that a track is in."""
        return self._file[row]

    def anchor(self, row: int) -> TrackAnchor:
        """The anchor of a track; it has at least one face."""
        frames, times, boxes = self.faces(row)
        last = len(frames) - 1
        places = range(last + 1) if last < len(_BOXES_AT) else sorted({int(last * part) for part in _BOXES_AT})
        found = []
        for k in places:
            x, y, w, h = (round(float(value), 1) for value in boxes[k])
            found.append((int(frames[k]), x, y, w, h))
        return TrackAnchor(
            self._video[row],
            (int(frames[0]), int(frames[-1])),
            tuple(found),
            self._file[row],
            round(float(times[0]), 2),
        )

    def rows(self, anchor: TrackAnchor) -> list[int]:
        """The tracks that are found at an anchor, ascending: none where it is gone, several where it was cut in two."""
        if anchor.key not in self._found:
            found = {
                self._at(tracks, frame, np.array(box))
                for tracks in self._of_video.get(anchor.video, ())
                for frame, *box in anchor.boxes
            }
            self._found[anchor.key] = sorted(row for row in found if row is not None)
        return self._found[anchor.key]

    def rows_of_most(self, anchor: TrackAnchor) -> list[int]:
        """As `rows`, but none where fewer than half of the anchor's boxes are found in a file.

        For what is not to hit somebody who once passed by where a track was that is gone.
        """
        rows: set[int] = set()
        for tracks in self._of_video.get(anchor.video, ()):
            found = [self._at(tracks, frame, np.array(box)) for frame, *box in anchor.boxes]
            there = [row for row in found if row is not None]
            rows |= set(there) if 2 * len(there) >= len(found) else set()
        return sorted(rows)

    def _at(self, tracks: tuple[np.ndarray, np.ndarray, np.ndarray], frame: int, box: np.ndarray) -> int | None:
        """Of a file's tracks the one whose face at a frame overlaps a box most, if enough."""
        rows, first, last = tracks
        best, most = None, _LEAST_OVERLAP
        for row in rows[(first <= frame) & (frame <= last)].tolist():
            frames, _, boxes = self.faces(row)
            # Between two of its frames a face is on the way from one box to the other.
            there = np.array([np.interp(frame, frames, side) for side in boxes.T])
            overlap = _overlap(there, box)
            if overlap > most or (best is None and overlap == most):
                best, most = row, overlap
        return best


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (x, y, w, h)."""
    size = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(size, 0)))
    return common / max(float(np.prod(a[2:]) + np.prod(b[2:])) - common, 1e-9)
