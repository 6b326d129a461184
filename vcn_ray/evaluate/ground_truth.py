"""Ground truth: reading it, and telling which identity each track shows.

The CSV has a row per labelled face: video (file name), frame (0-based rank in display order), x, y, w, h (pixels of
the frame as displayed, top-left corner), identity, and optionally shot. Faces without a label may be left out. Files of
tracks in any format of `track_files`, with identities, are ground truth, too; a track there is what a shot is here.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from vcn_ray.errors import InputError
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.sources import list_sources
from vcn_ray.track_files.content import TrackFile, file_name, find_video
from vcn_ray.track_files.reading import is_csv_of_labels, read_bytes, read_track_file

#: A detected face and a labelled one are the same face from this intersection over union on.
MIN_IOU = 0.3

_TYPES = {
    "video": pa.string(),
    "frame": pa.int64(),
    "x": pa.float64(),
    "y": pa.float64(),
    "w": pa.float64(),
    "h": pa.float64(),
    "identity": pa.string(),
}


@dataclass(frozen=True)
class GroundTruth:
    """Labelled faces, one element of each array per face, in the order of the file."""

    video: np.ndarray  # (n,) object: file name without folder
    frame: np.ndarray  # (n,) int64
    boxes: np.ndarray  # (n, 4) float64 x, y, w, h in pixels
    identity: np.ndarray  # (n,) object
    shot: np.ndarray  # (n,) object; 0 everywhere where the file has no shots

    def __len__(self) -> int:
        return len(self.frame)

    def of_videos(self, videos: set[str]) -> GroundTruth:
        """The labels of these videos alone."""
        return self.of_rows(np.fromiter((v in videos for v in self.video), dtype=bool, count=len(self)))

    def named_as(self, videos: Collection[str]) -> GroundTruth:
        """The labels with the run's names of their videos.

        Labels may say a name without its ending, or none: then they are of the one video that there is.
        """
        names = {}
        for name in set(self.video):
            known = [own for own in videos if find_video(own, [name]) == name]
            only = next(iter(videos)) if not name and len(videos) == 1 else name
            names[name] = known[0] if len(known) == 1 and name not in videos else only
        return replace(self, video=_objects([names[name] for name in self.video]))

    def of_rows(self, keep: np.ndarray) -> GroundTruth:
        """The labels where `keep`, (n,) bool."""
        return GroundTruth(self.video[keep], self.frame[keep], self.boxes[keep], self.identity[keep], self.shot[keep])


@dataclass(frozen=True)
class TrackMatches:
    """What the ground truth says of each track, one element of each array per track."""

    video: np.ndarray  # (t,) object
    track_id: np.ndarray  # (t,) int64
    boxes: np.ndarray  # (t,) int64: faces of the track
    matched: np.ndarray  # (t,) int64: faces of it that match a labelled one
    agreeing: np.ndarray  # (t,) int64: matches that show the majority's identity in the majority's shot
    identity: np.ndarray  # (t,) object: the majority's identity; None for a false track
    shot: np.ndarray  # (t,) object: its shot; None for a false track

    @property
    def is_real(self) -> np.ndarray:
        """(t,) bool: at least half of the track's boxes match a labelled face."""
        return np.fromiter((i is not None for i in self.identity), dtype=bool, count=len(self.identity))


def read_ground_truth(path: str | Path) -> GroundTruth:
    """Read ground truth: a CSV of labelled faces, or whatever `track_files` reads that has identities.

    Raises `InputError` with the file's name and the remedy: no such file, empty, not a CSV, a column missing, a value
    that is no number, a box without area, a face without identity.
    """
    if _is_csv_of_labels(path):
        return _read_labels(path)
    return _of_tracks(read_track_file(str(path)))


def _is_csv_of_labels(path: str | Path) -> bool:
    """Whether a file is to be read as a CSV of labelled faces: also where it is none, to say what is wrong with it."""
    if is_object_url(str(path)):
        return list_sources(str(path)) == [str(path)] and is_csv_of_labels(read_bytes(str(path)))
    if Path(path).is_dir():
        return False
    try:
        return is_csv_of_labels(Path(path).read_bytes())
    except OSError:
        return True


