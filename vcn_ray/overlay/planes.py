"""Drawing on decoded frames as they are, on their Y, U and V planes: nothing outside of what is drawn changes.

To RGB and back, as the annotators of `supervision` need it, costs several times as much as all else that is done to a
frame here, and loses a little of every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import Colorspace

from vcn_ray.tracks.video_info import VideoInfo

#: Share of the range that white has: in HDR, reference white is far below the brightest (ITU-R BT.2408).
_WHITE = {"sdr": 1.0, "pq": 0.58, "hlg": 0.75}
#: Luma weights of red and blue: ITU-R BT.601, BT.709, BT.2020.
_WEIGHTS = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}
_BT601 = {int(Colorspace.ITU601), int(Colorspace.SMPTE170M), 5}
_BT2020 = {9, 10}
_UNSPECIFIED = 2
_FULL_RANGE = 2


@dataclass(frozen=True)
class Sticker:
    """A small picture to be pasted: planes of a label, and how much each pixel covers (0..1)."""

    planes: tuple[np.ndarray, np.ndarray, np.ndarray]  # float32; the second and third of half the height and width
    cover: tuple[np.ndarray, np.ndarray]  # of the first; of the others

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, both even."""
        height, width = self.cover[0].shape
        return width, height


class Paint:
    """RGB colours as a video's frames have them, by its matrix, range, depth and transfer.

    Args:
        frame: one of them, a planar 4:2:0 one.
        info: of the video.
    """

    def __init__(self, frame: Any, info: VideoInfo):
        matrix = int(frame.colorspace)
        if matrix == _UNSPECIFIED:  # as players guess it
            matrix = int(Colorspace.ITU709) if info.height_px > 576 else int(Colorspace.ITU601)
        self._weights = _WEIGHTS["601" if matrix in _BT601 else "2020" if matrix in _BT2020 else "709"]
        self._full = int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")
        self._bits = frame.format.components[0].bits
        self._white = _WHITE[info.transfer]

    def yuv(self, rgb: np.ndarray) -> np.ndarray:
        """(..., 3) float32 code values of (..., 3) RGB of 0..1."""
        red, green, blue = np.moveaxis(np.asarray(rgb, np.float64) * self._white, -1, 0)
        of_red, of_blue = self._weights
        luma = of_red * red + (1 - of_red - of_blue) * green + of_blue * blue
        chroma = (blue - luma) / (2 * (1 - of_blue)), (red - luma) / (2 * (1 - of_red))
        unit = 2.0 ** (self._bits - 8)
        if self._full:
            top = 2.0**self._bits - 1
            values = (luma * top, *(one * top + 128 * unit for one in chroma))
        else:
            values = ((16 + 219 * luma) * unit, *((128 + 224 * one) * unit for one in chroma))
        return np.stack(values, axis=-1).astype(np.float32)

    def sticker(self, rgba: np.ndarray) -> Sticker:
        """Of a (h, w, 4) uint8 picture with even sides."""
        yuv = self.yuv(rgba[..., :3] / 255)
        cover = rgba[..., 3].astype(np.float32) / 255
        half = (cover.shape[1] // 2, cover.shape[0] // 2)
        small = [cv2.resize(yuv[..., plane], half, interpolation=cv2.INTER_AREA) for plane in (1, 2)]
        return Sticker(
            (yuv[..., 0], small[0], small[1]), (cover, cv2.resize(cover, half, interpolation=cv2.INTER_AREA))
        )


class Canvas:
    """The planes of a frame that may be written to: planar 4:2:0, 8 to 16 bits. Boxes are x0, y0, x1, y1 in pixels."""

    def __init__(self, frame: Any):
        kind = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
        self.planes = []
        for plane in frame.planes:
            rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // np.dtype(kind).itemsize)
            self.planes.append(rows[: plane.height, : plane.width])
        self.height_px, self.width_px = self.planes[0].shape

    def fill(self, box: np.ndarray) -> None:
        """Make a box one colour: the mean of what surrounds it, so that nothing of what was in it is left.

        It grows to even pixels: no colour of it stays behind in the smaller planes.
        """
        x0, y0 = (int(np.floor(value)) // 2 * 2 for value in box[:2])
        x1, y1 = (-(-int(np.ceil(value)) // 2) * 2 for value in box[2:])  # whole first: half of the least float is 0
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, self.width_px), min(y1, self.height_px)
        if x0 >= x1 or y0 >= y1:
            return
        for plane, step in zip(self.planes, (1, 2, 2), strict=True):
            left, top, right, bottom = x0 // step, y0 // step, -(-x1 // step), -(-y1 // step)
            ring = [
                plane[max(top - 1, 0) : top, left:right],
                plane[bottom : bottom + 1, left:right],
                plane[top:bottom, max(left - 1, 0) : left],
                plane[top:bottom, right : right + 1],
            ]
            around = np.concatenate([side.ravel() for side in ring])
            middle = 1 << (7 if plane.dtype == np.uint8 else 9)
            plane[top:bottom, left:right] = around.mean() if len(around) else middle

    def outline(self, box: np.ndarray, colour: np.ndarray, width_px: int) -> None:
        """Draw the edge of a box, `width_px` thick (even), inwards; `colour` as of `Paint.yuv`."""
        x0, y0, x1, y1 = (round(float(value) / 2) * 2 for value in box)
        for plane, value, step in zip(self.planes, colour, (1, 2, 2), strict=True):
            thick = width_px // step
            corners = (x0 // step, y0 // step), (x1 // step - 1, y1 // step - 1)
            (left, top), (right, bottom) = corners
            for rows, columns in (
                ((top, top + thick), (left, right + 1)),
                ((bottom - thick + 1, bottom + 1), (left, right + 1)),
                ((top, bottom + 1), (left, left + thick)),
                ((top, bottom + 1), (right - thick + 1, right + 1)),
            ):
                (a, b), (c, d) = ((max(low, 0), max(high, 0)) for low, high in (rows, columns))
                plane[a:b, c:d] = round(float(value))

    def paste(self, sticker: Sticker, x: int, y: int) -> None:
        """Put a sticker with its corner at (x, y), moved so that as much as possible of it is seen."""
        width, height = sticker.size
        x = min(max(x, 0), max(self.width_px - width, 0)) // 2 * 2
        y = min(max(y, 0), max(self.height_px - height, 0)) // 2 * 2
        for plane, own, cover, step in zip(
            self.planes, sticker.planes, (sticker.cover[0], sticker.cover[1], sticker.cover[1]), (1, 2, 2), strict=True
        ):
            below = plane[y // step : (y + height) // step, x // step : (x + width) // step]
            rows, columns = below.shape
            mixed = below + (own[:rows, :columns] - below) * cover[:rows, :columns]
            below[:] = np.round(mixed)
