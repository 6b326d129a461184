"""What a video is: frame list, shape, orientation, colour, and whether it can be used at all.

A frame's number is the rank of its presentation time in the stream. One demuxing pass gives the times (containers lie
about frame counts), and decoding the first frames shows whether the packets' times are those of the frames; where
they are not (field pairs, hidden frames, containers without presentation times), the whole stream is decoded once.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import ColorTrc
from av.video.stream import VideoStream

from vcn_ray.errors import InputError
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.sources import media_source, open_source, source_name, stat_source

_CHECKED_FRAMES = 48
_FINGERPRINT_BYTES = 1 << 20
_NOT_FOOTAGE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_TRANSFERS = {int(ColorTrc.SMPTE2084): "pq", int(ColorTrc.ARIB_STD_B67): "hlg"}


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """All that the rest of stage 1 needs to know of a video; small, and the same wherever the file is read.

    `pts` holds the presentation times of all frames in display order, in units of `time_base` seconds; a frame's
    number is its index there. `key_pts` holds those of the key frames. `width_px` and `height_px` are of the frame as
    displayed, after rotation; its pixels are `sample_aspect_ratio` times as wide as high.
    """

    path: str
    name: str
    stream_index: int
    width_px: int
    height_px: int
    time_base: Fraction
    fps: float
    duration_s: float
    rotation_deg: int
    #: transposed, then mirrored in x, then in y: what makes the stored picture the displayed one
    orientation: tuple[bool, bool, bool]
    sample_aspect_ratio: Fraction
    interlaced: bool
    transfer: str  #: "sdr", "pq" or "hlg"
    timed: bool  #: frames carry their own times; else they are counted while decoding from the start, without seeks
    fingerprint: str
    warnings: tuple[str, ...] = ()
    version: str = ""  #: of an object in a store: once it has another one, it is not read any more
    pts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    key_pts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.pts)

    def time_s(self, frame: int) -> float:
        """Presentation time of a frame in seconds after the first frame."""
        return float((int(self.pts[frame]) - int(self.pts[0])) * self.time_base)

    def to_json(self) -> dict[str, Any]:
        """JSON-able form; the frame list is run-length coded, so that a constant rate costs a few numbers."""
        plain = asdict(self)
        plain |= {k: str(plain[k]) for k in ("time_base", "sample_aspect_ratio")}
        return plain | {"pts": _to_runs(self.pts), "key_pts": _to_runs(self.key_pts)}

    @staticmethod
    def from_json(value: dict[str, Any]) -> VideoInfo:
        """The inverse of `to_json`."""
        value = dict(value)
        value |= {k: Fraction(value[k]) for k in ("time_base", "sample_aspect_ratio")}
        value |= {k: tuple(value[k]) for k in ("orientation", "warnings")}
        return VideoInfo(**value | {"pts": _from_runs(value["pts"]), "key_pts": _from_runs(value["key_pts"])})


def _to_runs(times: np.ndarray) -> list[list[int]]:
    """[[first time], [step, count], ...]."""
    if not len(times):
        return []
    runs = [[int(step), len(list(same))] for step, same in itertools.groupby(np.diff(times).tolist())]
    return [[int(times[0])], *runs]


def _from_runs(runs: list[list[int]]) -> np.ndarray:
    if not runs:
        return np.zeros(0, np.int64)
    steps = [np.full(count, step, np.int64) for step, count in runs[1:]]
    return np.cumsum(np.concatenate([np.array(runs[0], np.int64), *steps]))


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
        stream_index = stream.index
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
    if promised_s - end_s > max(1.0, 0.02 * promised_s):
        warnings.append(
            f"{source_name(path)} ends early: its header promises {promised_s:.1f} s, frames are there up to "
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
        fingerprint=_fingerprint(path, version),
        warnings=tuple(warnings),
        version=version,
        pts=pts,
        key_pts=key_pts,
    )


def open_container(path: str | os.PathLike[str], version: str = "") -> Any:
    """Open a media file for reading, an object in this version; `InputError` in one sentence where that fails."""
    try:
        container = av.open(media_source(os.fspath(path), version), mode="r", metadata_errors="replace")
    except av.error.FFmpegError as error:
        if _lacks_index(os.fspath(path)):
            raise InputError(
                f"{path} is cut short or was never finished: the index that players need is missing; "
                "copy or export it again"
            ) from None
        raise InputError(
            f"{path} is not a video that can be read ({error.strerror or error}); "
            "check that it plays, or convert it (ffmpeg -i IN -c:v libx264 OUT.mp4)"
        ) from None
    kind = container.format.name
    if kind in ("tty", "image2") or kind.endswith("_pipe"):  # FFmpeg plays text and still pictures, too
        container.close()
        raise InputError(f"{path} is a {'text' if kind == 'tty' else 'still picture'}, not a video; leave it out")
    return container


def footage_stream(container: Any, path: str | os.PathLike[str]) -> VideoStream:
    """The first video stream that is footage, not a cover picture; `InputError` where there is none."""
    streams = [s for s in container.streams.video if not s.disposition & _NOT_FOOTAGE]
    if streams:
        return streams[0]
    kinds = "only sound" if container.streams.audio else "no video stream"
    raise InputError(f"{path} has {kinds}; give a file with moving pictures")


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


def _lacks_index(path: str) -> bool:
    """Whether a file of the MP4 and QuickTime family has no 'moov' box, which says where its frames are."""
    size = stat_source(path).size_bytes
    with open_source(path) as file:
        position = 0
        kinds: list[bytes] = []
        while position + 8 <= size and len(kinds) < 1000:
            file.seek(position)
            head = file.read(16)
            length = int.from_bytes(head[:4])
            kinds.append(head[4:8])
            if length == 1:  # a 64-bit length follows
                length = int.from_bytes(head[8:16])
            if length < 8:
                break
            position += length
    return kinds[:1] in ([b"ftyp"], [b"wide"], [b"mdat"]) and b"moov" not in kinds


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


def decode_packets(container: Any, stream: VideoStream, on_bytes: Callable[[int], None] | None = None) -> Iterator[Any]:
    """Frames of a stream from where the container stands, in display order; a damaged packet loses only itself.

    `on_bytes` hears of each packet's size.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError, OSError):
            return
        if on_bytes is not None:
            on_bytes(packet.size)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from frames


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


def _fingerprint(path: str, version: str) -> str:
    """Digest of size, head, middle and tail: changes with the content, costs three reads however long the file."""
    size = stat_source(path).size_bytes
    content = hashlib.sha256(str(size).encode())
    with open_source(path, version) as file:
        for start in sorted({0, max(0, (size - _FINGERPRINT_BYTES) // 2), max(0, size - _FINGERPRINT_BYTES)}):
            file.seek(start)
            content.update(file.read(_FINGERPRINT_BYTES))
    return content.hexdigest()[:32]
