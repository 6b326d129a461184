"""Lists of tracks, both ways: what VideoClusterNet's and the BBT and BVS data sets hold, as text.

These data sets come as "tracks and face box spatial locations corresponding to a global movie frame index, for a given
frame rate" (supplement, S 4), in no format of their own. Ours is a line for a track, then one for each of its boxes:

    # vcn-ray tracks 1
    video "s01e01.mp4"
    frame_rate 24.0
    picture 1280 720
    track 12 "Anna"
    1034 281.1 80.7 72.4 94.1 0.93

Frames count from 0. After a track's name stands who is seen, or nothing; after x, y, w, h a score of 0..1, nothing
where there is none, or ``-`` where the box was not seen but filled in between others. Names are JSON text, or plain
words. All head lines may be left out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vcn_ray.errors import InputError
from vcn_ray.track_files.content import LARGEST_FRAME, TrackFile, check_boxes, faces_table

_HEADS = ("video", "frame_rate", "picture", "track")
_LINE = "after its `track NAME` a track has lines of frame x y w h, and maybe a score"


def is_track_list(text: str) -> bool:
    """Whether a text begins as such a list does."""
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return first.split()[0] in _HEADS and "," not in first.split()[0] if first.split() else False


def read_track_lists(source: str, text: str) -> TrackFile:
    """The tracks of a list, of one video or, with several lines `video`, of several.

    Raises `InputError` with the line that is wrong.
    """
    reader = _Reader(source)
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            reader.take(number, line.strip())
    return reader.content()


def read_single_track(source: str, text: str, track: str) -> TrackFile:
    """The boxes of a file that is one track, in lines of frame x y w h. track: its name."""
    reader = _Reader(source)
    reader.track = track
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            reader.box(number, re.split(r"[,;\s]+", line.strip().strip(",;")))
    return reader.content()


def write_track_lists(
    path: Path,
    video: str,
    rate: float | None,
    size: tuple[int, int] | None,
    tracks: Sequence[tuple[int, str | None, Sequence[tuple[int, Sequence[float], float | None]]]],
) -> None:
    """Write the tracks of a video.

    Args:
        path: of the file.
        video: its name.
        rate: frames a second, where known.
        size: width and height in pixels, where known.
        tracks: (number, who or None, [(frame from 0, box x y w h, score or None), ...]) each.
    """
    lines = ["# vcn-ray tracks 1", f"video {json.dumps(video, ensure_ascii=False)}"]
    if rate is not None:
        lines.append(f"frame_rate {rate!r}")
    if size is not None:
        lines.append(f"picture {size[0]} {size[1]}")
    for number, who, faces in tracks:
        lines.append(f"track {number}" + ("" if who is None else f" {json.dumps(who, ensure_ascii=False)}"))
        for frame, box, score in faces:
            place = " ".join(f"{side:.9g}" for side in box)
            lines.append(f"{frame} {place} {'-' if score is None else f'{score:.9g}'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class _Reader:
    """Takes the lines of a list, one after the other."""

    def __init__(self, source: str):
        self._source = source
        self._video: str | None = None
        self.track: str | None = None
        self._who: str | None = None
        self._rates: dict[str | None, float] = {}
        self._sizes: dict[str | None, tuple[float, float]] = {}
        self._names: list[tuple[str | None, str, str | None]] = []  # video, track, identity
        self._lines: list[int] = []
        self._boxes: list[list[float]] = []
        self._scores: list[float | None] = []

    def take(self, number: int, line: str) -> None:
        """Any line."""
        word, _, rest = line.partition(" ") if "\t" not in line else line.replace("\t", " ").partition(" ")
        if word == "video":
            self._video, self.track = self._text(number, rest), None
        elif word == "frame_rate":
            self._rates[self._video] = self._numbers(number, rest.split(), 1)[0]
        elif word == "picture":
            width, height = self._numbers(number, rest.split(), 2)
            self._sizes[self._video] = (width, height)
        elif word == "track":
            name, _, who = rest.strip().partition(" ")
            if not name:
                raise self._wrong(number, "this track has no name")
            self.track, self._who = name, self._text(number, who) if who.strip() else None
        else:
            self.box(number, line.replace(",", " ").split())

    def box(self, number: int, fields: list[str]) -> None:
        """A line of a box."""
        if self.track is None:
            raise self._wrong(number, "this box comes before any track")
        if len(fields) not in (5, 6):
            raise self._wrong(number, f"these are {len(fields)} fields")
        seen = len(fields) < 6 or fields[5] != "-"
        numbers = self._read(number, fields if seen else fields[:5])
        if numbers[0] != round(numbers[0]) or abs(numbers[0]) >= LARGEST_FRAME:
            raise self._wrong(number, f"the frame {fields[0]} is no whole number")
        self._names.append((self._video, self.track, self._who))
        if len(numbers) > 5 and not 0 <= numbers[5] <= 1:
            raise self._wrong(number, f"the score {fields[5]} is not from 0 to 1")
        self._lines.append(number)
        self._boxes.append(numbers[:5])
        self._scores.append((numbers[5] if len(numbers) > 5 else 1.0) if seen else None)

    def content(self) -> TrackFile:
        """All that was taken."""
        if not self._boxes:
            raise InputError(f"{self._source}: it has no box; {_LINE}")
        boxes = np.array(self._boxes)
        frames = boxes[:, 0].astype(np.int64)
        check_boxes(self._source, boxes[:, 1:], frames, "line", np.array(self._lines))
        videos, tracks, identities = zip(*self._names, strict=True)
        columns = {name: boxes[:, 1 + n] for n, name in enumerate("xywh")}
        faces = faces_table(
            {"video": videos, "frame": frames, **columns, "track": tracks, "identity": identities}
            | {"score": self._scores}
        )
        return TrackFile(self._source, faces, self._rates, self._sizes)

    def _text(self, number: int, text: str) -> str:
        """JSON text, or words as they are."""
        text = text.strip()
        if not text.startswith('"'):
            return text
        try:
            value = json.loads(text)
            str(value).encode()  # half of a surrogate pair is no text
        except ValueError:
            raise self._wrong(number, f"{text[:60]} is no JSON text") from None
        return str(value)

    def _numbers(self, number: int, fields: list[str], count: int) -> list[float]:
        numbers = self._read(number, fields)
        if len(numbers) != count or min(numbers) <= 0:
            raise self._wrong(number, f"here stand{'s' if count == 1 else ''} {count} above 0")
        return numbers

    def _read(self, number: int, fields: list[str]) -> list[float]:
        try:
            numbers = [float(one) for one in fields]
        except ValueError:
            raise self._wrong(number, f"{' '.join(fields)[:60]!r} are no numbers") from None
        if not all(math.isfinite(one) for one in numbers):
            raise self._wrong(number, f"{' '.join(fields)[:60]!r} are no numbers")
        return numbers

    def _wrong(self, number: int, what: str) -> InputError:
        return InputError(f"{self._source}, line {number}: {what}; {_LINE}")
