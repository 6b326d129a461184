"""Markers as FCPXML 1.9, for Final Cut Pro 10.4.9 and later and for Resolve: an event with the whole video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

from vcn_ray.export.editorial.appearances import Appearance, one_line
from vcn_ray.export.editorial.markers import markers_of, write_markers
from vcn_ray.export.editorial.media import length_of, media_url
from vcn_ray.export.editorial.timecode import Clock
from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks

_VERSION = "1.9"


def write_fcpxml_markers(season: FinishedSeason, path: Path) -> list[str]:
    """Write FCPXML: an event with a project that has a marker where characters come, and with the clip in keywords.

    A clip of Final Cut Pro holds one marker a frame, of one frame and without a colour, see `markers.markers_of`; the
    keywords, one an appearance and as long, make a collection of each character's ranges in the browser.
    OpenTimelineIO's adapter carries no markers.
    """
    return write_markers(season, path, "fcpxml", _fcpxml)


def seconds(frames: int, rate: Fraction) -> str:
    """A time as FCPXML has it: an exact rational number of seconds, such as ``1001/30000s``."""
    exact = frames / rate
    return f"{exact.numerator}s" if exact.denominator == 1 else f"{exact.numerator}/{exact.denominator}s"


def _fcpxml(video: VideoTracks, clock: Clock, appearances: list[Appearance], path: Path) -> None:
    def at(frame: int) -> str:
        return seconds(clock.start_frame + frame, clock.rate)

    def lasts(frames: int) -> str:
        return seconds(frames, clock.rate)

    name, start, duration = one_line(video.facts.video), at(0), lasts(length_of(video, clock))
    code = {"tcFormat": "DF" if clock.drop else "NDF"}
    root = ElementTree.Element("fcpxml", version=_VERSION)
    resources = ElementTree.SubElement(root, "resources")
    size = {} if video.size is None else {"width": str(video.size[0]), "height": str(video.size[1])}
    ElementTree.SubElement(resources, "format", {"id": "r1", "frameDuration": lasts(1), **size})
    whole = {"name": name, "start": start, "duration": duration}
    asset = ElementTree.SubElement(resources, "asset", {"id": "r2", **whole, "hasVideo": "1", "format": "r1"})
    ElementTree.SubElement(asset, "media-rep", kind="original-media", src=media_url(video.facts))
    event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name="Characters")
    project = ElementTree.SubElement(event, "project", name=f"{name} characters")
    sequence = ElementTree.SubElement(
        project, "sequence", {"format": "r1", "duration": duration, "tcStart": start, **code}
    )
    spine = ElementTree.SubElement(sequence, "spine")
    clip = ElementTree.SubElement(spine, "asset-clip", {"ref": "r2", "offset": start, **whole, **code})
    for marker in markers_of(appearances):
        ElementTree.SubElement(
            clip, "marker", start=at(marker.first), duration=lasts(1), value=marker.name, note=marker.note
        )
    browsed = ElementTree.SubElement(event, "asset-clip", {"ref": "r2", **whole, **code})
    for one in appearances:
        span = {"start": at(one.first), "duration": lasts(one.frames)}
        ElementTree.SubElement(browsed, "keyword", {**span, "value": _keyword(one.who), "note": one.note})
    for keyword in sorted({_keyword(one.who) for one in appearances}):
        ElementTree.SubElement(event, "keyword-collection", name=keyword)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{text}\n', encoding="utf-8")


def _keyword(name: str) -> str:
    """A name as one keyword: a comma would begin another."""
    return name.replace(",", ";")