def _of_tracks(file: TrackFile) -> GroundTruth:
    """The labelled faces of a file of tracks, whose tracks stand for shots; `InputError` where nobody is labelled."""
    faces = file.faces.filter(file.faces["identity"].is_valid())
    if not faces.num_rows:
        raise InputError(f"{file.source}: it says of no track who it shows; a ground truth needs identities")
    boxes = np.stack([faces[name].to_numpy() for name in "xywh"], axis=1)
    videos = ["" if name is None else file_name(name) for name in faces["video"].to_pylist()]
    return GroundTruth(
        _objects(videos),
        faces["frame"].to_numpy(),
        boxes,
        _objects(faces["identity"].to_pylist()),
        _objects(faces["track"].to_pylist()),
    )


def _read_labels(path: str | Path) -> GroundTruth:
    table = _read_csv(path)
    missing = [name for name in _TYPES if name not in table.column_names]
    if missing:
        found = ", ".join(table.column_names)
        raise InputError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}: a ground truth needs "
            f"{', '.join(_TYPES)} and may have shot, separated by commas; found: {found}"
        )
    if not table.num_rows:
        raise InputError(f"{path} has column names but no rows: give it one row per labelled face")
    for name in _TYPES:
        if table[name].null_count:
            row = np.flatnonzero(table[name].is_null().to_numpy())[0]
            raise InputError(f"{path}, row {row + 2}: {name} is empty; every labelled face needs it")
    boxes = np.stack([table[name].to_numpy() for name in ("x", "y", "w", "h")], axis=1)
    bad = ~(np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > 0) & (boxes[:, 3] > 0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"{path}, row {row + 2}: the box {boxes[row].tolist()} has no area; w and h are to be above 0")
    shots = table["shot"].to_pylist() if "shot" in table.column_names else [0] * table.num_rows
    video = _objects([file_name(v) for v in table["video"].to_pylist()])
    return GroundTruth(
        video, table["frame"].to_numpy(), boxes, _objects(table["identity"].to_pylist()), _objects(shots)
    )


def match_tracks(
    video: np.ndarray, frame: np.ndarray, boxes: np.ndarray, track_id: np.ndarray, truth: GroundTruth
) -> TrackMatches:
    """Give each track the identity that it shows.

    A face matches the labelled face of its frame with the largest intersection over union, at least `MIN_IOU`. A
    track's (identity, shot) is the one that most of its faces match, the first seen among equals. A track with fewer
    than half of its faces matched is false: it has none.

    Args:
        video: (n,) file name of each face's video.
        frame: (n,) its frame.
        boxes: (n, 4) its x, y, w, h in pixels.
        track_id: (n,) its track, unique within a video.
        truth: the labels.
    """
    videos = {name: k for k, name in enumerate(dict.fromkeys([*video, *truth.video]))}
    face_video = np.fromiter((videos[v] for v in video), dtype=np.int64, count=len(video))
    true_video = np.fromiter((videos[v] for v in truth.video), dtype=np.int64, count=len(truth))
    tracks, track = np.unique(np.stack([face_video, track_id.astype(np.int64)], axis=1), axis=0, return_inverse=True)
    track = track.reshape(-1)
    labels = {label: k for k, label in enumerate(dict.fromkeys(zip(truth.identity, truth.shot, strict=True)))}
    true_label = np.fromiter(
        (labels[pair] for pair in zip(truth.identity, truth.shot, strict=True)), dtype=np.int64, count=len(truth)
    )
    hit = _best_match(face_video, frame, boxes.astype(np.float64), true_video, truth.frame, truth.boxes)

    matched_face = np.flatnonzero(hit >= 0)
    votes = track[matched_face] * max(len(labels), 1) + true_label[hit[matched_face]]
    vote, first_face, count = np.unique(votes, return_index=True, return_counts=True)
    vote_track, vote_label = vote // max(len(labels), 1), vote % max(len(labels), 1)
    order = np.lexsort((first_face, -count, vote_track))  # best vote of each track first
    _, winner = np.unique(vote_track[order], return_index=True)
    winner = order[winner]

    n = len(tracks)
    box_count = np.bincount(track, minlength=n)
    matched = np.bincount(track[matched_face], minlength=n)
    agreeing = np.zeros(n, dtype=np.int64)
    agreeing[vote_track[winner]] = count[winner]
    names, pairs = list(videos), list(labels)
    identity, shot = _objects([None] * n), _objects([None] * n)
    for t, label in zip(vote_track[winner], vote_label[winner], strict=True):
        if 2 * matched[t] >= box_count[t]:
            identity[t], shot[t] = pairs[label]
    return TrackMatches(
        _objects([names[v] for v in tracks[:, 0]]), tracks[:, 1], box_count, matched, agreeing, identity, shot
    )


