"""What is known of a video: where its frames are in time, and how its stored pictures become the displayed ones."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """All that the rest of stage 1 needs to know of a video; small, and the same wherever the file is read.

    `pts` holds the presentation times of all frames in display order, in units of `time_base` seconds; a frame's
    number is its index there. `key_pts` holds those of the key frames. `width_px` and `height_px` are of the frame as
    displayed, after rotation; its pixels are `sample_aspect_ratio` times as wide as high.
    """

    path: str
    name: str
    stream_index: int
    width_px: int
    height_px: int
    time_base: Fraction
    fps: float
    duration_s: float
    rotation_deg: int
    #: transposed, then mirrored in x, then in y: what makes the stored picture the displayed one
    orientation: tuple[bool, bool, bool]
    sample_aspect_ratio: Fraction
    interlaced: bool
    transfer: str  #: "sdr", "pq" or "hlg"
    timed: bool  #: frames carry their own times; else they are counted while decoding from the start, without seeks
    fingerprint: str
    warnings: tuple[str, ...] = ()
    version: str = ""  #: of an object in a store: once it has another one, it is not read any more
    start_timecode: str | None = None  #: of the first frame, "10:00:00;00" where drop-frame; "": none; None: not read
    audio_channels: int | None = None  #: of all its sound together; 0: silent; None: not read
    pts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    key_pts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.pts)

    def time_s(self, frame: int) -> float:
        """Presentation time of a frame in seconds after the first frame."""
        return float((int(self.pts[frame]) - int(self.pts[0])) * self.time_base)

    def to_json(self) -> dict[str, Any]:
        """JSON-able form; the frame list is run-length coded, so that a constant rate costs a few numbers."""
        plain = asdict(self)
        plain |= {k: str(plain[k]) for k in ("time_base", "sample_aspect_ratio")}
        return plain | {"pts": _to_runs(self.pts), "key_pts": _to_runs(self.key_pts)}

    @staticmethod
    def from_json(value: dict[str, Any]) -> VideoInfo:
        """The inverse of `to_json`."""
        value = dict(value)
        value |= {k: Fraction(value[k]) for k in ("time_base", "sample_aspect_ratio")}
        value |= {k: tuple(value[k]) for k in ("orientation", "warnings")}
        return VideoInfo(**value | {"pts": _from_runs(value["pts"]), "key_pts": _from_runs(value["key_pts"])})


def _to_runs(times: np.ndarray) -> list[list[int]]:
    """[[first time], [step, count], ...]."""
    if not len(times):
        return []
    runs = [[int(step), len(list(same))] for step, same in itertools.groupby(np.diff(times).tolist())]
    return [[int(times[0])], *runs]


def _from_runs(runs: list[list[int]]) -> np.ndarray:
    if not runs:
        return np.zeros(0, np.int64)
    steps = [np.full(count, step, np.int64) for step, count in runs[1:]]
    return np.cumsum(np.concatenate([np.array(runs[0], np.int64), *steps]))
