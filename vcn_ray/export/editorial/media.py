"""The file behind a timeline: its address and its length on the clock."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from vcn_ray.export.editorial.timecode import Clock
from vcn_ray.export.finished_season import VideoFacts
from vcn_ray.export.formats.by_video import VideoTracks

_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def media_url(facts: VideoFacts) -> str:
    """A video's address, of a file as ``file:///...`` with percent signs; its name alone where no path is known."""
    if facts.path is None:
        return quote(facts.video)
    if "://" in facts.path:  # as it is, but for what no line and no XML can hold
        return _NO_TEXT.sub(lambda match: quote(match[0], errors="surrogatepass"), facts.path)
    return Path(facts.path).absolute().as_uri()


def length_of(video: VideoTracks, clock: Clock) -> int:
    """Frames of the clock that a video lasts, at least to the end of its last face."""
    facts = video.facts
    frame, time_s = (video.faces[name].to_numpy() for name in ("frame", "time_s"))
    last = clock.end(float(time_s.max(initial=0)), int(frame.max(initial=0)))
    if facts.frames is None:
        return last
    whole = clock.frame(facts.frames / facts.fps, facts.frames) if facts.fps else facts.frames
    return max(whole, last)
