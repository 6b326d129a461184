"""EBUCore XML (EBU Tech 3293, version 1.10): who is in a video and when, for archives and broadcasters."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, one_line, write_per_video
from vcn_ray.export.formats.presence import NOBODY, Presence, presences_of
from vcn_ray.version import __version__

_EBUCORE, _DC = "urn:ebu:metadata-schema:ebucore", "http://purl.org/dc/elements/1.1/"
_DAY_S = 86_400
_TIMECODE = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d[:;.,]\d{2,}")  # as the schema has it


def write_ebucore(season: FinishedSeason, path: Path) -> list[str]:
    """Write a file a video: its people as contributors, each of their appearances as a part. Unknown is left out.

    A part's times are those of the video, from 0; the file's own start time code stands in its format.
    """
    ET.register_namespace("ebucore", _EBUCORE)
    ET.register_namespace("dc", _DC)
    return write_per_video(season, path, "xml", _write)


def _write(video: VideoTracks, path: Path) -> list[str]:
    presences = presences_of(video)
    library = {"writingLibraryName": "vcn-ray", "writingLibraryVersion": __version__}
    main = ET.Element(_name("ebuCoreMain"), {"schema": "ebucore.xsd", "version": "1.10"} | library)
    core = _child(main, "coreMetadata")
    _dc(_child(core, "title"), "title", video.facts.title)
    _dc(_child(core, "identifier", typeLabel="file name"), "identifier", video.facts.video)
    names = dict.fromkeys(one.who for one in presences)
    ids = {who: f"person-{n}" for n, who in enumerate(names, 1)}
    for who, entity in ids.items():
        _contributor(core, who, entity)
    _format(core, video)
    for number, one in enumerate(presences, 1):
        numbers = {"partId": f"appearance-{number}", "partNumber": str(number), "partTotalNumber": str(len(presences))}
        part = _child(core, "part", **numbers, partName=one_line(one.who), typeLabel="appearance")
        _contributor(part, one.who, ids[one.who])
        _times(part, one)
    tree = ET.ElementTree(main)
    ET.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)
    return [] if presences else [NOBODY]


def _contributor(parent: ET.Element, who: str, entity: str) -> None:
    contributor = _child(parent, "contributor", entityId=entity)
    _child(_child(contributor, "contactDetails"), "name").text = one_line(who)
    _child(contributor, "role", typeLabel="on screen")


def _format(core: ET.Element, video: VideoTracks) -> None:
    """Size, rate, start time code, length and name of the file, as far as they are known."""
    facts, technical = video.facts, _child(core, "format")
    picture = _child(technical, "videoFormat")
    if video.size is not None:
        for side, size in zip(("width", "height"), video.size, strict=True):
            _child(picture, side, unit="pixel").text = str(size)
    if video.rate is not None:
        whole = max(1, round(video.rate))  # of which the rate is a multiple: 30 * 1000 / 1001
        factor = Fraction(video.rate).limit_denominator(1001) / whole
        factors = {"factorNumerator": str(factor.numerator), "factorDenominator": str(factor.denominator)}
        _child(picture, "frameRate", **(factors if factor != 1 else {})).text = str(whole)
    if facts.start_timecode and _TIMECODE.fullmatch(facts.start_timecode):
        _child(_child(technical, "start"), "timecode").text = facts.start_timecode
    if facts.duration_s is not None:
        _child(_child(technical, "duration"), "normalPlayTime").text = _duration(facts.duration_s)
    _child(technical, "fileName").text = one_line(facts.video)


def _times(part: ET.Element, one: Presence) -> None:
    start = _child(part, "partStartTime")
    if one.start_s < _DAY_S:
        milliseconds = round(1000 * one.start_s)
        hours, rest = divmod(milliseconds, 3_600_000)
        minutes, rest = divmod(rest, 60_000)
        _child(start, "normalPlayTime").text = f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
    else:  # which no time of day is
        _child(start, "offsetNormalPlayTime").text = _duration(one.start_s)
    length_s = (round(1000 * one.end_s) - round(1000 * one.start_s)) / 1000  # the end is exact, too
    _child(_child(part, "partDuration"), "normalPlayTime").text = _duration(length_s)


def _duration(seconds: float) -> str:
    """As XML Schema has durations."""
    return f"PT{seconds:.3f}S"


def _dc(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{_DC}}}{name}").text = one_line(text)


def _child(parent: ET.Element, name: str, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, _name(name), attributes)


def _name(name: str) -> str:
    return f"{{{_EBUCORE}}}{name}"
