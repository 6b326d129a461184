"""A video file as timelines refer to it: name, address, clock, length, sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from vcn_ray.export.editorial.timecode import Clock
from vcn_ray.export.formats.by_video import VideoTracks, one_line
from vcn_ray.storage.sources import source_name

#: What timelines carry of a file's sound: of more channels, the mix is the editor's.
MOST_CHANNELS = 2
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Source:
    """A video file, as a timeline refers to it."""

    name: str  # of the file, by which it is relinked
    url: str | None  # None: not known, it is found by its name
    clock: Clock
    frames: int  # of its clock
    channels: int  # of sound
    size_px: tuple[int, int] | None = None  # width, height


@dataclass(frozen=True)
class Clip:
    """Frames `first` to `end`, exclusive, of a source; they count from 0, on the source's clock."""

    source: Source
    first: int
    end: int

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.end - self.first


@dataclass(frozen=True)
class Cut:
    """A timeline of clips one behind the other, under the time codes of the first clip's source."""

    name: str
    clips: tuple[Clip, ...]

    @property
    def clock(self) -> Clock:
        """The timeline's own: frame 0 is the first clip's first."""
        first = self.clips[0]
        clock = first.source.clock
        return Clock(clock.rate, clock.drop, clock.start_frame + first.first)

    @property
    def sources(self) -> list[Source]:
        """The videos in it, in order."""
        return list(dict.fromkeys(clip.source for clip in self.clips))

    @property
    def channels(self) -> int:
        """Tracks of sound that its clips need."""
        return max(clip.source.channels for clip in self.clips)

    def placed(self) -> Iterator[tuple[int, Clip]]:
        """Each clip, after the frame of the timeline at which it begins."""
        at = 0
        for clip in self.clips:
            yield at, clip
            at += clip.frames


def source_of(video: VideoTracks) -> tuple[Source, list[str]]:
    """A video as timelines refer to it, and what to know of it."""
    facts, clock = video.facts, Clock.of(video)
    remarks = list(clock.remarks)
    if facts.frames is None:
        remarks.append("its length is not known: it is taken to end with its last face")
    if facts.path is None:
        remarks.append("the place of its file is not known: relink it by its name")
    if facts.audio_channels is None:
        remarks.append("whether it has sound is not known, as the file has gone or changed: only its picture is there")
    url = None if facts.path is None else _url(facts.path)
    channels = min(facts.audio_channels or 0, MOST_CHANNELS)
    name = one_line(facts.video if facts.path is None else source_name(facts.path))
    return Source(name, url, clock, _length(video, clock), channels, video.size), remarks


def _url(path: str) -> str:
    """A video's address, of a file as ``file:///...`` with percent signs."""
    if "://" in path:  # as it is, but for what no line and no XML can hold
        return _NO_TEXT.sub(lambda match: quote(match[0], errors="surrogatepass"), path)
    return Path(path).absolute().as_uri()


def _length(video: VideoTracks, clock: Clock) -> int:
    """Frames of the clock that a video lasts, at least to the end of its last face."""
    facts = video.facts
    frame, time_s = (video.faces[name].to_numpy() for name in ("frame", "time_s"))
    last = clock.end(float(time_s.max(initial=0)), int(frame.max(initial=0)))
    if facts.frames is None:
        return last
    whole = clock.frame(facts.frames / facts.fps, facts.frames) if facts.fps else facts.frames
    return max(whole, last)
