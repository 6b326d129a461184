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
    """Number of each name, in order; of a name that two members of the cast have, the lower of theirs."""
    numbers: dict[str, int] = {}
    for video in videos:
        for who, cast_id in zip(video.who, video.faces["cast_id"].to_pylist(), strict=True):
            name = who or UNKNOWN
            number = _UNKNOWN_NUMBER if cast_id is None else _FIRST_CAST_NUMBER + cast_id
            numbers[name] = min(number, numbers.get(name, number))
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
