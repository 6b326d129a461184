"""Markers on a timeline of the whole video: OpenTimelineIO, and Final Cut Pro 7 XML for Premiere Pro."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import opentimelineio as otio
from opentimelineio import opentime, schema

from vcn_ray.export.editorial.appearances import Appearance
from vcn_ray.export.editorial.markers import colour, whole, write_markers
from vcn_ray.export.editorial.sources import Source
from vcn_ray.export.editorial.timelines import timeline_of, write_fcp7
from vcn_ray.export.finished_season import FinishedSeason

_OTIO = ["BLUE", "RED", "GREEN", "YELLOW", "PURPLE", "CYAN", "PINK", "ORANGE", "MAGENTA", "WHITE", "BLACK"]
# Premiere's own colours, as alpha, blue, green, red: any other number is taken for the nearest of them.
_PREMIERE = ["4294741314", "4281740498", "4281828977", "4281049552", "4289825711", "4292277273", "4280578025"]


def write_otio_markers(season: FinishedSeason, path: Path) -> list[str]:
    """Write timelines of OpenTimelineIO with a marker an appearance; its confidence is in ``metadata["vcn_ray"]``."""
    return write_markers(season, path, "otio", _otio, plays=True)


def write_fcp7_markers(season: FinishedSeason, path: Path) -> list[str]:
    """Write Final Cut Pro 7 XML, which Premiere and Resolve import: a sequence with a marker an appearance."""
    return write_markers(season, path, "xml", _fcp7, plays=True)


def _otio(source: Source, appearances: list[Appearance], path: Path) -> None:
    timeline = timeline_of(whole(source), min(1, source.channels))
    timeline.tracks.markers.extend(_marker(source, one) for one in appearances)
    otio.adapters.write_to_file(timeline, str(path), adapter_name="otio_json")


def _fcp7(source: Source, appearances: list[Appearance], path: Path) -> None:
    cut = whole(source)
    timeline = timeline_of(cut, source.channels)
    for one in appearances:
        marker = _marker(source, one)
        # what the adapter copies into the marker beside its name and range
        marker.metadata["fcp_xml"] = {"comment": one.note, "pproColor": colour(_PREMIERE, one.number)}
        timeline.tracks.markers.append(marker)
    write_fcp7([(timeline, cut)], path)


def _marker(source: Source, one: Appearance) -> schema.Marker:
    """A marker of a whole video's timeline: it counts from that one's start."""
    rate = float(source.clock.rate)
    known: dict[str, Any] = {"character": one.who}
    if one.confidence is not None:
        known["confidence"] = one.confidence
    return schema.Marker(
        name=one.who,
        marked_range=opentime.TimeRange(
            opentime.RationalTime(one.first, rate), opentime.RationalTime(one.frames, rate)
        ),
        color=colour(_OTIO, one.number),
        metadata={"vcn_ray": known},
        comment=one.note,
    )
