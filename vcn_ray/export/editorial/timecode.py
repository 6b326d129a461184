"""A video's clock as editing programs have it: a constant rate, a start time code, drop-frame or not.

Time codes are those of SMPTE ST 12-1, whose arithmetic is OpenTimelineIO's. A rate is one of theirs, or the video is
placed by time on a clock of one ("conformed"), as Resolve, Premiere and Final Cut do when such a file is put on a
timeline.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from opentimelineio import opentime

from vcn_ray.errors import OptionError
from vcn_ray.export.formats.by_video import VideoTracks

_NTSC = Fraction(1000, 1001)
#: Frames a second that time codes can count.
RATES = tuple(sorted([Fraction(n) for n in (24, 25, 30, 48, 50, 60)] + [n * _NTSC for n in (24, 30, 48, 60)]))
#: Those with drop-frame time codes: 2 or 4 numbers a minute are left out, except in every tenth.
DROP_RATES = (30 * _NTSC, 60 * _NTSC)
# Others that cameras and screen recorders write; 0.1 % apart where at all, and told from each other like RATES.
_OTHER_RATES = [Fraction(n) for n in (5, 10, 12, 15, 20, 90, 100, 120, 144, 240)] + [Fraction(25, 2)]
_OTHER_RATES += [n * _NTSC for n in (12, 15, 120, 240)]
# How far a measured duration may be off: Matroska rounds times to milliseconds, at both ends.
_ROUNDING_S, _ROUNDING_SHARE = 0.002, 0.0004
# What nobody can measure: no rate is known and no face is later than the first frame.
_ASSUMED = Fraction(25)
_CODE = re.compile(r"(\d\d)[:;](\d\d)[:;](\d\d)([:;.,])(\d\d)", re.ASCII)


@dataclass(frozen=True)
class Clock:
    """Which frame is where, and under which time code; frames count from 0, the video's first.

    `remarks` are sentences about the video that whoever exports should know; they go on after its name.
    """

    rate: Fraction  # frames a second, of `RATES`
    drop: bool = False
    start_frame: int = 0  # of the first frame, counted from 00:00:00:00
    conformed: bool = False  # frames do not come at this rate: they are placed by their time
    frames_each: int = 1  # of this clock, that a frame of the video lasts
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, video: VideoTracks) -> Clock:
        """A video's clock; `OptionError` where a user's start time code cannot be that of its first frame."""
        code = video.facts.start_timecode
        source, measured = _source_rate(video, prefers_drop=bool(code and _is_drop(code)))
        rate, frames_each, remarks = source, 1, []
        if rate is None:
            rate = _nearest(measured, prefers_drop=bool(code and _is_drop(code)))
            remarks.append(
                f"frames come at a variable rate, {_shown(measured)} a second on average: they are placed by their "
                f"time on a clock of {_shown(rate)}, as editing programs do"
            )
        elif rate not in RATES:
            rate, frames_each = _related(rate)
            remarks.append(
                f"no time code counts {_shown(measured)} frames a second: they are placed by their time on a clock of "
                f"{_shown(rate)}"
            )
        start, drop, remark = _start(video, rate)
        return cls(rate, drop, start, rate != source, frames_each, (*remarks, *remark))

    def frame(self, time_s: float, frame: int) -> int:
        """The number on this clock of a frame of the video: its own, or the nearest to its time where conformed."""
        return round(time_s * self.rate) if self.conformed else frame

    def end(self, time_s: float, frame: int) -> int:
        """The number on this clock of what follows a frame of the video: the end, exclusive, of what it closes."""
        return self.frame(time_s, frame) + self.frames_each

    def timecode(self, frame: int) -> str:
        """Of a frame, ``10:00:00:00`` or ``10:00:00;00`` where drop-frame; 00:00:00:00 follows after 24 hours."""
        count = (self.start_frame + frame) % _frames_a_day(self.rate, self.drop)
        rate = _counted(self.rate, self.drop)
        return opentime.to_timecode(opentime.RationalTime(count, rate), rate, self.drop)

    def time(self, frame: int) -> opentime.RationalTime:
        """Of a frame, from 00:00:00:00; it goes on after 24 hours, so that what is later is more."""
        return opentime.RationalTime(self.start_frame + frame, float(self.rate))


def count_of(code: str, rate: Fraction) -> tuple[int, bool]:
    """Frames from 00:00:00:00 to a time code, and whether it is drop-frame: written with ';', '.' or ',' before frames.

    Args:
        code: as HH:MM:SS:FF.
        rate: frames a second, of `RATES`.

    Raises:
        ValueError: there is no such time code at this rate; the message says why.
    """
    parts = _CODE.fullmatch(code.strip())
    if parts is None:
        raise ValueError("a time code is as 10:00:00:00, or 10:00:00;00 where drop-frame")
    hours, minutes, seconds, separator, frames = parts.groups()
    drop = separator != ":"
    if drop and rate not in DROP_RATES:
        known = " and ".join(_shown(one) for one in DROP_RATES)
        raise ValueError(f"drop-frame, with ';', is for {known} frames a second, and these are {_shown(rate)}")
    plain = f"{hours}:{minutes}:{seconds}{';' if drop else ':'}{frames}"
    count = opentime.from_timecode(plain, _counted(rate, drop)).to_frames() if int(frames) < math.ceil(rate) else -1
    # OpenTimelineIO counts also what no clock shows, such as 00:01:00;00 or 00:61:00:00
    if not 0 <= count < _frames_a_day(rate, drop) or Clock(rate, drop, count).timecode(0) != plain:
        left_out = ": drop-frame leaves it out" if drop and seconds == "00" and frames < "04" else ""
        raise ValueError(f"there is no such time code at {_shown(rate)} frames a second{left_out}")
    return count, drop


def _start(video: VideoTracks, rate: Fraction) -> tuple[int, bool, list[str]]:
    """Count of the first frame, whether drop-frame, and what to know of it."""
    code = video.facts.start_timecode
    if video.facts.timecode_given or code:
        try:
            return *count_of(code or "", rate), []
        except ValueError as error:
            if video.facts.timecode_given:
                raise OptionError(f"--start-timecode {code!r} cannot be that of {video.facts.video}: {error}") from None
            return 0, False, [f"its time code {code!r} cannot be: {error}; its first frame is taken for 00:00:00:00"]
    if code is None:
        return (
            0,
            False,
            [
                "its start time code is not known, as the file has gone or changed: its first frame is taken for "
                "00:00:00:00; say another with --start-timecode"
            ],
        )
    if rate in DROP_RATES:  # a file says so where its time codes are drop-frame, so without any they are not
        return (
            0,
            False,
            [
                "it has no time code: its first frame is taken for 00:00:00:00, non-drop; where your timeline is "
                "drop-frame, give --start-timecode '00:00:00;00'"
            ],
        )
    return 0, False, []


def _source_rate(video: VideoTracks, prefers_drop: bool) -> tuple[Fraction | None, float]:
    """The constant rate at which a video's frames come, None where there is none; and the rate as measured."""
    frame, time_s = (video.faces[name].to_numpy() for name in ("frame", "time_s"))
    fps, frames = video.facts.fps, video.facts.frames or int(frame.max(initial=0)) + 1
    if fps is None:  # what the faces' own times say
        frames = int(np.ptp(frame)) or int(frame.max(initial=0))
        span_s = float(np.ptp(time_s)) or float(time_s.max(initial=0))
        if not frames or not span_s:
            return _ASSUMED, float(_ASSUMED)
        fps = frames / span_s
    rate = _snapped(fps, frames, prefers_drop)
    off_s = np.abs(frame / float(rate) - time_s).max(initial=0)
    # an average of different frames is no rate, even where few faces happen to be near it
    tolerance_s = 0.5 / rate if rate in RATES else 0.0025
    return (rate if off_s < tolerance_s else None), fps


