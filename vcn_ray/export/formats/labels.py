"""What formats for labelling and training have in common: numbered names, and what they must know of a video."""

from __future__ import annotations

from collections.abc import Iterable

from vcn_ray.errors import OptionError
from vcn_ray.export.finished_season import UNKNOWN
from vcn_ray.export.formats.by_video import VideoTracks

# They count from 1, 0 is the background to many. So the same number means the same member of the cast in all exports
# of a season, of one title or another.
_UNKNOWN_NUMBER, _FIRST_CAST_NUMBER = 1, 2


def numbered_names(videos: Iterable[VideoTracks]) -> dict[str, int]:
    """A number for each name, in order: the member's of the cast, so far as nobody else has it."""
    members: dict[str, int] = {}
    for video in videos:
        for who, cast_id in zip(video.who, video.faces["cast_id"].to_pylist(), strict=True):
            members.setdefault(who or UNKNOWN, _UNKNOWN_NUMBER if cast_id is None else _FIRST_CAST_NUMBER + cast_id)
    numbers: dict[str, int] = {}
    for name, number in sorted(members.items(), key=lambda item: (item[1], item[0] != UNKNOWN)):
        numbers[name] = number if number not in numbers.values() else max(*members.values(), *numbers.values()) + 1
    return dict(sorted(numbers.items(), key=lambda item: item[1]))


def known_size(video: VideoTracks) -> tuple[int, int]:
    """Width and height in pixels; `OptionError` where they are not known."""
    if video.size is None:
        raise OptionError(_gone(video, "width and height"))
    return video.size


def known_rate(video: VideoTracks) -> tuple[float, int]:
    """Frames a second, and how many there are; `OptionError` where they are not known."""
    fps, frames = video.facts.fps, video.facts.frames
    if fps is None or frames is None:
        raise OptionError(_gone(video, "frame rate and length"))
    return fps, frames


def _gone(video: VideoTracks, what: str) -> str:
    return (
        f"{video.facts.video}: this format holds the video's {what}, which are no longer known, as the working data "
        f"of title {video.facts.title!r} (its folder work/) is gone; run the season again, or export mot or csv"
    )
