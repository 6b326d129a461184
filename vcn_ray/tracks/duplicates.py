"""Tracks that meet in a frame: two people, or one face that the detector found twice.

Two faces that are both seen cannot show eyes, nose and mouth in one place. So where the landmarks of one lie within
those of the other, both are one face; where boxes alone overlap (a kiss, one person behind another) they may be two.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.tracks.judge import BLENDED

#: Intersection over the smaller box from which on two boxes may be on one face. A detector's suppression of overlaps
#: leaves only boxes of different size, one within the other, of which intersection over union says little.
_LYING_ON = 0.5
#: Fewer detections in common say nothing: a track is confirmed by as many.
_LEAST_COMMON = 2


@dataclass
class Meeting:
    """How two tracks are seen together, in numbers of frames."""

    shared: int = 0  # both have a face
    overlapping: int = 0  # of these: half of the smaller box or more lies in the other
    detected: int = 0  # of the shared: both faces were detected, with landmarks
    one_face: int = 0  # of these: overlapping, and the landmarks of one lie within those of the other
    apart: int = 0  # of the shared: the boxes do not touch

    @property
    def two_people(self) -> bool:
        """Whether the tracks can never be one character: side by side in at least half of the shared frames."""
        return 2 * self.overlapping <= self.shared

    @property
    def found_twice(self) -> bool:
        """Whether they are one face found twice: so in most detections that they share, and nowhere apart."""
        return self.detected >= _LEAST_COMMON and 2 * self.one_face > self.detected and not self.apart


def find_meetings(
    frames: np.ndarray, tracks: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray
) -> dict[tuple[int, int], Meeting]:
    """Every pair of tracks (lower number first) that has faces in one frame.

    frames: (n,) int, any order; tracks: (n,) int, negative where no track is or the face says nothing (in a dissolve
    one person may be seen twice, and two in one place); boxes: (n, 4) x, y, w, h in pixels; landmarks: (n, 5, 2)
    pixels, NaN where a face was not detected but interpolated.
    """
    meetings: dict[tuple[int, int], Meeting] = defaultdict(Meeting)
    rows = np.flatnonzero(tracks >= 0)
    rows = rows[np.argsort(frames[rows], kind="stable")]
    centres = landmarks.mean(axis=1)
    radii = np.sqrt(((landmarks - centres[:, None]) ** 2).sum(axis=2).mean(axis=1))
    for group in np.split(rows, np.flatnonzero(np.diff(frames[rows])) + 1):
        for n, i in enumerate(group.tolist()):
            for j in group[n + 1 :].tolist():
                if tracks[i] == tracks[j]:
                    continue
                meeting = meetings[int(min(tracks[i], tracks[j])), int(max(tracks[i], tracks[j]))]
                inside = float(intersection(boxes[i], boxes[j]))
                overlaps = bool(inside > _LYING_ON * min(boxes[i, 2] * boxes[i, 3], boxes[j, 2] * boxes[j, 3]))
                distance = np.linalg.norm(centres[i] - centres[j])
                meeting.shared += 1
                meeting.overlapping += overlaps
                meeting.detected += bool(np.isfinite(distance))
                meeting.one_face += bool(overlaps and distance < max(radii[i], radii[j]))
                meeting.apart += inside == 0
    return dict(meetings)


def meetings_of(faces: pa.Table, tracks: np.ndarray) -> dict[tuple[int, int], Meeting]:
    """`find_meetings` of one video's faces (`schemas.STAGE1_FACES`) whose tracks are these, (n,) int."""
    clear = np.array([verdict != BLENDED for verdict in faces["verdict"].to_pylist()], bool)
    column = faces["landmarks"]
    marks = np.full((len(column), 5, 2), np.nan)
    marks[column.is_valid().to_numpy()] = column.drop_null().combine_chunks().flatten().to_numpy().reshape(-1, 5, 2)
    return find_meetings(faces["frame"].to_numpy(), np.where(clear, tracks, -1), boxes_of(faces), marks)


def boxes_of(faces: pa.Table) -> np.ndarray:
    """Boxes of faces (`schemas.STAGE1_FACES`): (n, 4) x, y, w, h in pixels."""
    return np.stack([faces[name].to_numpy().astype(np.float64) for name in "xywh"], axis=1)


def cannot_links(faces: pa.Table) -> list[tuple[int, int]]:
    """Pairs of tracks that are seen together and so are two people, sorted; faces of one or several videos."""
    links: list[tuple[int, int]] = []
    for video in pc.unique(faces["video"]).to_pylist():
        own = faces.filter(pc.equal(faces["video"], video))
        meetings = meetings_of(own, own["track_id"].fill_null(-1).to_numpy())
        links += [pair for pair, meeting in meetings.items() if meeting.two_people]
    return sorted(links)


def box_overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (..., 4) x, y, w, h, one with one."""
    inter = intersection(a, b)
    return inter / np.maximum(a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - inter, 1e-9)


def intersection(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Common area of boxes (..., 4) x, y, w, h, one with one."""
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    return np.prod(np.maximum(high - low, 0), axis=-1)


def join_duplicates(meetings: dict[tuple[int, int], Meeting]) -> dict[int, int]:
    """Which track each track that was found twice goes to, {higher: lowest of its group}; the others are left out.

    Those of most frames together come first; none joins a group one of whose tracks is somebody else.
    """
    group: dict[int, set[int]] = {}
    for pair in sorted(meetings, key=lambda pair: (-meetings[pair].one_face, pair)):
        if not meetings[pair].found_twice:
            continue
        a, b = (group.setdefault(track, {track}) for track in pair)
        between = (meetings.get((min(x, y), max(x, y))) for x in a for y in b)
        if a is b or any(meeting is not None and meeting.two_people for meeting in between):
            continue
        a |= b
        for track in b:
            group[track] = a
    return {track: min(members) for track, members in group.items() if track != min(members)}


def keep_better_faces(frames: np.ndarray, tracks: np.ndarray, scores: np.ndarray, joined: dict[int, int]) -> np.ndarray:
    """Give joined tracks one face a frame: whether each row stays, (n,) bool.

    Of two faces the one of higher score stays; of two without (interpolated), the one whose track scores more in all.

    frames, tracks: (n,) int, tracks negative where there is none; scores: (n,) 0..1, NaN without; joined: as
    `join_duplicates` gives it.
    """
    after = np.array([joined.get(track, track) for track in tracks.tolist()], np.int64)
    stays = np.ones(len(tracks), bool)
    rows = np.flatnonzero(np.isin(after, sorted(set(joined.values()))))
    if not len(rows):
        return stays
    own, source = np.unique(tracks[rows], return_inverse=True)
    total = np.array([np.nansum(scores[tracks == track]) for track in own])[source]
    best_first = np.lexsort((tracks[rows], -total, -np.nan_to_num(scores[rows], nan=-1.0), frames[rows], after[rows]))
    rows = rows[best_first]
    stays[rows[1:]] = (np.diff(after[rows]) != 0) | (np.diff(frames[rows]) != 0)
    return stays
