"""FCPXML: an event with cuts as projects, as Final Cut Pro and DaVinci Resolve import them.

OpenTimelineIO's adapter writes times as rounded decimals, clips without the file's time code and no markers, in a
version that has been replaced; what Apple's DTD of version 1.9 asks for is little, and written here.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from vcn_ray.export.editorial.sources import Clip, Cut, Source
from vcn_ray.export.editorial.timecode import Clock

#: The oldest that says as all later ones do where media is; Final Cut Pro 10.4.9 (2020) and Resolve 17 read it.
VERSION = "1.9"


class Document:
    """A document with one event; what is in it refers to formats and files, each told once."""

    def __init__(self, event: str):
        self._root = Element("fcpxml", version=VERSION)
        self.resources = Resources(SubElement(self._root, "resources"))
        self.event = SubElement(SubElement(self._root, "library"), "event", name=event)

    def write(self, path: Path) -> None:
        """Write it to a file."""
        ElementTree.indent(self._root)
        body = ElementTree.tostring(self._root, encoding="unicode")
        path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n\n{body}\n', encoding="utf-8")


class Resources:
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
        element = SubElement(self.element, "asset", id=own, name=source.name, start=time_of(source.clock, 0))
        element.attrib |= {"duration": length, "hasVideo": "1", "format": shape, "videoSources": "1"}
        if source.channels:
            element.attrib |= {"hasAudio": "1", "audioSources": "1", "audioChannels": str(source.channels)}
        # a file must be somewhere: one that is not found there is relinked
        SubElement(element, "media-rep", kind="original-media", src=source.url or f"file:///{quote(source.name)}")
        return own


def project_of(cut: Cut, resources: Resources) -> Element:
    """A project with the clips of a cut."""
    clock = cut.clock
    size = next((source.size_px for source in cut.sources if source.size_px), None)
    project = Element("project", name=cut.name)
    sequence = SubElement(project, "sequence", format=resources.format(clock.rate, size))
    length = sum(clip.frames for clip in cut.clips)
    sequence.attrib |= {"duration": seconds(length, clock.rate), "tcStart": time_of(clock, 0), "tcFormat": _kind(clock)}
    sequence.attrib |= {"audioLayout": "stereo", "audioRate": "48k"}
    spine = SubElement(sequence, "spine")
    for at, clip in cut.placed():
        item = clip_of(clip, resources)
        item.set("offset", time_of(clock, at))
        spine.append(item)
    return project


def clip_of(clip: Clip, resources: Resources) -> Element:
    """A clip, for a project or the event's browser."""
    source = clip.source
    clock = source.clock
    item = Element("asset-clip", ref=resources.asset(source), name=source.name)
    item.attrib |= {"start": time_of(clock, clip.first), "duration": seconds(clip.frames, clock.rate)}
    item.attrib |= {"format": resources.format(clock.rate, source.size_px), "tcFormat": _kind(clock)}
    if source.channels:
        item.set("audioRole", "dialogue")
    return item


def time_of(clock: Clock, frame: int) -> str:
    """A frame's time from the midnight of its time code."""
    return seconds(clock.start_frame + frame, clock.rate)


def _kind(clock: Clock) -> str:
    return "DF" if clock.drop else "NDF"


def seconds(frames: int, rate: Fraction) -> str:
    """So many frames as FCPXML has times: an exact rational number of seconds, such as ``1001/30000s``."""
    exact = frames / rate
    return f"{exact.numerator}s" if exact.denominator == 1 else f"{exact.numerator}/{exact.denominator}s"
