"""Stringouts as AAF, for Avid Media Composer: a composition of clips of master mobs, their files and their time codes.

OpenTimelineIO's adapter makes a file mob for each clip, marks 23.976 frames a second as drop-frame and never 29.97 of
the timeline, and rounds rates, so mobs are made here, with pyaaf2 as it does.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from fractions import Fraction
from pathlib import Path
from typing import Any

import aaf2
from aaf2.mobid import MobID

from vcn_ray.export.editorial.sources import Source
from vcn_ray.export.editorial.stringouts import Stringout, find_stringouts, write_each
from vcn_ray.export.editorial.timecode import Clock
from vcn_ray.export.finished_season import FinishedSeason

_PICTURE = 1  # slot of a master mob; those of sound follow
_SAMPLE_RATE = 48000


def write_aaf_stringouts(season: FinishedSeason, path: Path, handles_frames: int = 0) -> list[str]:
    """Write an AAF a character, see `stringouts.find_stringouts`; several go into a folder."""
    stringouts, remarks = find_stringouts(season, handles_frames)
    write_each(stringouts, path, "aaf", _write)
    return remarks


def _write(stringout: Stringout, path: Path) -> None:
    with aaf2.open(str(path), "w") as file:
        masters = {source: _master(file, source) for source in stringout.sources}
        clock = stringout.clock
        composition = file.create.CompositionMob(stringout.name)
        composition.usage = "Usage_TopLevel"
        file.content.mobs.append(composition)
        length = sum(clip.frames for clip in stringout.clips)
        _timecode(file, composition, clock, length)
        for channel in range(stringout.channels + 1):
            kind = "sound" if channel else "picture"
            slot = composition.create_empty_sequence_slot(_rate(clock.rate), media_kind=kind)
            slot.name = f"A{channel}" if channel else "V1"
            slot["PhysicalTrackNumber"].value = max(channel, 1)
            slot.segment.length = length
            # all at once: one by one, pyaaf2 goes through all others each time
            slot.segment.components.extend(
                [
                    masters[clip.source].create_source_clip(_PICTURE + channel, clip.first, clip.frames, kind)
                    if channel <= clip.source.channels
                    else file.create.Filler(kind, clip.frames)
                    for clip in stringout.clips
                ]
            )


def _master(file: Any, source: Source) -> Any:
    """The mobs of a source: a master of its picture and each channel of sound, their files, and a tape with the time
    code; the same in every AAF, so that a project knows them again."""
    rate = _rate(source.clock.rate)
    tape = _mob(file, file.create.SourceMob(), source, "tape")
    tape.descriptor = file.create.TapeDescriptor()
    master = _mob(file, file.create.MasterMob(), source, "master")
    for channel in range(source.channels + 1):
        kind = "sound" if channel else "picture"
        tape.create_empty_slot(rate, kind).segment.length = source.frames
        own = _mob(file, file.create.SourceMob(), source, f"file {channel}")
        own.descriptor = _sound(file, source) if channel else _picture(file, source)
        if source.url is not None:
            locator = file.create.NetworkLocator()
            locator["URLString"].value = source.url
            own.descriptor["Locator"].append(locator)
        own_slot = own.create_timeline_slot(rate)
        own_slot.segment = tape.create_source_clip(_PICTURE + channel, 0, source.frames, kind)
        slot = master.create_timeline_slot(rate, _PICTURE + channel)
        slot.name = f"A{channel}" if channel else "V1"
        slot["PhysicalTrackNumber"].value = max(channel, 1)
        slot.segment = own.create_source_clip(own_slot.slot_id, 0, source.frames, kind)
    _timecode(file, tape, source.clock, source.frames)
    return master


def _mob(file: Any, mob: Any, source: Source, part: str) -> Any:
    mob.name = source.name
    what = f"{part}\n{source.name}\n{source.url}\n{source.clock.start_frame}\n{source.frames}"
    mob_id = MobID.new()
    mob_id.material = uuid.UUID(bytes=hashlib.sha256(what.encode()).digest()[:16])
    mob.mob_id = mob_id
    file.content.mobs.append(mob)
    return mob


def _timecode(file: Any, mob: Any, clock: Clock, length: int) -> None:
    slot = mob.create_timeline_slot(_rate(clock.rate))
    slot.name = "TC1"
    slot["PhysicalTrackNumber"].value = 1
    slot.segment = file.create.Timecode(math.ceil(clock.rate), drop=clock.drop, length=length)
    slot.segment.start = clock.start_frame


def _picture(file: Any, source: Source) -> Any:
    width, height = source.size_px or (1920, 1080)
    descriptor = file.create.CDCIDescriptor()
    values = {
        "ComponentWidth": 8,
        "HorizontalSubsampling": 2,
        "ImageAspectRatio": _rate(Fraction(width, height)),
        "StoredWidth": width,
        "StoredHeight": height,
        "FrameLayout": "FullFrame",
        "VideoLineMap": [0, 0],
        "SampleRate": _rate(source.clock.rate),
        "Length": source.frames,
    }
    for name, value in values.items():
        descriptor[name].value = value
    return descriptor


def _sound(file: Any, source: Source) -> Any:
    descriptor = file.create.PCMDescriptor()
    values = {
        "AudioSamplingRate": _SAMPLE_RATE,
        "Channels": 1,
        "QuantizationBits": 16,
        "BlockAlign": 2,
        "AverageBPS": 2 * _SAMPLE_RATE,
        "SampleRate": _SAMPLE_RATE,
        "Length": round(source.frames / source.clock.rate * _SAMPLE_RATE),
    }
    for name, value in values.items():
        descriptor[name].value = value
    return descriptor


def _rate(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}"
