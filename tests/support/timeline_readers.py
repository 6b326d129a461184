"""Timelines as other programs' libraries read them: the clips of each, whatever the format."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import aaf2
import opentimelineio as otio
import pycmx

from support.timecodes import counted

#: A clip as it is read back: file, first and end by its time codes, the same in the timeline, tracks of sound.
Read = tuple[str, int, int, int, int, int]


def _read_otio(path: Path, rate: Fraction) -> dict[str, list[Read]]:
    read = otio.adapters.read_from_string(path.read_text(encoding="utf-8"), "otio_json")
    found = {}
    for timeline in [read] if isinstance(read, otio.schema.Timeline) else list(read):
        pictures, *sounds = timeline.tracks
        assert [track.kind for track in timeline.tracks] == ["Video"] + ["Audio"] * len(sounds)
        clips = []
        for number, clip in enumerate(pictures):
            part, whole, place = clip.source_range, clip.media_reference.available_range, clip.range_in_parent()
            assert whole.start_time <= part.start_time < part.end_time_exclusive() <= whole.end_time_exclusive()
            times = [part.start_time, part.end_time_exclusive()]
            times += [timeline.global_start_time + time for time in (place.start_time, place.end_time_exclusive())]
            heard = [track[number] for track in sounds if isinstance(track[number], otio.schema.Clip)]
            assert all(sound.source_range == part for sound in heard)
            clips.append((clip.media_reference.name, *(int(time.value) for time in times), 2 * len(heard)))
        found[timeline.name] = clips
    return found


def _read_edl(path: Path, rate: Fraction) -> dict[str, list[Read]]:
    with path.open(encoding="utf-8") as file:
        events = pycmx.parse_cmx3600(file)
    fcm = "FCM: DROP FRAME\n" if ";" in path.read_text(encoding="utf-8").split("* FROM")[0] else "FCM: NON-DROP FRAME\n"
    assert fcm in path.read_text(encoding="utf-8")
    edits = [event.edits[0] for event in events.events]
    return {
        events.title: [
            (
                edit.clip_name,
                *(counted(c, rate) for c in (edit.source_in, edit.source_out, edit.record_in, edit.record_out)),
                len(list(edit.channels.channels)),
            )
            for edit in edits
        ]
    }


def _xml(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(path.read_bytes())  # noqa: S314 (written by the test)


def _read_fcpxml(path: Path, rate: Fraction) -> dict[str, list[Read]]:
    root = _xml(path)
    formats = {one.get("id"): one for one in root.iter("format")}
    assets = {one.get("id"): one for one in root.iter("asset")}
    found = {}
    for project in root.iter("project"):
        sequence = project.find("sequence")
        frame_s = Fraction(formats[sequence.get("format")].get("frameDuration")[:-1])
        clips = []
        for clip in sequence.find("spine"):
            asset = assets[clip.get("ref")]
            start, length, offset, begin, whole = (
                int(Fraction(element.get(key)[:-1]) / frame_s)
                for element, key in (
                    (clip, "start"),
                    (clip, "duration"),
                    (clip, "offset"),
                    (asset, "start"),
                    (asset, "duration"),
                )
            )
            assert begin <= start < start + length <= begin + whole
            channels = int(asset.get("audioChannels", "0"))
            clips.append((asset.get("name"), start, start + length, offset, offset + length, channels))
        assert Fraction(sequence.get("duration")[:-1]) / frame_s == sum(clip[2] - clip[1] for clip in clips)
        assert sequence.get("tcStart") == sequence.find("spine")[0].get("offset")
        found[project.get("name")] = clips
    return found


def _read_fcp7(path: Path, rate: Fraction) -> dict[str, list[Read]]:
    root = _xml(path)
    files = {one.get("id"): one for one in root.iter("file") if len(one)}
    ids = [one.get("id") for one in root.iter("clipitem")]
    assert len(ids) == len(set(ids))
    found = {}
    for sequence in root.iter("sequence"):
        start = int(sequence.findtext("timecode/frame"))
        clips = []
        for clip in sequence.findall("media/video/track/clipitem"):
            file = files[clip.find("file").get("id")]
            begin = int(file.findtext("timecode/frame"))
            assert counted(file.findtext("timecode/string"), rate) == begin
            source = [begin + int(clip.findtext(key)) for key in ("in", "out")]
            place = [start + int(clip.findtext(key)) for key in ("start", "end")]
            links = [link.findtext("linkclipref") for link in clip.iter("link")]
            assert set(links) <= set(ids)
            clips.append((file.findtext("name"), *source, *place, max(0, len(links) - 1)))
        found[sequence.findtext("name")] = clips
    return found


def _read_aaf(path: Path, rate: Fraction) -> dict[str, list[Read]]:
    with aaf2.open(str(path)) as file:
        (composition,) = file.content.toplevel()
        slots = {str(slot.name): slot.segment for slot in composition.slots}
        at = slots["TC1"].start
        sounds = [segment for name, segment in slots.items() if name.startswith("A")]
        clips = []
        for number, clip in enumerate(slots["V1"].components):
            mob, first = _tape(clip)
            code = next(s.segment for s in mob.slots if isinstance(s.segment, aaf2.components.Timecode))
            heard = [s.components[number] for s in sounds if hasattr(s.components[number], "mob")]
            assert all(_tape(sound) == (mob, first) and sound.length == clip.length for sound in heard)
            first += code.start
            clips.append((mob.name, first, first + clip.length, at, at + clip.length, len(heard)))
            at += clip.length
        assert all(segment.length == at - slots["TC1"].start for segment in [slots["V1"], *sounds])
        assert bool(slots["TC1"].drop) == bool(code.drop)
        return {composition.name: clips}


def _tape(clip: aaf2.components.SourceClip) -> tuple[aaf2.mobs.Mob, int]:
    """Where a clip's frames come from in the end, and the first of them there."""
    mob, slot, first = clip.mob, clip.slot, clip.start
    while slot.segment.mob is not None:
        first += slot.segment.start
        mob, slot = slot.segment.mob, slot.segment.slot
    return mob, first


#: By format: the timelines of a file, read at the rate that it is of, by name.
READERS = {
    "stringout-otio": _read_otio,
    "stringout-edl": _read_edl,
    "stringout-fcpxml": _read_fcpxml,
    "stringout-fcp7": _read_fcp7,
    "stringout-aaf": _read_aaf,
}
