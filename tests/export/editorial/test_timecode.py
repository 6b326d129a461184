"""Clocks: rates are told apart however they were measured, time codes are what a table of them says."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.timecodes import counted, shown

from vcn_ray.errors import OptionError
from vcn_ray.export.editorial.timecode import DROP_RATES, RATES, Clock, count_of
from vcn_ray.export.finished_season import VideoFacts
from vcn_ray.export.formats.by_video import VideoTracks

NTSC = Fraction(1000, 1001)


def _video(times_s: np.ndarray, faces: list[int] | None = None, **facts: object) -> VideoTracks:
    """A video of frames at these times, with a face in some; its rate is measured as a probe does."""
    frames = np.arange(len(times_s)) if faces is None else np.array(faces)
    step = float(np.median(np.diff(times_s)))
    known = {"frames": len(times_s), "fps": len(times_s) / (times_s[-1] - times_s[0] + step), "start_timecode": ""}
    table = pa.table({"frame": frames, "time_s": times_s[frames]})
    return VideoTracks(VideoFacts("t", "a.mp4", **(known | facts)), "a.mp4", table, [None] * len(frames))


def _steady(rate: Fraction, length: int, base: int, **facts: object) -> VideoTracks:
    """At a constant rate, in a container that counts so many ticks a second."""
    return _video(np.round(np.arange(length) / float(rate) * base) / base, **facts)


CLOCKS = [*((rate, False) for rate in RATES), *((rate, True) for rate in DROP_RATES)]


@given(st.sampled_from(CLOCKS), st.integers(0, 24 * 3600 * 60 - 1), st.integers(0, 24 * 3600 * 60 - 1))
def test_time_codes_are_those_of_the_standard(clock: tuple[Fraction, bool], start: int, frame: int) -> None:
    rate, drop = clock
    day = 24 * 6 * (600 * round(rate) - (9 * (round(rate) // 15) if drop else 0))
    start %= day
    code = Clock(rate, drop, start).timecode(frame)
    assert code == shown((start + frame) % day, rate, drop)
    assert count_of(code, rate) == ((start + frame) % day, drop)
    assert counted(code, rate) == (start + frame) % day


def test_drop_frame_keeps_up_with_the_clock_on_the_wall() -> None:
    for rate in DROP_RATES:
        hour_s = count_of("01:00:00;00", rate)[0] / float(rate)
        assert abs(hour_s - 3600) < 0.005
    assert count_of("00:01:00;02", DROP_RATES[0])[0] == 1800
    assert count_of("00:01:00;04", DROP_RATES[1])[0] == 3600
    assert count_of("00:10:00;00", DROP_RATES[0])[0] == 17982


def test_time_codes_begin_again_after_a_day() -> None:
    assert Clock(Fraction(25), False, count_of("23:59:59:24", Fraction(25))[0]).timecode(1) == "00:00:00:00"
    drop = DROP_RATES[0]
    assert Clock(drop, True, count_of("23:59:59;29", drop)[0]).timecode(1) == "00:00:00;00"


@pytest.mark.parametrize("frames", [75, 300, 20_000])
@pytest.mark.parametrize("base", [1000, 90_000, 30_000])
@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{float(rate):.5g}")
def test_a_rate_is_told_from_its_neighbour(rate: Fraction, base: int, frames: int) -> None:
    clock = Clock.of(_steady(rate, frames, base))
    assert (clock.rate, clock.conformed, clock.frames_each) == (rate, False, 1)
    assert clock.frame(999.0, 7) == 7
    # also where the working data is gone and faces alone tell
    assert Clock.of(_steady(rate, frames, base, fps=None, frames=None)).rate == rate


def test_a_clip_of_a_few_frames_is_of_a_usual_rate_and_its_time_code_says_which() -> None:
    for rate in DROP_RATES:
        assert Clock.of(_steady(rate, 10, 1000, start_timecode="10:00:00;00")).rate == rate
    for rate in RATES:
        clock = Clock.of(_steady(rate, 6, 1000))
        assert not clock.conformed
        assert abs(clock.rate / rate - 1) < 0.002


@pytest.mark.parametrize(
    ("source", "rate", "each"),
    [(15, 30, 2), (12.5, 25, 2), (10, 30, 3), (100, 50, 1), (120 * NTSC, 60 * NTSC, 1), (15 * NTSC, 30 * NTSC, 2)],
)
def test_rates_without_time_codes_are_placed_by_time(source: float, rate: float, each: int) -> None:
    clock = Clock.of(_steady(Fraction(source), 500, 90_000))
    assert (clock.rate, clock.conformed, clock.frames_each) == (Fraction(rate), True, each)
    assert clock.frame(4.0, 60) == round(4 * rate)
    assert clock.end(4.0, 60) == round(4 * rate) + each
    assert "no time code counts" in clock.remarks[0]


def test_a_variable_rate_is_placed_by_time() -> None:
    steps = np.where(np.arange(2000) % 700 < 150, 1 / 20, 1 / 30)  # darker scenes have fewer
    times = np.cumsum(steps) - steps[0]
    for faces in (None, list(range(140, 400, 7))):
        clock = Clock.of(_video(times, faces))
        assert (clock.rate, clock.conformed, clock.drop) == (Fraction(25), True, False)
        assert "variable rate, 26.9" in clock.remarks[0]
        assert [clock.frame(time, n) for n, time in enumerate(times)] == [round(time * 25) for time in times]
        assert all(0 <= b - a <= 2 for a, b in pairwise(clock.frame(time, n) for n, time in enumerate(times)))
    drop = Clock.of(_video(times * 0.9, start_timecode="10:00:00;00"))
    assert (drop.rate, drop.drop, drop.timecode(0)) == (DROP_RATES[0], True, "10:00:00;00")


def test_frames_lost_in_a_recording_leave_the_others_where_they_were() -> None:
    times = np.delete(np.arange(3000) / 25, slice(1000, 1040))
    clock = Clock.of(_video(times))
    assert (clock.rate, clock.conformed) == (Fraction(25), True)
    assert clock.frame(times[2000], 2000) == 2040


@pytest.mark.parametrize(
    ("rate", "code", "why"),
    [
        (25, "10:00:00;00", "is for 29.97 and 59.94 frames a second, and these are 25"),
        (24 * NTSC, "10:00:00;00", "these are 23.976"),
        (25, "00:00:00:25", "no such time code at 25"),
        (25, "24:00:00:00", "no such"),
        (25, "00:61:00:00", "no such"),
        (25, "00:00:60:00", "no such"),
        (30 * NTSC, "00:01:00;01", "drop-frame leaves it out"),
        (60 * NTSC, "00:01:00;03", "drop-frame leaves it out"),
        (25, "10:00", "as 10:00:00:00"),
        (25, "<b>=1+1", "as 10:00:00:00"),
        (25, "١٠:00:00:00", "as 10:00:00:00"),
    ],
)
def test_impossible_start_codes(rate: Fraction, code: str, why: str) -> None:
    facts = {"start_timecode": code}
    clock = Clock.of(_steady(Fraction(rate), 100, 90_000, **facts))
    assert (clock.timecode(0), clock.drop) == ("00:00:00:00", False)
    assert why in clock.remarks[0]
    with pytest.raises(OptionError, match=r"--start-timecode .* cannot be that of a.mp4: ") as error:
        Clock.of(_steady(Fraction(rate), 100, 90_000, timecode_given=True, **facts))
    assert why in str(error.value)


def test_start_codes() -> None:
    def remarks(rate: Fraction, code: str | None) -> tuple[str, ...]:
        return Clock.of(_steady(rate, 100, 90_000, start_timecode=code)).remarks

    assert remarks(Fraction(25), "10:00:00:00") == remarks(Fraction(25), "") == ()
    assert remarks(DROP_RATES[0], "10:00:00;00") == remarks(DROP_RATES[0], "10;00;00.00") == ()
    assert "non-drop" in remarks(DROP_RATES[0], "")[0]
    assert "is not known" in remarks(Fraction(25), None)[0]
    clock = Clock.of(_steady(Fraction(24), 100, 90_000, start_timecode="10:00:00:00"))
    assert clock.timecode(24) == "10:00:01:00"
    assert clock.time(24).to_seconds() == 36_001
