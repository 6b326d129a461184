"""RTTM, both ways: who is there when, a turn a line, as diarisation has it (NIST, Rich Transcription 2009).

``SPEAKER file 1 start duration <NA> <NA> name <NA> <NA>``, times in seconds. Its fields may hold no white space: it,
and ``%``, are written as in URLs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from vcn_ray.errors import InputError


@dataclass(frozen=True)
class Turn:
    """A time in which somebody is there."""

    video: str
    who: str
    start_s: float
    duration_s: float

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.start_s + self.duration_s


def read_rttm(source: str, text: str) -> list[Turn]:
    """The turns of a file, in its order; lines of other kinds are left out. `InputError` names a line that is wrong."""
    turns = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        try:
            start, duration = float(fields[3]), float(fields[4])
            video, who = unquote(fields[1]), unquote(fields[7])
        except (ValueError, IndexError):
            start, duration, video, who = 0.0, -1.0, "", ""
        if not (0 <= start < float("inf") and 0 <= duration < float("inf")):
            raise InputError(
                f"{source}, line {number}: a line is `SPEAKER file 1 start duration <NA> <NA> name <NA> <NA>`, times "
                f"in seconds; not {line.strip()[:80]!r}"
            )
        turns.append(Turn(video, who, start, duration))
    if not turns:
        raise InputError(f"{source}: it has no line SPEAKER; write one for each time that somebody is there")
    return turns


def write_rttm(path: Path, turns: Iterable[Turn]) -> None:
    """Write turns, in order, their times to the microsecond."""
    lines = [
        f"SPEAKER {_field(turn.video)} 1 {turn.start_s:.6f} {turn.duration_s:.6f} <NA> <NA> {_field(turn.who)} "
        "<NA> <NA>\n"
        for turn in turns
    ]
    path.write_text("".join(lines), encoding="utf-8")


def _field(text: str) -> str:
    """Text as a field: without white space, never empty."""
    return re.sub(r"[\s%\x00-\x1f]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text) or "%20"
