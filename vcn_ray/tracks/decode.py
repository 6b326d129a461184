"""Frames by number, the same bytes whether the stream was read from its start or entered by a seek."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from vcn_ray.errors import InputError
from vcn_ray.tracks.container import decode_packets, open_container
from vcn_ray.tracks.video_info import VideoInfo

#: Averages when it shrinks, so that fine patterns do not alias. (Accurate rounding would cost eight times as much.)
_SCALING = Interpolation.AREA | Interpolation.BITEXACT
#: Of this format a rectangle with even corners becomes, pixel for pixel, what it is in the whole picture.
_CUTTABLE_FORMAT = "yuv420p"
_SDR_WHITE_NITS = 203.0  # ITU-R BT.2408: reference white of HDR programmes
_PEAK_NITS = 1000.0


def read_frames(
    info: VideoInfo, first_frame: int = 0, threads: int = 1, on_bytes: Callable[[int], None] | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield (number, `av.VideoFrame`) for the frames from `first_frame` on, numbers rising.

    A seek enters one key frame before the one needed, since frames after a key frame may lean on the group before it
    (open GOP). A number is left out where its frame cannot be decoded. `threads` is the decoder's; `on_bytes` hears of
    the size of each packet that is read.
    """
    if not info.timed:
        yield from ((n, frame) for n, frame in enumerate(_decode(info, None, threads, on_bytes)) if n >= first_frame)
        return
    wanted_pts = int(info.pts[first_frame])
    entry = bisect_right(info.key_pts, wanted_pts) - 2
    back = 1
    while True:
        start_pts = int(info.key_pts[entry]) if entry > 0 and first_frame > 0 else None
        frames = _numbered(info, _decode(info, start_pts, threads, on_bytes))
        first = next(frames, None)
        # Some containers seek past their target: without a frame before the first wanted one, enter further back.
        if start_pts is None or (first is not None and first[0] < first_frame):
            break
        back *= 4
        entry -= back
    if first is not None and first[0] >= first_frame:
        yield first
    yield from ((n, frame) for n, frame in frames if n >= first_frame)


def _decode(
    info: VideoInfo, start_pts: int | None, threads: int, on_bytes: Callable[[int], None] | None
) -> Iterator[Any]:
    """Frames in display order from the start, or from the key frame at or before a time."""
    with open_container(info.path, info.version) as container:
        stream = container.streams[info.stream_index]
        stream.thread_type = "AUTO" if threads > 1 else "NONE"
        stream.codec_context.thread_count = threads
        if start_pts is not None:
            container.seek(start_pts, stream=stream, backward=True)
        yield from decode_packets(container, stream, on_bytes)


