"""Markers on a timeline of the whole video: OpenTimelineIO, and Premiere's Final Cut Pro 7 XML made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import opentimelineio as otio

from vcn_ray.export.editorial.appearances import Appearance, one_line
from vcn_ray.export.editorial.markers import colour, write_markers
from vcn_ray.export.editorial.media import length_of, media_url
from vcn_ray.export.editorial.timecode import Clock
from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks

_OTIO = ["BLUE", "RED", "GREEN", "YELLOW", "PURPLE", "CYAN", "PINK", "ORANGE", "MAGENTA", "WHITE", "BLACK"]
# Premiere's own colours, as alpha, blue, green, red: any other number is taken for the nearest of them.
_PREMIERE = ["4294741314", "4281740498", "4281828977", "4281049552", "4289825711", "4292277273", "4280578025"]


def write_otio_markers(season: FinishedSeason, path: Path) -> list[str]:
    """Write timelines of OpenTimelineIO with a marker an appearance; its confidence is in ``metadata["vcn_ray"]``."""
    return write_markers(season, path, "otio", _otio)


def write_fcp7_markers(season: FinishedSeason, path: Path) -> list[str]:
    """Write Final Cut Pro 7 XML, which Premiere and Resolve import: a sequence with a marker an appearance."""
    return write_markers(season, path, "xml", _fcp7)


def _otio(video: VideoTracks, clock: Clock, appearances: list[Appearance], path: Path) -> None:
    timeline = _timeline(video, clock, appearances)
    path.write_text(otio.adapters.write_to_string(timeline, "otio_json"), encoding="utf-8")


def _fcp7(video: VideoTracks, clock: Clock, appearances: list[Appearance], path: Path) -> None:
    timeline = _timeline(video, clock, appearances)
    # What the adapter copies into the elements of its name: it takes the rate from times, and these from nobody.
    display = {"timecode": {"displayformat": "DF" if clock.drop else "NDF"}}
    picture = {"video": {"format": {"samplecharacteristics": _size(video)}}}
    timeline.metadata["fcp_xml"] = display | {"media": picture}
    clip = timeline.tracks[0][0]
    clip.media_reference.metadata["fcp_xml"] = display
    for marker, one in zip(timeline.tracks.markers, appearances, strict=True):
        marker.metadata["fcp_xml"] = {"comment": one.note, "pproColor": colour(_PREMIERE, one.number)}
    path.write_text(otio.adapters.write_to_string(timeline, "fcp_xml"), encoding="utf-8")


def _timeline(video: VideoTracks, clock: Clock, appearances: list[Appearance]) -> otio.schema.Timeline:
    """One clip, the whole video under its own time codes; markers are the timeline's, and count from its start."""
    rate, name = float(clock.rate), one_line(video.facts.video)
    whole = otio.opentime.TimeRange(clock.time(0), otio.opentime.RationalTime(length_of(video, clock), rate))
    media = otio.schema.ExternalReference(media_url(video.facts), whole)
    media.name = name
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    track.append(otio.schema.Clip(name, media, whole))
    timeline = otio.schema.Timeline(name, global_start_time=clock.time(0))
    timeline.tracks.append(track)
    for one in appearances:
        known: dict[str, Any] = {"character": one.who}
        if one.confidence is not None:
            known["confidence"] = one.confidence
        timeline.tracks.markers.append(
            otio.schema.Marker(
                name=one.who,
                marked_range=otio.opentime.TimeRange(
                    otio.opentime.RationalTime(one.first, rate), otio.opentime.RationalTime(one.frames, rate)
                ),
                color=colour(_OTIO, one.number),
                metadata={"vcn_ray": known},
                comment=one.note,
            )
        )
    return timeline


def _size(video: VideoTracks) -> dict[str, str]:
    return {} if video.size is None else {"width": str(video.size[0]), "height": str(video.size[1])}
