"""Looking at a video: frame list, shape, orientation, colour, and whether it can be used at all.

A frame's number is the rank of its presentation time in the stream. One demuxing pass gives the times (containers lie
about frame counts), and decoding the first frames shows whether the packets' times are those of the frames; where
they are not (field pairs, hidden frames, containers without presentation times), the whole stream is decoded once.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorTrc
from av.video.stream import VideoStream

from vcn_ray.errors import InputError
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.sources import open_source, source_name, stat_source
from vcn_ray.tracks.container import (
    decode_packets,
    footage_stream,
    footage_streams,
    open_container,
    sound_channels,
    timecode_tag,
)
from vcn_ray.tracks.video_info import VideoInfo

_CHECKED_FRAMES = 48
_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", re.ASCII)
_FINGERPRINT_BYTES = 1 << 20
_TRANSFERS = {int(ColorTrc.SMPTE2084): "pq", int(ColorTrc.ARIB_STD_B67): "hlg"}


def probe_video(path: str | os.PathLike[str]) -> VideoInfo:
    """Read what there is to know of a video before decoding it.

    Raises `InputError`, in one sentence that names the file and the remedy, where it cannot be used. Damage that
    leaves frames to work with (a download that stopped early) is told in `VideoInfo.warnings`.
    """
    path = os.fspath(path)
    version = _check_file(path)
    warnings: list[str] = []
    with open_container(path, version) as container:
        stream = footage_stream(container, path)
        promised_s = float(container.duration / av.time_base) if container.duration else 0.0
        start_s = float(container.start_time / av.time_base) if container.start_time else 0.0
        pts, key_pts, complete = _packet_times(container, stream)
        time_base = stream.time_base or Fraction(1, 1000)
        own_s = _own_duration_s(stream, time_base) or promised_s
        stream_index = stream.index
        start_timecode = timecode_tag(container, stream)
        audio_channels = sound_channels(container)
        pictures = len(footage_streams(container))
    if pictures > 1:
        warnings.append(f"{source_name(path)} has {pictures} picture streams: the first alone is looked at")
    if not complete:
        warnings.append(f"{source_name(path)} is damaged: a part of it could not be read and is left out")
    sample = list(itertools.islice(_decoded(path, version, stream_index), _CHECKED_FRAMES))
    if not sample:
        raise InputError(
            f"{path} has a video stream but no frame of it can be decoded; "
            "check that it plays, or convert it (ffmpeg -i IN -c:v libx264 OUT.mp4)"
        )
    timed = _times_agree(pts, sample)
    if not timed:
        pts, key_pts, timed = _frame_times(path, version, stream_index, time_base, key_pts)
    duration_s = _duration_s(pts, time_base)
    end_s = float(pts[-1] * time_base) - start_s if timed else duration_s
    missing_s = min(promised_s - end_s, own_s - duration_s)  # sound may go on where the picture has ended
    if missing_s > max(1.0, 0.02 * promised_s):
        warnings.append(
            f"{source_name(path)} ends early: its header promises {end_s + missing_s:.1f} s, frames are there up to "
            f"{end_s:.1f} s; they are used, copy the file again if it should be whole"
        )
    first = sample[0]
    orientation, rotation_deg = _orientation(first)
    height, width = (first.width, first.height) if orientation[0] else (first.height, first.width)
    aspect = _sample_aspect(path, version, stream_index)
    return VideoInfo(
        path=path,
        name=source_name(path),
        stream_index=stream_index,
        width_px=width,
        height_px=height,
        time_base=time_base,
        fps=len(pts) / duration_s,
        duration_s=duration_s,
        rotation_deg=rotation_deg,
        orientation=orientation,
        sample_aspect_ratio=1 / aspect if orientation[0] else aspect,
        interlaced=sum(frame.interlaced_frame for frame in sample) * 2 > len(sample),
        transfer=_TRANSFERS.get(int(first.color_trc), "sdr"),
        timed=timed,
        fingerprint=video_fingerprint(path, version),
        warnings=tuple(warnings),
        version=version,
        start_timecode=start_timecode,
        audio_channels=audio_channels,
        pts=pts,
        key_pts=key_pts,
    )


def _check_file(url: str) -> str:
    """Refuse what is not a readable, non-empty file; the version of an object, "" of a file."""
    if is_object_url(url):
        found = stat_source(url)
        if found.size_bytes == 0:
            raise InputError(f"{url} is empty (0 bytes); copy or export it again")
        return found.version
    path = Path(url)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; give the video files in it")
        if not path.exists():
            raise InputError(f"{path} does not exist; check the path")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes); copy or export it again")
        with open(path, "rb") as file:
            file.read(1)
        return ""
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise InputError(f"{path} cannot be read: permission denied; change its permissions") from None
        raise InputError(f"{path} cannot be read: {error.strerror}; check the disk or copy it again") from None


def _own_duration_s(stream: Any, time_base: Fraction) -> float:
    """What the file says of this stream alone, Matroska in a tag; 0.0 where it does not."""
    if stream.duration:
        return float(stream.duration * time_base)
    found = _DURATION_TAG.match(stream.metadata.get("DURATION", ""))
    return sum(float(part) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0.0


def _packet_times(container: Any, stream: VideoStream) -> tuple[np.ndarray, np.ndarray, bool]:
    """Sorted presentation times of all packets (empty where some have none) and of key frames; whether all was read."""
    times: list[int] = []
    keys: list[int] = []
    untimed = False
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:  # discarded: decoded for others' sake, outside of the edit list
                continue
            if packet.pts is None:
                untimed = True
                continue
            times.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
        complete = True
    except (av.error.FFmpegError, OSError):
        complete = False
    pts = np.unique(np.array([] if untimed else times, np.int64))
    return pts, np.unique(np.array(keys, np.int64)), complete


def _decoded(path: str, version: str, stream_index: int) -> Iterator[Any]:
    """Frames from the start, damaged packets skipped."""
    with open_container(path, version) as container:
        stream = container.streams[stream_index]
        stream.thread_type = "NONE"
        yield from decode_packets(container, stream)


def _times_agree(pts: np.ndarray, sample: list[Any]) -> bool:
    """Whether the first decoded frames are the first of the packets' times, each once and in order."""
    times = [frame.pts for frame in sample]
    return times == pts[: len(times)].tolist()


