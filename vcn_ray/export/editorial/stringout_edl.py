"""Stringouts as CMX3600 EDLs, which every editing program reads: events with reel, source and record time codes.

OpenTimelineIO's adapter for them has no FCM line and no sound, begins at 00:00:00:00 and takes all of 29.97 frames a
second for drop-frame, so the list is written here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from unicodedata import normalize

from vcn_ray.export.editorial.sources import Source
from vcn_ray.export.editorial.stringouts import Stringout, find_stringouts, write_each
from vcn_ray.export.finished_season import FinishedSeason

#: Events that a list has at most: their numbers have three digits. A longer stringout is several lists.
MOST_EVENTS = 999
_REEL_LENGTH = 8
_CHANNELS = {0: "V", 1: "B", 2: "AA/V"}
# Reels that mean something else: black, and a file of no reel.
_RESERVED = {"", "BL", "BLACK", "AX"}


def write_edl_stringouts(season: FinishedSeason, path: Path, handles_frames: int = 0) -> list[str]:
    """Write an EDL a character, see `stringouts.find_stringouts`; several go into a folder."""
    stringouts, remarks = find_stringouts(season, handles_frames)
    reels = reel_names(source for stringout in stringouts for source in stringout.sources)
    lists = [part for stringout in stringouts for part in _parts(stringout)]

    def write(part: Stringout, own: Path) -> None:
        own.write_text(_edl(part, reels), encoding="utf-8", newline="")

    write_each(lists, path, "edl", write)
    return remarks


def reel_names(sources: Iterable[Source]) -> dict[Source, str]:
    """A reel of up to 8 letters and digits for each source, like its name; no two have the same.

    A name that is no such letters and digits gives its first five and three of its digest, so that a reel is the same
    whichever sources are in an export. Only sources of one name, of different folders, are numbered as they come.
    """
    reels: dict[Source, str] = {}
    taken = set(_RESERVED)
    for source in dict.fromkeys(sources):
        stem = re.sub(r"\.\w+$", "", source.name)
        plain = re.sub("[^A-Z0-9]", "", normalize("NFKD", stem).upper().replace("ẞ", "SS"))
        if plain != stem.upper() or len(plain) > _REEL_LENGTH:
            plain = plain[: _REEL_LENGTH - 3] + hashlib.sha256(stem.encode()).hexdigest()[:3].upper()
        reel, number = plain, 0
        while reel in taken:
            number += 1
            digits = f"{number:03d}"
            reel = plain[: _REEL_LENGTH - len(digits)] + digits
        taken.add(reel)
        reels[source] = reel
    return reels


def _parts(stringout: Stringout) -> list[Stringout]:
    """Stringouts of as many events as a list can have, numbered where there are several."""
    starts = range(0, len(stringout.clips), MOST_EVENTS)
    if len(starts) == 1:
        return [stringout]
    return [
        Stringout(f"{stringout.name} {number}", stringout.clips[start : start + MOST_EVENTS])
        for number, start in enumerate(starts, 1)
    ]


def _edl(stringout: Stringout, reels: dict[Source, str]) -> str:
    record = stringout.clock
    lines = [f"TITLE: {stringout.name}", f"FCM: {'DROP FRAME' if record.drop else 'NON-DROP FRAME'}", ""]
    for number, (at, clip) in enumerate(stringout.placed(), 1):
        source = clip.source
        codes = [source.clock.timecode(clip.first), source.clock.timecode(clip.end)]
        codes += [record.timecode(at), record.timecode(at + clip.frames)]
        event = f"{number:03d}  {reels[source]:8} {_CHANNELS[source.channels]:5} C        {' '.join(codes)}"
        lines += [event, f"* FROM CLIP NAME: {source.name}", f"* SOURCE FILE: {source.name}"]
    return "\r\n".join(lines) + "\r\n"
