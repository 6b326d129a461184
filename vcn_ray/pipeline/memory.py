"""Memory of one task, by what it works on: what Ray is asked to keep free for it, so that no machine runs out.

Measured on video full of faces (docs/clusters.md, "What a machine needs"), a quarter on top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for light workers
    from vcn_ray.tracks.video_info import VideoInfo

_MARGIN = 1.25

#: Of a task that computes cached views: the libraries, and a chunk of crops in all their views.
VIEWS_MEMORY_BYTES = 1_000_000_000


def shard_memory_bytes(info: VideoInfo) -> int:
    """Of a task that extracts a shard of the video: the libraries, and frames that wait for their verdict.

    Measured at 640x360, 1920x1080 and 3840x2160.
    """
    from vcn_ray.tracks.shots import context_frames

    frame_bytes = info.width_px * info.height_px * (1.5 if info.transfer == "sdr" else 3.0)
    return round(_MARGIN * (500_000_000 + (2 * context_frames(info.fps) + 32) * frame_bytes))


def title_memory_bytes(minutes: float) -> int:
    """Of a task that joins a title's tracks or writes its results: the libraries, and the title's crops.

    minutes: length of its videos. Measured on 10 and 60 minutes.
    """
    return round(_MARGIN * (700_000_000 + 10_000_000 * minutes))