def _numbered(info: VideoInfo, frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    """Frames with their rank in the frame list; those that are not in it or come twice are left out."""
    last = -1
    for frame in frames:
        if frame.pts is None:
            continue
        number = int(np.searchsorted(info.pts, frame.pts))
        if last < number < info.frames and info.pts[number] == frame.pts:
            last = number
            yield number, frame


@dataclass(frozen=True)
class Region:
    """A rectangle of a decoded frame that becomes a picture when it is asked for, which most are not."""

    packed: np.ndarray  # (3/2 h, w) uint8, 4:2:0 planes one behind the other
    colours: tuple[Any, Any]  # the frame's colour space and range
    inset: tuple[int, int]  # x, y in it of the corner that was asked for
    size: tuple[int, int]  # width and height that were asked for

    def bgr(self) -> np.ndarray:
        """(h, w, 3) uint8, the same as there in `Picture.bgr` of the whole frame."""
        frame = av.VideoFrame.from_ndarray(self.packed, format=_CUTTABLE_FORMAT)
        frame.colorspace, frame.color_range = self.colours
        whole = VideoReformatter().reformat(frame, format="bgr24", interpolation=_SCALING, threads=1).to_ndarray()
        (x, y), (width, height) = self.inset, self.size
        return whole[y : y + height, x : x + width]


class Picture:
    """Turns decoded frames into pictures as displayed: upright, with square pixels, 8-bit BGR, at one fixed size.

    `width_px` x `height_px` is the displayed shape, scaled down to `max_side_px` on its longer side (None: not scaled).
    `scale` holds (x, y): the picture's pixels per pixel of the displayed source frame.
    """

    def __init__(self, info: VideoInfo, max_side_px: int | None = None):
        wide, high = float(info.width_px * info.sample_aspect_ratio), float(info.height_px)
        shrink = min(1.0, max_side_px / max(wide, high)) if max_side_px else 1.0
        self.width_px, self.height_px = max(1, round(wide * shrink)), max(1, round(high * shrink))
        self.scale = np.array([self.width_px / info.width_px, self.height_px / info.height_px])
        self._info = info
        self._curve = _tone_curve(info.transfer)
        self._reformatter = VideoReformatter()

    @property
    def bgr_size(self) -> tuple[int, int]:
        """(width, height) of what `bgr` returns."""
        return self.width_px, self.height_px

    def bgr(self, frame: Any) -> np.ndarray:
        """(height_px, width_px, 3) uint8 of a frame."""
        transposed, mirrored_x, mirrored_y = self._info.orientation
        size = (self.height_px, self.width_px) if transposed else (self.width_px, self.height_px)
        if self._info.interlaced:
            # Both fields of a moving face make a comb; one field, stretched, is a clean picture of half the height.
            whole = self._reformatter.reformat(frame, format="bgr24", interpolation=_SCALING, threads=1)
            picture = cv2.resize(whole.to_ndarray()[::2], size, interpolation=cv2.INTER_AREA)
        else:
            picture = self._reformatter.reformat(
                frame, width=size[0], height=size[1], format="bgr24", interpolation=_SCALING, threads=1
            ).to_ndarray()
        if transposed:
            picture = picture.transpose(1, 0, 2)
        picture = picture[:: -1 if mirrored_y else 1, :: -1 if mirrored_x else 1]
        if self._curve is not None:
            picture = cv2.LUT(np.ascontiguousarray(picture), self._curve)
        return np.ascontiguousarray(picture)

    def region(self, frame: Any, low: np.ndarray, high: np.ndarray) -> Region | None:
        """A rectangle of what `bgr` gives of the frame, from the corner `low` (x, y) up to `high`, some of it inside.

        None where it could not be told from the rectangle alone: scaled, turned, interlaced or HDR pictures, odd sides,
        and formats that have not been tried.
        """
        shape = self.width_px, self.height_px
        plain = self._info.orientation == (False, False, False) and not self._info.interlaced and self._curve is None
        if not plain or frame.format.name != _CUTTABLE_FORMAT or (frame.width, frame.height) != shape:
            return None
        if shape[0] % 2 or shape[1] % 2:
            return None
        x, y = (int(low[k]) - int(low[k]) % 2 for k in range(2))
        right, below = (min(shape[k], int(high[k]) + int(high[k]) % 2) for k in range(2))
        parts = []
        for plane, step in zip(frame.planes, (1, 2, 2), strict=True):
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            parts.append(rows[y // step : below // step, x // step : right // step].reshape(-1))
        return Region(
            np.concatenate(parts).reshape(-1, right - x),
            (frame.colorspace, frame.color_range),
            (int(low[0]) - x, int(low[1]) - y),
            (min(shape[0], int(high[0])) - int(low[0]), min(shape[1], int(high[1])) - int(low[1])),
        )


def _tone_curve(transfer: str) -> np.ndarray | None:
    """256-entry table from HDR code values to display code values, None for SDR.

    Reinhard's curve on each channel, reference white to about three quarters of the range: no colour science, but
    faces look as in SDR footage, which is what the models know.
    """
    if transfer == "sdr":
        return None
    code = np.arange(256) / 255
    if transfer == "pq":  # SMPTE ST 2084
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        root = code ** (1 / m2)
        nits = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    elif transfer == "hlg":  # ITU-R BT.2100, with its system gamma of 1.2
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        nits = _PEAK_NITS * scene**1.2
    else:
        raise InputError(f"unknown transfer function {transfer!r}; use one of sdr, pq, hlg")
    light = nits / _SDR_WHITE_NITS
    white = _PEAK_NITS / _SDR_WHITE_NITS
    shown = np.clip(light * (1 + light / white**2) / (1 + light), 0, 1)
    return np.round(255 * shown ** (1 / 2.2)).astype(np.uint8)
