"""Which faces of a track give its sample crops, decided while frames pass by and memory stays bounded."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vcn_ray.errors import InputError


@dataclass(frozen=True)
class Crop:
    """An aligned face, (112, 112, 3) uint8 BGR, with where it comes from."""

    frame: int
    score: float
    sharpness: float
    image_bgr: np.ndarray

    def jpeg(self) -> bytes:
        """The crop as JPEG, quality 95 without colour subsampling."""
        settings = [
            cv2.IMWRITE_JPEG_QUALITY,
            95,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ]
        written, data = cv2.imencode(".jpg", self.image_bgr, settings)
        if not written:
            raise InputError(f"the face of frame {self.frame} could not be written as JPEG; please report this")
        return data.tobytes()


class CropSampler:
    """Keeps a track's crops: the first good face of every `stride` frames (paper, S Alg. 1).

    While the track is young it keeps more, every good face of the first stride and one of each quarter of a stride
    up to `min_crops` strides, so that a short track still gives `min_crops`, spread evenly over it.
    """

    def __init__(self, first_frame: int, stride: int, min_crops: int):
        self._first_frame = first_frame
        self._stride = stride
        self._min_crops = min_crops
        self._regular: dict[int, Crop] = {}
        self._early: dict[int, Crop] = {}
        self._quarters: set[int] = set()

    def wants(self, frame: int) -> bool:
        """Whether a good face of this frame would be kept."""
        return self._is_regular(frame) or self._is_early(frame)

    def add(self, crop: Crop) -> None:
        """Keep the crop of a good face, where it is wanted."""
        early = self._is_early(crop.frame)
        if self._is_regular(crop.frame):
            self._regular[(crop.frame - self._first_frame) // self._stride] = crop
        if early:
            self._early[crop.frame] = crop
            self._quarters.add(self._quarter(crop.frame))

    def chosen(self, before_frame: int | None = None) -> list[Crop]:
        """The track's crops in order of frames; those from `before_frame` on are left out."""
        regular = [crop for crop in self._regular.values() if before_frame is None or crop.frame < before_frame]
        if len(regular) >= self._min_crops:
            return regular
        early = {n: crop for n, crop in self._early.items() if before_frame is None or n < before_frame}
        kept = {crop.frame: crop for crop in regular} | early
        if not kept:
            return []
        frames = sorted(kept)
        picks = np.linspace(0, len(frames) - 1, min(self._min_crops, len(frames)))
        return [kept[frames[round(float(pick))]] for pick in picks]

    def _is_regular(self, frame: int) -> bool:
        return (frame - self._first_frame) // self._stride not in self._regular

    def _quarter(self, frame: int) -> int:
        return (frame - self._first_frame) // max(1, self._stride // 4)

    def _is_early(self, frame: int) -> bool:
        age = frame - self._first_frame
        if age < min(self._stride, self._min_crops * 3):
            return True
        return age < self._stride * self._min_crops and self._quarter(frame) not in self._quarters
