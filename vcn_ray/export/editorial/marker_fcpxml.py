"""Markers as FCPXML, for Final Cut Pro and DaVinci Resolve."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import SubElement

from vcn_ray.export.editorial.appearances import Appearance
from vcn_ray.export.editorial.fcpxml import Document, clip_of, project_of, seconds, time_of
from vcn_ray.export.editorial.markers import markers_of, whole, write_markers
from vcn_ray.export.editorial.sources import Source
from vcn_ray.export.finished_season import FinishedSeason


def write_fcpxml_markers(season: FinishedSeason, path: Path) -> list[str]:
    """Write FCPXML: an event with a project that has a marker where characters come, and with the clip in keywords.

    A clip of Final Cut Pro holds one marker a frame, of one frame and without a colour, see `markers.markers_of`; the
    keywords, one an appearance and as long, make a collection of each character's ranges in the browser.
    """
    return write_markers(season, path, "fcpxml", _fcpxml, plays=True)


def _fcpxml(source: Source, appearances: list[Appearance], path: Path) -> None:
    clock, cut, document = source.clock, whole(source), Document("Characters")
    project = project_of(cut, document.resources)
    document.event.append(project)
    for clip in project.iter("asset-clip"):
        for marker in markers_of(appearances):
            element = SubElement(clip, "marker", start=time_of(clock, marker.first), duration=seconds(1, clock.rate))
            element.attrib |= {"value": marker.name, "note": marker.note}
    browsed = clip_of(cut.clips[0], document.resources)
    document.event.append(browsed)
    for one in appearances:
        keyword = SubElement(browsed, "keyword", start=time_of(clock, one.first))
        keyword.attrib |= {"duration": seconds(one.frames, clock.rate), "value": _keyword(one.who), "note": one.note}
    for name in sorted({_keyword(one.who) for one in appearances}):
        SubElement(document.event, "keyword-collection", name=name)
    document.write(path)


def _keyword(name: str) -> str:
    """A name as one keyword: a comma would begin another."""
    return name.replace(",", ";")
