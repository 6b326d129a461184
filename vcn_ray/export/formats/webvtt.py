"""WebVTT: who is on screen, as a track of cues that players show over the video, or hand to a page as metadata."""

from __future__ import annotations

import html
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from vcn_ray.export.appearances import time_code
from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, one_line, write_per_video
from vcn_ray.export.formats.presence import NOBODY, Presence, presences_of

_JOIN_S = 0.5  # who is away for less stays: a name that blinks is not read
_SHORTEST_MS = 500  # see `_readable`
_LONGEST_BLINK_MS = 200  # so long a cue stays until the next, where a track ended a frame or two before the cut
# The top left corner: subtitles are at the bottom.
_SETTINGS = "line:0 position:1% align:start"


class Cue(NamedTuple):
    """The same people on screen for some time, in milliseconds; in order of who was there first."""

    start_ms: int
    end_ms: int
    names: tuple[str, ...]


def write_webvtt(season: FinishedSeason, path: Path) -> list[str]:
    """Write a file a video; a cue holds all who are on screen, a line each. Unknown tracks are left out."""
    return write_per_video(season, path, "vtt", _write)


def _write(video: VideoTracks, path: Path) -> list[str]:
    cues = cues_of(presences_of(video, _JOIN_S))
    path.write_text(webvtt(cues), encoding="utf-8")
    return [] if cues else [NOBODY]


def webvtt(cues: Iterable[Cue]) -> str:
    """The text of a file (https://www.w3.org/TR/webvtt1/)."""
    blocks = ["WEBVTT"]
    for cue in cues:
        lines = [f"{time_code(cue.start_ms)} --> {time_code(cue.end_ms)} {_SETTINGS}"]
        blocks.append("\n".join([*lines, *(html.escape(one_line(name), quote=False) for name in cue.names)]))
    return "\n\n".join(blocks) + "\n"


def cues_of(presences: Iterable[Presence]) -> list[Cue]:
    """Cues that do not overlap: at any time that of all who are there.

    presences: of one video, each character's apart from one another.
    """
    spans = []
    for one in presences:
        start_ms = round(1000 * one.start_s)
        spans.append((start_ms, max(round(1000 * one.end_s), start_ms + 1), one.who))
    changes = sorted({at for start_ms, end_ms, _ in spans for at in (start_ms, end_ms)})
    comes, goes = sorted(spans), sorted(spans, key=lambda span: span[1])
    cues, here = [], dict[str, None]()
    came = went = 0
    for start_ms, end_ms in pairwise(changes):
        while went < len(goes) and goes[went][1] <= start_ms:
            here.pop(goes[went][2], None)
            went += 1
        while came < len(comes) and comes[came][0] <= start_ms:
            here[comes[came][2]] = None
            came += 1
        if here:
            cues.append(Cue(start_ms, end_ms, tuple(here)))
    return _readable(cues)


def _readable(cues: list[Cue]) -> list[Cue]:
    """Without cues that are too short to be read, where the one before or after has all their names.

    So a name comes or goes a little early or late, and nobody who was seen is left out.
    """
    cues, kept, was_ms = list(cues), list[Cue](), 0  # was: the end of the last that is kept, before it was put off
    for n, cue in enumerate(cues):
        if cue.end_ms - cue.start_ms < _SHORTEST_MS:
            after = cues[n + 1] if n + 1 < len(cues) else None
            if after and after.start_ms == cue.end_ms and set(cue.names) <= set(after.names):
                cues[n + 1] = after._replace(start_ms=cue.start_ms)
                continue
            follows = kept and kept[-1].end_ms == cue.start_ms and cue.end_ms - was_ms < _SHORTEST_MS
            if follows and set(cue.names) <= set(kept[-1].names):
                kept[-1] = kept[-1]._replace(end_ms=cue.end_ms)
                continue
        kept.append(cue)
        was_ms = cue.end_ms
    return _joined(kept)


def _joined(cues: list[Cue]) -> list[Cue]:
    """The same without gaps that are a blink, and with cues of the same people that then follow one another as one."""
    joined = cues[:1]
    for cue in cues[1:]:
        before = joined[-1]
        near = cue.start_ms - before.end_ms <= _LONGEST_BLINK_MS
        if near and cue.names == before.names:
            joined[-1] = before._replace(end_ms=cue.end_ms)
            continue
        if near:
            joined[-1] = before._replace(end_ms=cue.start_ms)
        joined.append(cue)
    return joined
