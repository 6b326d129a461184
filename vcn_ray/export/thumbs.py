"""Tracks as small pictures with their time, and the Unknown ones by reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vcn_ray.export.charts import clock
from vcn_ray.export.pictures import THUMB, Pictures

UNKNOWN_PER_REASON = 60
UNKNOWN_WITHOUT_CROP_PER_REASON = 12


@dataclass(frozen=True)
class Thumb:
    """A track as a small picture with its time."""

    track_id: int
    video: str | None  # where the title has several
    time: str
    picture: str | None  # None: the track has no crop, or the page's budget is used up


@dataclass(frozen=True)
class UnknownGroup:
    """The Unknown tracks of one reason."""

    reason: str
    tracks: int
    thumbs: list[Thumb]


def thumb_of(
    track: Mapping[str, Any], pictures: Pictures, several_videos: bool, size: tuple[int, int] = THUMB
) -> Thumb:
    """A track's best crop and where it begins.

    Args:
        track: a row of `schemas.TRACKS`.
        pictures: where crops come from.
        several_videos: whether the video has to be named.
        size: pixels and JPEG quality.
    """
    video = _stem(track["video"]) if several_videos else None
    return Thumb(track["track_id"], video, clock(track["first_time_s"]), pictures.best(track["track_id"], size))


def when(track: Mapping[str, Any], several_videos: bool, end: bool = False) -> str:
    """Where a track begins, or ends: its time, behind the video's name where there are several."""
    time = clock(track["last_time_s" if end else "first_time_s"])
    return f"{_stem(track['video'])} {time}" if several_videos else time


def unknown_groups(tracks: Iterable[Mapping[str, Any]], pictures: Pictures, several_videos: bool) -> list[UnknownGroup]:
    """The Unknown tracks by reason, the most frequent first; of each group only so many are shown."""
    by_reason: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for track in tracks:
        by_reason[track["reason"] or "no reason given"].append(track)
    groups = []
    for reason, members in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        seen = [t for t in members if pictures.has(t["track_id"])][:UNKNOWN_PER_REASON]
        blind = [t for t in members if not pictures.has(t["track_id"])][:UNKNOWN_WITHOUT_CROP_PER_REASON]
        thumbs = [thumb_of(t, pictures, several_videos) for t in [*seen, *blind]]
        groups.append(UnknownGroup(reason, len(members), thumbs))
    return groups


def _stem(video: str) -> str:
    """A video's name without its ending, which is the same for all and costs room."""
    return video.rsplit(".", 1)[0] or video