def match_faces(video: np.ndarray, frame: np.ndarray, boxes: np.ndarray, truth: GroundTruth) -> np.ndarray:
    """Index of the labelled face that each face matches, (n,) int64; -1 for none.

    It is that of its frame with the largest intersection over union, at least `MIN_IOU`.

    Args:
        video: (n,) file name of each face's video.
        frame: (n,) its frame.
        boxes: (n, 4) its x, y, w, h in pixels.
        truth: the labels.
    """
    videos = {name: k for k, name in enumerate(dict.fromkeys([*video, *truth.video]))}
    face_video = np.fromiter((videos[v] for v in video), dtype=np.int64, count=len(video))
    true_video = np.fromiter((videos[v] for v in truth.video), dtype=np.int64, count=len(truth))
    return _best_match(face_video, frame, boxes.astype(np.float64), true_video, truth.frame, truth.boxes)


def _best_match(
    face_video: np.ndarray,
    face_frame: np.ndarray,
    face_boxes: np.ndarray,
    true_video: np.ndarray,
    true_frame: np.ndarray,
    true_boxes: np.ndarray,
) -> np.ndarray:
    """Index of the labelled face that each face matches, -1 for none; all pairs of a frame at once."""
    hit = np.full(len(face_frame), -1, dtype=np.int64)
    if not len(face_frame) or not len(true_frame):
        return hit
    span = int(max(face_frame.max(), true_frame.max())) + 1
    face_key, true_key = face_video * span + face_frame, true_video * span + true_frame
    by_key = np.argsort(true_key, kind="stable")
    begin = np.searchsorted(true_key[by_key], face_key, side="left")
    end = np.searchsorted(true_key[by_key], face_key, side="right")
    pair_face = np.repeat(np.arange(len(face_key)), end - begin)
    pair_start = np.cumsum(end - begin) - (end - begin)
    pair_true = by_key[np.arange(len(pair_face)) - pair_start[pair_face] + begin[pair_face]]
    iou = _iou(face_boxes[pair_face], true_boxes[pair_true])
    good = np.flatnonzero(iou >= MIN_IOU)
    # Written in ascending order of overlap, the last write to a face is its best; among equals the file's first.
    good = good[np.lexsort((-pair_true[good], iou[good], pair_face[good]))]
    hit[pair_face[good]] = pair_true[good]
    return hit


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of (n, 4) and (n, 4) boxes x, y, w, h."""
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=1)
    union = a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - overlap
    return overlap / np.maximum(union, 1e-9)


def _read_csv(path: str | Path) -> pa.Table:
    try:
        content = read_bytes(str(path)) if is_object_url(str(path)) else Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; --ground-truth takes a CSV file") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; --ground-truth takes a CSV file") from None
    if not content.strip():
        raise InputError(f"{path} is empty: a ground truth has a line of column names and a row per labelled face")
    what = f"{path} is not a CSV file of labelled faces"
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{what}: it is not UTF-8 text; export it as CSV in UTF-8") from None
    if b"\0" in content:
        raise InputError(f"{what}: it is binary; export it as CSV in UTF-8")
    try:
        return pacsv.read_csv(
            io.BytesIO(content),
            convert_options=pacsv.ConvertOptions(
                column_types={**_TYPES, "shot": pa.string()}, strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{what}: {str(error).splitlines()[0]}") from None


def _objects(values: list) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
