"""Stringouts as FCPXML: an event with a project a character, as Final Cut Pro and DaVinci Resolve import them.

OpenTimelineIO's adapter writes times as rounded decimals, clips without the file's time code, and a version that has
been replaced; what Apple's DTD of version 1.9 asks for is little, and written here.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from vcn_ray.export.editorial.marker_fcpxml import seconds
from vcn_ray.export.editorial.stringouts import Source, Stringout, find_stringouts
from vcn_ray.export.editorial.timecode import Clock
from vcn_ray.export.finished_season import FinishedSeason

#: The oldest that says as all later ones do where media is; Final Cut Pro 10.4.9 (2020) and Resolve 17 read it.
VERSION = "1.9"


def write_fcpxml_stringouts(season: FinishedSeason, path: Path, handles_frames: int = 0) -> list[str]:
    """Write an FCPXML with a project a character, see `stringouts.find_stringouts`."""
    stringouts, remarks = find_stringouts(season, handles_frames)
    root = Element("fcpxml", version=VERSION)
    resources = _Resources(SubElement(root, "resources"))
    event = SubElement(SubElement(root, "library"), "event", name="Stringouts")
    for stringout in stringouts:
        event.append(_project(stringout, resources))
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n\n{body}\n', encoding="utf-8")
    return remarks


class _Resources:
    """Formats and files that clips refer to, each once, by the number that it got."""

    def __init__(self, element: Element):
        self.element = element
        self._ids: dict[object, str] = {}

    def format(self, rate: Fraction, size: tuple[int, int] | None) -> str:
        """The id of frames of a size that come at a rate."""
        known = self._ids.get((rate, size))
        if known is not None:
            return known
        self._ids[rate, size] = own = f"r{len(self._ids) + 1}"
        element = SubElement(self.element, "format", id=own, frameDuration=seconds(1, rate))
        if size is not None:
            element.set("width", str(size[0]))
            element.set("height", str(size[1]))
        return own

    def asset(self, source: Source) -> str:
        """The id of a file."""
        known = self._ids.get(source)
        if known is not None:
            return known
        shape = self.format(source.clock.rate, source.size_px)
        self._ids[source] = own = f"r{len(self._ids) + 1}"
        length = seconds(source.frames, source.clock.rate)
        element = SubElement(self.element, "asset", id=own, name=source.name, start=_time(source.clock, 0))
        element.attrib |= {"duration": length, "hasVideo": "1", "format": shape, "videoSources": "1"}
        if source.channels:
            element.attrib |= {"hasAudio": "1", "audioSources": "1", "audioChannels": str(source.channels)}
        # a file must be somewhere: one that is not found there is relinked
        SubElement(element, "media-rep", kind="original-media", src=source.url or f"file:///{quote(source.name)}")
        return own


def _project(stringout: Stringout, resources: _Resources) -> Element:
    clock = stringout.clock
    size = next((source.size_px for source in stringout.sources if source.size_px), None)
    project = Element("project", name=stringout.name)
    sequence = SubElement(project, "sequence", format=resources.format(clock.rate, size))
    length = sum(clip.frames for clip in stringout.clips)
    sequence.attrib |= {"duration": seconds(length, clock.rate), "tcStart": _time(clock, 0), "tcFormat": _kind(clock)}
    sequence.attrib |= {"audioLayout": "stereo", "audioRate": "48k"}
    spine = SubElement(sequence, "spine")
    for at, clip in stringout.placed():
        source = clip.source
        item = SubElement(spine, "asset-clip", ref=resources.asset(source), offset=_time(clock, at), name=source.name)
        item.attrib |= {"start": _time(source.clock, clip.first), "duration": seconds(clip.frames, clock.rate)}
        item.attrib |= {"format": resources.format(source.clock.rate, source.size_px), "tcFormat": _kind(source.clock)}
        if source.channels:
            item.set("audioRole", "dialogue")
    return project


def _time(clock: Clock, frame: int) -> str:
    """A frame's time from the midnight of its time code."""
    return seconds(clock.start_frame + frame, clock.rate)


def _kind(clock: Clock) -> str:
    return "DF" if clock.drop else "NDF"
