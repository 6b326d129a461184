"""What the frames of a video are encoded as: its own pixels where a player can take them, upright, with its colours."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import Colorspace, VideoReformatter

from vcn_ray.tracks.video_info import VideoInfo


class PictureFormat:
    """8-bit 4:2:0 as H.264, which everything plays; HDR as 10-bit HEVC, as it is delivered.

    Args:
        frame: the first one as decoded.
        info: of the video.
    """

    def __init__(self, frame: Any, info: VideoInfo):
        self.hdr = info.transfer != "sdr"
        self.codec = "libx265" if self.hdr else "libx264"
        full = frame.format.name.startswith("yuvj")
        self.pixels = "yuv420p10le" if self.hdr else "yuvj420p" if full else "yuv420p"
        self.width_px, self.height_px = info.width_px // 2 * 2, info.height_px // 2 * 2
        aspect = info.sample_aspect_ratio
        self.sample_aspect_ratio = aspect
        self.colours = {
            "color_range": frame.color_range,
            "color_primaries": frame.color_primaries,
            "color_trc": frame.color_trc,
            "colorspace": frame.colorspace,
        }
        self._matrix = None
        if frame.format.is_rgb:
            self._matrix = Colorspace.ITU709
            self.colours |= {"color_range": 1, "colorspace": int(Colorspace.ITU709)}
        self._turn = info.orientation
        shown = info.width_px, info.height_px
        self._decoded_size = shown[::-1] if self._turn[0] else shown
        self._reformatter = VideoReformatter()

    def convert(self, frame: Any) -> Any:
        """The frame in this format, one that may be written to: the decoder's own is left as it is."""
        resized = (frame.width, frame.height) != self._decoded_size  # in mid-film; boxes are in pixels of one size
        if resized or frame.format.name != self.pixels:
            frame = self._reformatter.reformat(
                frame, *self._decoded_size, format=self.pixels, dst_colorspace=self._matrix, threads=1
            )
        turned = self._turn != (False, False, False)
        if turned or (frame.width, frame.height) != (self.width_px, self.height_px):
            frame = self._upright(frame)
        frame.make_writable()
        frame.pict_type = PictureType.NONE  # the encoder would take it for an order
        return frame

    def _upright(self, frame: Any) -> Any:
        """A copy as displayed, without the last row or column of an odd one."""
        transposed, mirrored_x, mirrored_y = self._turn
        made = av.VideoFrame(self.width_px, self.height_px, self.pixels)
        planes: Any = zip(frame.planes, made.planes, strict=True)
        for source, target in planes:
            kind = np.uint16 if self.hdr else np.uint8
            picture, shown = (
                np.frombuffer(plane, kind).reshape(-1, plane.line_size // np.dtype(kind).itemsize)[:, : plane.width]
                for plane in (source, target)
            )
            if transposed:
                picture = picture.T
            picture = picture[:: -1 if mirrored_y else 1, :: -1 if mirrored_x else 1]
            shown[:] = picture[: shown.shape[0], : shown.shape[1]]
        made.pts, made.time_base = frame.pts, frame.time_base
        for name in self.colours:
            setattr(made, name, getattr(frame, name))
        return made
