"""What formats for labelling and training ask of a video, whose numbers they are in."""

from __future__ import annotations

from vcn_ray.errors import OptionError
from vcn_ray.export.formats.by_video import VideoTracks


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
        f"{video.facts.video}: this format has the video's {what} in it, which are no longer known, as the working data "
        f"of title {video.facts.title!r} (its folder work/) is gone; run the season again, or export mot or csv"
    )