def _snapped(fps: float, frames: int, prefers_drop: bool) -> Fraction:
    """The rate that a measured one is, a usual one if so many frames may have taken as long but for rounding."""

    def off_s(rate: Fraction) -> float:
        return abs(frames / float(rate) - frames / fps)

    near_s = max(_ROUNDING_S, _ROUNDING_SHARE * frames / fps)
    usual = [rate for rate in (*RATES, *_OTHER_RATES) if off_s(rate) < near_s]
    if usual:
        return min(usual, key=lambda rate: (prefers_drop and rate not in DROP_RATES, off_s(rate)))
    return Fraction(fps).limit_denominator(1001)


def _nearest(fps: float, prefers_drop: bool) -> Fraction:
    """The rate of time codes that is nearest to an average, by their ratio."""
    rates = [rate for rate in DROP_RATES if prefers_drop and abs(math.log(rate / fps)) < 0.1] or RATES
    return min(rates, key=lambda rate: abs(math.log(rate / fps)))


def _related(rate: Fraction) -> tuple[Fraction, int]:
    """The rate of time codes for a constant one that is none, a multiple if there is one; and frames of it for one."""
    slower = [one for one in RATES if (one / rate).denominator == 1]
    faster = [one for one in RATES if (rate / one).denominator == 1]
    best = slower[0] if slower else faster[-1] if faster else _nearest(float(rate), prefers_drop=False)
    return best, max(1, round(best / rate))


def _frames_a_day(rate: Fraction, drop: bool) -> int:
    """Time codes from 00:00:00:00 to 24 hours: drop-frame leaves out 18 in ten minutes at 29.97, 36 at 59.94."""
    whole = math.ceil(rate)
    return 24 * 6 * (600 * whole - (18 * (whole // 30) if drop else 0))


def _counted(rate: Fraction, drop: bool) -> float:
    """The rate by which OpenTimelineIO counts time codes: the whole one unless drop-frame.

    At 29.97 it begins again after a drop-frame day also where it drops nothing, which is 86 seconds early.
    """
    return float(rate) if drop else float(math.ceil(rate))


def _is_drop(code: str) -> bool:
    parts = _CODE.fullmatch(code.strip())
    return parts is not None and parts[4] != ":"


def _shown(rate: Fraction | float) -> str:
    return f"{float(rate):.5g}"
