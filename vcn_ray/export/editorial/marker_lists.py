"""Markers as text: DaVinci Resolve's marker EDL, Avid Media Composer's marker text and Avid Log Exchange."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

from vcn_ray.export.editorial.appearances import Appearance
from vcn_ray.export.editorial.markers import colour, markers_of, write_markers
from vcn_ray.export.editorial.sources import Source
from vcn_ray.export.finished_season import FinishedSeason

# Neighbours are told apart easily.
_RESOLVE = ["Blue", "Red", "Green", "Yellow", "Purple", "Cyan", "Pink", "Sand"]
_RESOLVE += ["Fuchsia", "Mint", "Lemon", "Rose", "Lavender", "Sky", "Cocoa", "Cream"]
_AVID = ["blue", "red", "green", "yellow", "magenta", "cyan", "white", "black"]
# Project formats of Media Composer by height; others are CUSTOM.
_ALE_FORMATS = {1080: "1080", 720: "720", 576: "PAL", 486: "NTSC"}
_ALE_COLUMNS = ["Name", "Tracks", "Start", "End", "Tape", "Source File", "Character", "Confidence"]


def write_resolve_markers(season: FinishedSeason, path: Path) -> list[str]:
    """Write markers as Resolve exports and imports them: an event of one frame each, and a line with what it is.

    That line is ``NOTE |C:COLOUR |M:NAME |D:FRAMES``. Resolve holds one marker a frame, see `markers.markers_of`.
    """
    return write_markers(season, path, "edl", _resolve)


def write_avid_markers(season: FinishedSeason, path: Path) -> list[str]:
    """Write markers as Media Composer's Markers window does: name, time code, track, colour, comment, frames; by tabs.

    A track holds one marker a frame, see `markers.markers_of`.
    """
    return write_markers(season, path, "txt", _avid)


def write_avid_log(season: FinishedSeason, path: Path) -> list[str]:
    """Write a bin with a clip an appearance: name and number, start and end, tape, file, character and confidence.

    OpenTimelineIO's adapter would make every time code at 29.97 drop-frame, and write no tracks unless told.
    """
    return write_markers(season, path, "ale", _avid_log)


def _resolve(source: Source, appearances: list[Appearance], path: Path) -> None:
    clock = source.clock
    lines = [f"TITLE: {source.name}", f"FCM: {'' if clock.drop else 'NON-'}DROP FRAME", ""]
    for number, marker in enumerate(markers_of(appearances), 1):
        frame = f"{clock.timecode(marker.first)} {clock.timecode(marker.first + 1)}"
        shade = f"ResolveColor{colour(_RESOLVE, marker.number)}"
        lines.append(f"{number:03}  001      V     C        {frame} {frame}  ")
        # A note with a digit first would be taken for an event: those of appearances begin with a word.
        lines.append(f"{_barless(marker.note)} |C:{shade} |M:{_barless(marker.name)} |D:{marker.frames}")
        lines.append("")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _avid(source: Source, appearances: list[Appearance], path: Path) -> None:
    rows = [
        (
            marker.name,
            source.clock.timecode(marker.first),
            "V1",
            colour(_AVID, marker.number),
            f"{marker.name}: {marker.note}",
            str(marker.frames),
        )
        for marker in markers_of(appearances)
    ]
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def _avid_log(source: Source, appearances: list[Appearance], path: Path) -> None:
    clock, name = source.clock, source.name
    height = source.size_px[1] if source.size_px else 0
    heading = {
        "FIELD_DELIM": "TABS",
        "VIDEO_FORMAT": _ALE_FORMATS.get(height, "CUSTOM"),
        "FPS": _avid_rate(clock.rate),
    }
    lines = ["Heading", *(f"{key}\t{value}" for key, value in heading.items()), ""]
    lines += ["Column", "\t".join(_ALE_COLUMNS), "", "Data"]
    seen: Counter[str] = Counter()
    for one in appearances:
        seen[one.who] += 1
        start, end = clock.timecode(one.first), clock.timecode(one.end)
        confidence = "" if one.confidence is None else f"{one.confidence:.2f}"
        clip = f"{one.who} {seen[one.who]:03}"
        tape = name.rpartition(".")[0] or name
        lines.append("\t".join([clip, "V", start, end, tape, name, one.who, confidence]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _avid_rate(rate: Fraction) -> str:
    """As Media Composer writes it: 23.976, 29.97, 47.952, 59.94 or whole."""
    return f"{float(rate):.5g}"


def _barless(text: str) -> str:
    """Text without the sign that parts fields in a marker EDL."""
    return text.replace("|", "/")