def _frame_times(
    path: str, version: str, stream_index: int, time_base: Fraction, key_pts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Frame list by decoding: the frames' times where they rise strictly, else a count at the average rate."""
    with open_container(path, version) as container:
        stream = container.streams[stream_index]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        times = [frame.pts for frame in decode_packets(container, stream)]
    if None not in times and all(a < b for a, b in itertools.pairwise(times)):
        pts = np.array(times, np.int64)
        return pts, key_pts[np.isin(key_pts, pts)], True
    step = max(1, round(1 / (rate * time_base)))
    return np.arange(len(times), dtype=np.int64) * step, np.zeros(0, np.int64), False


def _duration_s(pts: np.ndarray, time_base: Fraction) -> float:
    """Time from the first frame to the end of the last, which is taken to last as long as the median frame."""
    step = float(np.median(np.diff(pts))) if len(pts) > 1 else float(1 / (25 * time_base))
    return float((int(pts[-1]) - int(pts[0]) + max(step, 1.0)) * time_base)


def _orientation(frame: Any) -> tuple[tuple[bool, bool, bool], int]:
    """How the stored picture becomes the displayed one, from the display matrix: ((transpose, x, y), degrees).

    The matrix maps stored to displayed points, x' = a x + c y and y' = b x + d y (16.16 fixed point).
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return (False, False, False), 0
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return (True, c < 0, b < 0), round(frame.rotation)
    return (False, a < 0, d < 0), round(frame.rotation)


def _sample_aspect(path: str, version: str, stream_index: int) -> Fraction:
    """Width of a stored pixel over its height; 1 where the file does not say or says nonsense."""
    with open_container(path, version) as container:
        aspect = container.streams[stream_index].sample_aspect_ratio
    if not aspect or not Fraction(1, 4) <= aspect <= 4:
        return Fraction(1)
    return Fraction(aspect)


def video_fingerprint(path: str, version: str = "") -> str:
    """Digest of size, head, middle and tail: changes with the content, costs three reads however long the file."""
    size = stat_source(path).size_bytes
    content = hashlib.sha256(str(size).encode())
    with open_source(path, version) as file:
        for start in sorted({0, max(0, (size - _FINGERPRINT_BYTES) // 2), max(0, size - _FINGERPRINT_BYTES)}):
            file.seek(start)
            content.update(file.read(_FINGERPRINT_BYTES))
    return content.hexdigest()[:32]
