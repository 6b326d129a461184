"""Small pictures of a video along its length, from its key frames, so that little of it is decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from vcn_ray.errors import InputError
from vcn_ray.tracks.container import decode_packets, open_container
from vcn_ray.tracks.decode import Picture, read_frames
from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.video_info import VideoInfo

_TICK_S = 1e-6  # times are sums and products, which may miss a frame's by a digit


def stills_of(
    path: str | os.PathLike[str], every_s: float, max_side_px: int, frames: int | None = None
) -> Iterator[tuple[float, np.ndarray]]:
    """Pictures as displayed, some `every_s` seconds: (seconds after the first frame, (h, w, 3) uint8 BGR).

    Each is the key frame before the time that is due, with its own time; where there are too few, any frame. Times
    rise, and the first is that of the first picture that can be decoded.

    Args:
        path: file or URL.
        every_s: how far apart, about.
        max_side_px: longer side of a picture.
        frames: how many the video had when it was run; None: not known.

    Raises:
        InputError: the video is not there, cannot be read, or is another one.
    """
    info = probe_video(path)
    if frames is not None and info.frames != frames:
        raise InputError(f"{path} is another video than the one that was run ({info.frames} frames, not {frames})")
    picture = Picture(info, max_side_px)
    due_s = np.arange(0, info.duration_s, every_s)
    keys = _keys_before(info, due_s)
    decoded = _at_keys(info, keys) if info.timed and 2 * len(keys) > len(due_s) else _in_one_go(info, due_s)
    for time_s, frame in decoded:
        yield time_s, picture.bgr(frame)


def _keys_before(info: VideoInfo, due_s: np.ndarray) -> np.ndarray:
    """Times of the last key frames at or before those that are due, each once, in the stream's units."""
    if not len(info.key_pts):
        return info.key_pts
    due_pts = info.pts[0] + np.round(due_s / float(info.time_base)).astype(np.int64)
    return np.unique(info.key_pts[np.maximum(np.searchsorted(info.key_pts, due_pts, side="right") - 1, 0)])


def _at_keys(info: VideoInfo, keys: np.ndarray) -> Iterator[tuple[float, object]]:
    """The key frames of these times; one that cannot be decoded is left out."""
    with open_container(info.path, info.version) as container:
        stream = container.streams[info.stream_index]
        stream.codec_context.skip_frame = "NONKEY"
        stream.thread_type = "NONE"  # several threads would have to be filled before they give the one frame
        last = None
        for key in keys.tolist():
            container.seek(key, stream=stream, backward=True)
            frame = next((frame for frame in decode_packets(container, stream) if frame.pts is not None), None)
            if frame is not None and (last is None or frame.pts > last):  # some containers miss what they seek
                last = frame.pts
                yield float((frame.pts - int(info.pts[0])) * info.time_base), frame


def _in_one_go(info: VideoInfo, due_s: np.ndarray) -> Iterator[tuple[float, object]]:
    """The first frame at or after each time that is due."""
    nth = 0
    for number, frame in read_frames(info, threads=os.cpu_count() or 1):
        time_s = info.time_s(number)
        if nth < len(due_s) and time_s >= due_s[nth] - _TICK_S:
            nth = int(np.searchsorted(due_s, time_s + _TICK_S, side="right"))
            yield time_s, frame
