"""Stringouts: a timeline a character of all shots that it is seen in, one behind the other, whatever the format.

A shot is a clip, from the first to the last frame in which the character is seen there. All clips of a timeline have
one rate: EDL and AAF know no other, and what is brought from one rate to another is no longer right to the frame. So
where videos have different rates, or some have drop-frame time codes, a character has a timeline for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vcn_ray.errors import OptionError
from vcn_ray.export.editorial.sources import Clip, Cut, source_of
from vcn_ray.export.editorial.timecode import Clock, count_of
from vcn_ray.export.finished_season import UNKNOWN, FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, file_names_of, one_line, told_of_videos, videos_with_tracks

#: Tracks of a character with no more between them in a shot are one clip: the face was turned away or not found.
LOST_AT_MOST_S = 1.0


@dataclass(frozen=True)
class Stringout(Cut):
    """A timeline of clips one behind the other, from 01:00:00:00."""

    @property
    def clock(self) -> Clock:
        """The timeline's own: frame 0 is the first clip's first."""
        rate, drop = self.clips[0].source.clock.rate, self.clips[0].source.clock.drop
        start, _ = count_of("01:00:00;00" if drop else "01:00:00:00", rate)
        return Clock(rate, drop, start)


def find_stringouts(season: FinishedSeason, handles_frames: int) -> tuple[list[Stringout], list[str]]:
    """The stringouts of a season's characters, the most seen first, and what to know of its videos.

    Args:
        season: or a part of one; tracks of nobody known are left out, unless it has no other.
        handles_frames: more at both ends of each clip, as far as the file goes; clips that would then show a frame
            twice are one.

    Raises:
        OptionError: handles are less than none; there are no tracks; a video's given start time code cannot be; or see
            `tracks_by_video`.
    """
    if handles_frames < 0:
        raise OptionError(f"handles_frames is {handles_frames}; give 0 or more frames")
    videos = videos_with_tracks(season)
    nobody_known = not any(name is not None for video in videos for name in video.who)
    found: dict[str, dict[tuple[Fraction, bool], list[Clip]]] = {}
    about: dict[str, list[str]] = {}
    for video in videos:
        source, remarks = source_of(video)
        for remark in remarks:
            about.setdefault(remark, []).append(video.facts.video)
        for name, spans in _seen(video, source.clock).items():
            if name is not None or nobody_known:
                clips = [Clip(source, *span) for span in with_handles(spans, handles_frames, source.frames)]
                of_rates = found.setdefault(name or UNKNOWN, {})
                of_rates.setdefault((source.clock.rate, source.clock.drop), []).extend(clips)
    stringouts = [
        Stringout(name + (_rate_text(*rate) if len(of_rates) > 1 else ""), tuple(clips))
        for name, of_rates in found.items()
        for rate, clips in of_rates.items()
    ]
    stringouts.sort(key=lambda one: -sum(clip.frames / one.clock.rate for clip in one.clips))
    return stringouts, told_of_videos(about)


def with_handles(spans: Iterable[tuple[int, int]], handles: int, frames: int) -> list[tuple[int, int]]:
    """Spans of frames (first, end), longer at both ends within a file of so many frames, in order; those that would
    then overlap are one."""
    joined: list[tuple[int, int]] = []
    for first, end in sorted(spans):
        first, end = max(0, first - handles), min(frames, end + handles)
        if joined and first < joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((first, end))
    return joined


def write_each(
    stringouts: Sequence[Stringout], path: Path, ending: str, write_one: Callable[[Stringout, Path], None]
) -> None:
    """Write a file a stringout: the file `path` for one, else a folder of this name with ``CHARACTER.ending``."""
    if len(stringouts) == 1:
        write_one(stringouts[0], path)
        return
    path.mkdir()
    for stringout, own in zip(stringouts, file_names_of([one.name for one in stringouts]), strict=True):
        write_one(stringout, path / f"{own}.{ending}")


def _seen(video: VideoTracks, clock: Clock) -> dict[str | None, list[tuple[int, int]]]:
    """Where each character is seen: (first, end) in frames of the clock, one for each time in a shot."""
    columns = (video.faces[name].to_pylist() for name in ("track_id", "shot", "time_s", "frame"))
    names = {name: None if name is None else one_line(name) for name in set(video.who)}
    tracks: dict[tuple[str | None, int, int], tuple[int, int]] = {}
    for name, track, shot, time_s, frame in zip(video.who, *columns, strict=True):
        who = names[name]
        first, end = clock.frame(time_s, frame), clock.end(time_s, frame)
        known = tracks.get((who, shot, track), (first, end))
        tracks[who, shot, track] = min(known[0], first), max(known[1], end)
    shots: dict[tuple[str | None, int], list[tuple[int, int]]] = {}
    for (who, shot, _), span in sorted(tracks.items(), key=lambda item: item[1]):
        joined = shots.setdefault((who, shot), [])
        if joined and span[0] - joined[-1][1] <= LOST_AT_MOST_S * clock.rate:
            joined[-1] = joined[-1][0], max(joined[-1][1], span[1])
        else:
            joined.append(span)
    seen: dict[str | None, list[tuple[int, int]]] = {}
    for (who, _), spans in shots.items():
        seen.setdefault(who, []).extend(spans)
    return seen


def _rate_text(rate: Fraction, drop: bool) -> str:
    return f" ({float(rate):.5g} fps{', drop-frame' if drop else ''})"
