"""Embeddings of face crops as people publish them: Parquet, or NumPy's npz, with the track of each.

A row, or an element of each array, is a crop: embedding (D numbers; also called embeddings, feature or features) and
track (or track_id); maybe video, frame, x, y, w, h, clarity (how clearly the face is seen, in any unit), identity.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vcn_ray.errors import InputError
from vcn_ray.storage.sources import source_name
from vcn_ray.track_files.reading import read_bytes

_EMBEDDING = ("embedding", "embeddings", "feature", "features")
_TRACK = ("track_id", "track")
_BOX = ("x", "y", "w", "h")
_NEEDS = (
    "features are a Parquet or npz file of embedding and track, a row a crop; maybe video, frame, x, y, w, h, clarity"
)
_LARGEST_NUMBER = 2**31
_MOST_FRAMES = 10**8  # all are counted through in memory; a film of a day has some five million


@dataclass(frozen=True)
class FeatureFile:
    """Embeddings of n crops, in the order of the file."""

    source: str
    embeddings: np.ndarray  # (n, D) float32
    video: np.ndarray  # (n,) object: its name; that of the file where it names none
    track: np.ndarray  # (n,) int64: numbers that differ for different tracks, also of different videos
    frame: np.ndarray  # (n,) int64; counted through, a track after the other, where the file has none
    boxes: np.ndarray  # (n, 4) float64 x, y, w, h; side by side, a place a track, where the file has none
    clarity: np.ndarray  # (n,) float32: as the file says, else the length of the embedding
    missing: tuple[str, ...]  # of video, frame, box
    fingerprint: str

    def videos(self) -> list[str]:
        """Names of the videos, in order."""
        return list(dict.fromkeys(self.video.tolist()))


def read_features(url: str) -> FeatureFile:
    """Read a file of embeddings, on this machine or at an ``s3://`` URL; `InputError` says what is wrong with it."""
    content = read_bytes(url)
    columns = _parquet(url, content) if content[:4] == b"PAR1" else _npz(url, content)
    embedding = next((columns[name] for name in _EMBEDDING if name in columns), None)
    label = next((columns[name] for name in _TRACK if name in columns), None)
    if embedding is None or label is None:
        lacks = "embedding" if embedding is None else "track"
        raise InputError(f"{url} lacks {lacks}; {_NEEDS}; found: {', '.join(columns) or 'nothing'}")
    vectors = _vectors(url, embedding)
    count = len(vectors)
    for name, values in columns.items():
        if name in (*_TRACK, *_BOX, "video", "frame", "clarity"):
            _check_one_each(url, name, values, count)
    video = _texts(columns["video"]) if "video" in columns else _texts([source_name(url)] * count)
    track = _numbers(video, _texts(label))
    frame = _whole(url, "frame", columns["frame"]) if "frame" in columns else _counted(track)
    _check_once(url, track, frame)
    given = all(name in columns for name in _BOX)
    boxes = (
        _boxes(url, columns) if given else np.stack([3.0 * track % 2**20, 0 * track, 0 * track + 2, 0 * track + 2], 1)
    )
    length = np.linalg.norm(vectors.astype(np.float64), axis=1)  # of large numbers, float32 has no squares
    clarity = _floats(url, "clarity", columns["clarity"]) if "clarity" in columns else length
    if (length == 0).any() or not (clarity > 0).all():
        row = int(np.flatnonzero((length == 0) | ~(clarity > 0))[0])
        raise InputError(f"{url}, row {row + 1}: an embedding, and a clarity, is to be longer than 0")
    missing = [name for name in ("video", "frame") if name not in columns] + ([] if given else ["box"])
    return FeatureFile(
        url,
        (vectors / length[:, None] * clarity[:, None]).astype(np.float32),
        video,
        track,
        frame,
        boxes.astype(np.float64),
        clarity.astype(np.float32),
        tuple(missing),
        hashlib.sha256(content).hexdigest()[:32],
    )


