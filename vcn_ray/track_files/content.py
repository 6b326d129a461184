"""What a file of tracks says, whatever its format: boxes by frame, in tracks, with who is seen where that is told."""

from __future__ import annotations

import ntpath
import posixpath
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.errors import InputError

#: Numbers of frames are below it: a film of a day has some five million.
LARGEST_FRAME = 2**31
#: Sides and corners of boxes are below it, in pixels: what is beyond is no picture.
_LARGEST_PX = 2.0**24

#: One row per box. `video` is null where the file does not say which it is of; `track` and `shot` are names, whatever
#: the file numbers them by; `identity` is who is seen; `score` is null where a box was not detected but filled in.
FACES = pa.schema(
    [
        ("video", pa.string()),
        ("frame", pa.int64()),  # from 0, in display order, at the rate that the file was made for
        ("x", pa.float64()),
        ("y", pa.float64()),
        ("w", pa.float64()),
        ("h", pa.float64()),
        ("track", pa.string()),
        ("identity", pa.string()),
        ("shot", pa.string()),
        ("score", pa.float64()),  # 0..1; 1 where the file has none
        ("time_s", pa.float64()),  # from the first frame; null where the file does not tell
        ("landmarks", pa.list_(pa.float32())),  # as `schemas.STAGE1_FACES`; null: none
    ]
)


@dataclass(frozen=True)
class TrackFile:
    """The content of a file, or of a folder of files.

    `rates` (frames a second) and `sizes` (width and height in pixels) are those that it was made for, by video as in
    the column; left out where it does not tell.
    """

    source: str  # path or URL, for messages
    faces: pa.Table  # `FACES`
    rates: Mapping[str | None, float] = field(default_factory=dict)
    sizes: Mapping[str | None, tuple[float, float]] = field(default_factory=dict)

    def videos(self) -> list[str | None]:
        """The videos that it names, in order; None for boxes that are of whatever video it is used for."""
        return pc.unique(self.faces["video"]).to_pylist()

    def named(self, video: str) -> TrackFile:
        """The same; where it does not say which video it is of, of this one."""
        if None not in self.videos():
            return self
        column = pc.fill_null(self.faces["video"], pa.scalar(video, pa.string()))
        faces = self.faces.set_column(0, FACES.field("video"), column)
        return TrackFile(
            self.source,
            faces,
            {name or video: rate for name, rate in self.rates.items()},
            {name or video: size for name, size in self.sizes.items()},
        )


def faces_table(rows: Mapping[str, Sequence[Any] | np.ndarray | pa.ChunkedArray | pa.Array]) -> pa.Table:
    """`FACES` from columns by name; those that are left out are null, a score 1."""
    count = len(next(iter(rows.values())))
    made = {}
    for one in FACES:
        if one.name in rows:
            made[one.name] = rows[one.name]
        else:
            made[one.name] = pa.array([1.0] * count) if one.name == "score" else pa.nulls(count, one.type)
    return pa.table({name: _typed(values, FACES.field(name).type) for name, values in made.items()}, schema=FACES)


def _typed(values: Any, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return values.cast(kind) if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, kind)


def check_boxes(source: str, boxes: np.ndarray, frames: np.ndarray, row: str, numbers: np.ndarray) -> None:
    """`InputError` for the first box without area, beyond any picture, or with a frame below 0.

    Args:
        source: the file.
        boxes: (n, 4) x, y, w, h.
        frames: (n,) int.
        row: what a row is called in the message, "row" or "line".
        numbers: (n,) number of each.
    """
    numbered, sized = (np.abs(boxes) < _LARGEST_PX).all(axis=1), (boxes[:, 2:] > 0).all(axis=1)
    if not (numbered & sized).all():
        n = int(np.flatnonzero(~(numbered & sized))[0])
        what = "has no area; w and h are to be above 0" if numbered[n] else "lies in no picture; boxes are in pixels"
        raise InputError(f"{source}, {row} {numbers[n]}: the box {boxes[n].tolist()} {what}")
    beyond = (frames < 0) | (frames >= LARGEST_FRAME)
    if beyond.any():
        n = int(np.flatnonzero(beyond)[0])
        raise InputError(f"{source}, {row} {numbers[n]}: there is no frame {frames[n]}; frames count from the first on")


def file_name(video: str) -> str:
    """A video's name without folders of either kind, and without the apostrophe that our CSV puts before a formula."""
    name = ntpath.basename(video.strip())
    return name[1:] if name[:1] == "'" and name[1:2] in ("=", "+", "-", "@") else name


def find_video(wanted: str, known: Collection[str]) -> str | None:
    """Which of the names in a file is that of a video: the same, the same file name, or that without its ending."""
    if wanted in known:
        return wanted
    for same in (file_name, lambda name: posixpath.splitext(file_name(name))[0]):
        found = [name for name in known if same(name) == same(wanted)]
        if len(found) == 1:
            return found[0]
    named = [name for name in known if file_name(name) == posixpath.splitext(file_name(wanted))[0]]
    return named[0] if len(named) == 1 else None
