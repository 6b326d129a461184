"""Cuts as timelines of OpenTimelineIO, and those as Final Cut Pro 7's XML by its adapter, which Premiere Pro reads."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import opentimelineio as otio
from opentimelineio import opentime, schema

from vcn_ray.export.editorial.sources import Clip, Cut, Source

_FCP7 = "fcp_xml"  # the adapter's key for what OpenTimelineIO has no word for


def timeline_of(cut: Cut, audio_tracks: int) -> schema.Timeline:
    """A timeline of a track of pictures, and so many of the sound of those clips that have any."""
    timeline = schema.Timeline(name=cut.name, global_start_time=cut.clock.time(0))
    pictures = schema.Track("V1", kind=schema.TrackKind.Video)
    pictures.extend([_clip(clip) for clip in cut.clips])
    timeline.tracks.append(pictures)
    for channel in range(1, audio_tracks + 1):
        sound = schema.Track(f"A{channel}", kind=schema.TrackKind.Audio)
        for clip in cut.clips:
            sound.append(_clip(clip) if channel <= clip.source.channels else schema.Gap(source_range=_range(clip)))
        timeline.tracks.append(sound)
    return timeline


def write_fcp7(timelines: Sequence[tuple[schema.Timeline, Cut]], path: Path) -> None:
    """Write timelines, each made of a cut by `timeline_of`, as sequences of Final Cut Pro 7 XML."""
    numbers = itertools.count(1)
    for timeline, cut in timelines:
        _tell_fcp7(timeline, cut, numbers)
    text = otio.adapters.write_to_string(together([timeline for timeline, _ in timelines]), adapter_name="fcp_xml")
    root = ElementTree.fromstring(text)  # noqa: S314 (written a line above)
    for sequence in root.iter("sequence"):
        _link(sequence)
    for item in root.iter("clipitem"):
        for again in item.findall("rate")[1:]:
            item.remove(again)
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n{body}\n', encoding="utf-8")


def together(timelines: Sequence[schema.Timeline]) -> Any:
    """One timeline, or a collection of several."""
    return timelines[0] if len(timelines) == 1 else schema.SerializableCollection("Stringouts", timelines)


def _clip(clip: Clip) -> schema.Clip:
    return schema.Clip(clip.source.name, _media(clip.source), _range(clip))


def _range(clip: Clip) -> opentime.TimeRange:
    clock = clip.source.clock
    return opentime.TimeRange(clock.time(clip.first), opentime.RationalTime(clip.frames, float(clock.rate)))


def _media(source: Source) -> schema.ExternalReference | schema.MissingReference:
    whole = _range(Clip(source, 0, source.frames))
    if source.url is None:
        return schema.MissingReference(name=source.name, available_range=whole)
    media = schema.ExternalReference(source.url, whole)
    media.name = source.name
    return media


def _tell_fcp7(timeline: schema.Timeline, cut: Cut, numbers: Iterator[int]) -> None:
    """Leave the adapter what makes a sequence complete: drop-frame, size of picture, and what has which sound.

    Each clip gets a number of its own: the adapter else takes those of one name and range for one, also where they
    are of several characters, and leaves out all of the later ones.
    """
    clock, size = cut.clock, next((one.size_px for one in cut.sources if one.size_px), None)
    timeline.metadata[_FCP7] = _counting(clock.drop)
    if size is not None:
        timeline.metadata[_FCP7]["media"] = {"video": {"format": _characteristics(size)}}
    for number, track in enumerate(timeline.tracks):
        for item, clip in zip(track, cut.clips, strict=True):
            if isinstance(item, schema.Gap):
                continue
            source, media = clip.source, {}
            media["video"] = _characteristics(source.size_px) if source.size_px else {"duration": source.frames}
            if source.channels:
                media["audio"] = {"channelcount": source.channels}
            item.media_reference.metadata[_FCP7] = _counting(source.clock.drop) | {"media": media}
            kind = {"mediatype": "audio", "trackindex": number} if number else {"mediatype": "video"}
            item.metadata[_FCP7] = {"@id": f"clipitem-{next(numbers)}", "sourcetrack": kind}


def _counting(drop: bool) -> dict[str, Any]:
    return {"timecode": {"displayformat": "DF" if drop else "NDF"}}


def _characteristics(size: tuple[int, int]) -> dict[str, Any]:
    return {"samplecharacteristics": {"width": size[0], "height": size[1]}}


def _link(sequence: ElementTree.Element) -> None:
    """Tie picture and sound of each clip of a sequence together, as they are in the file."""
    together: dict[str, list[tuple[ElementTree.Element, str, int, int]]] = {}
    for kind in ("video", "audio"):
        for track_index, track in enumerate(sequence.findall(f"media/{kind}/track"), 1):
            for clip_index, item in enumerate(track.findall("clipitem"), 1):
                at = item.findtext("start", "")
                together.setdefault(at, []).append((item, kind, track_index, clip_index))
    for linked in together.values():
        for item, *_ in linked if len(linked) > 1 else ():
            for other, kind, track_index, clip_index in linked:
                link = ElementTree.SubElement(item, "link")
                texts = (other.get("id", ""), kind, str(track_index), str(clip_index))
                for tag, text in zip(("linkclipref", "mediatype", "trackindex", "clipindex"), texts, strict=True):
                    ElementTree.SubElement(link, tag).text = text