def _parquet(url: str, content: bytes) -> dict[str, Any]:
    try:
        table = pq.read_table(io.BytesIO(content))
    except pa.ArrowException as error:
        raise InputError(f"{url} is a damaged Parquet file ({str(error).splitlines()[0]})") from None
    return {name: table[name].to_pylist() for name in table.column_names}


def _npz(url: str, content: bytes) -> dict[str, Any]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # of whatever a file that is none makes of numpy's reader
        raise InputError(f"{url} cannot be read as npz ({error}); {_NEEDS}") from None


def _vectors(url: str, given: Any) -> np.ndarray:
    try:
        vectors = np.asarray(given, np.float32)
    except (TypeError, ValueError):
        raise InputError(f"{url}: its embeddings are not equally many numbers a row; {_NEEDS}") from None
    if vectors.ndim != 2 or not vectors.size:
        raise InputError(f"{url}: its embeddings are of shape {vectors.shape}, not a row of numbers a crop; {_NEEDS}")
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise InputError(f"{url}, row {row + 1}: the embedding has numbers that are not finite")
    return vectors


def _check_one_each(url: str, name: str, values: Any, count: int) -> None:
    shape = values.shape if isinstance(values, np.ndarray) else (len(values),)
    if shape != (count,):
        elements = f"{shape[0]} elements" if len(shape) == 1 else f"the shape {shape}"
        raise InputError(f"{url}: {name} has {elements} for {count} embeddings; give one each")
    if isinstance(values, list) and None in values:
        raise InputError(f"{url}, row {values.index(None) + 1}: {name} is empty; give one each")


def _texts(values: Any) -> np.ndarray:
    texts = np.empty(len(values), object)
    texts[:] = [str(value) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]
    return texts


def _floats(url: str, name: str, values: Any) -> np.ndarray:
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise InputError(f"{url}: {name} is to be a number for each crop")
    return numbers


def _whole(url: str, name: str, values: Any) -> np.ndarray:
    numbers = _floats(url, name, values)
    if (numbers < 0).any() or (numbers >= _MOST_FRAMES).any() or (numbers != np.round(numbers)).any():
        raise InputError(f"{url}: {name} is to be a whole number from 0 to {_MOST_FRAMES - 1} for each crop")
    return numbers.astype(np.int64)


def _boxes(url: str, columns: dict[str, Any]) -> np.ndarray:
    boxes = np.stack([_floats(url, name, columns[name]) for name in _BOX], axis=1)
    if (boxes[:, 2:] <= 0).any():
        row = int(np.flatnonzero((boxes[:, 2:] <= 0).any(axis=1))[0])
        raise InputError(f"{url}, row {row + 1}: the box {boxes[row].tolist()} has no area")
    return boxes


def _numbers(video: np.ndarray, label: np.ndarray) -> np.ndarray:
    """A number for each track: the file's where those differ for different tracks, else as they come."""
    pairs = list(zip(video.tolist(), label.tolist(), strict=True))
    tracks = list(dict.fromkeys(pairs))
    plain = [name for _, name in tracks]
    known = all(name.isascii() and name.isdigit() and len(name) <= 10 and int(name) < _LARGEST_NUMBER for name in plain)
    own = [int(name) for name in plain] if known else []
    numbers = own if known and len(set(own)) == len(own) else range(len(tracks))
    number = dict(zip(tracks, numbers, strict=True))
    return np.array([number[pair] for pair in pairs], np.int64)


def _counted(track: np.ndarray) -> np.ndarray:
    """A frame of its own for each crop, so that no two tracks are seen together."""
    frame = np.empty(len(track), np.int64)
    frame[np.argsort(track, kind="stable")] = np.arange(len(track))
    return frame


def _check_once(url: str, track: np.ndarray, frame: np.ndarray) -> None:
    pairs, count = np.unique(np.stack([track, frame]), axis=1, return_counts=True)
    if (count > 1).any():
        number, at = pairs[:, int(np.flatnonzero(count > 1)[0])]
        raise InputError(f"{url}: the track {number} has two crops in frame {at}; give one, or leave frame out")
