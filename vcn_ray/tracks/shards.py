"""How a video is cut into shards of work. Nothing here changes the result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcn_ray.tracks.video_info import VideoInfo


@dataclass(frozen=True)
class Shard:
    """Owns the shots, and pieces of long shots, that begin in [first_frame, end_frame).

    With `starts`, what is under way at its first frame counts as a shot that begins there: the start of a part of a
    video whose beginning nobody asked for.
    """

    first_frame: int
    end_frame: int
    starts: bool = False


def plan_shards(info: VideoInfo, window_s: float) -> list[Shard]:
    """Windows of `window_s` seconds that cover the video.

    A window that holds no key frame is joined to the one before: entering there would decode all of that one again.
    A video that cannot be entered but at its start is one shard.
    """
    if not info.timed:
        return [Shard(0, info.frames)]
    ticks = max(1, round(window_s / info.time_base))
    starts = [0]
    for start_pts in range(int(info.pts[0]) + ticks, int(info.pts[-1]) + 1, ticks):
        frame = int(np.searchsorted(info.pts, start_pts))
        entered_pts = int(info.pts[starts[-1]])
        keys_between = np.searchsorted(info.key_pts, start_pts) - np.searchsorted(info.key_pts, entered_pts, "right")
        if frame > starts[-1] and keys_between > 0:
            starts.append(frame)
    return [Shard(a, b) for a, b in zip(starts, [*starts[1:], info.frames], strict=True)]
