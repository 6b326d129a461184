"""Which faces of a track give its sample crops, decided while frames pass by and memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import cv2
import numpy as np

from vcn_ray.errors import InputError
from vcn_ray.models.alignment import align_crop
from vcn_ray.models.landmarks import LandmarkFinder, best_landmarks
from vcn_ray.tracks.decode import Region

_CONTEXT = 2.4  # side of a cutout, in the face's longer sides: an aligned crop lies within, however it is turned
_MAX_CUTOUT_PX = 320


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


@dataclass(frozen=True)
class Cutout:
    """A face and what is around it, cut out of the full picture: what may become a crop once its frame is gone.

    At most `_MAX_CUTOUT_PX` on its longer side, so that those that wait take little memory.
    """

    frame: int
    score: float
    sharpness: float
    image_bgr: np.ndarray  # (h, w, 3) uint8
    box: np.ndarray  # x, y, w, h in its pixels
    landmarks: np.ndarray  # (5, 2) x, y in its pixels, as the detector saw them

    @classmethod
    def of(
        cls, frame: int, score: float, sharpness: float, picture_bgr: np.ndarray, box: np.ndarray, landmarks: np.ndarray
    ) -> Cutout:
        """Cut a face out of a picture; box, some of it within the picture, and landmarks in the picture's pixels."""
        low, high = surroundings(box)
        part = picture_bgr[low[1] : high[1], low[0] : high[0]]
        return cls._of_part(frame, score, sharpness, part, low, box, landmarks)

    @classmethod
    def _of_part(
        cls,
        frame: int,
        score: float,
        sharpness: float,
        part: np.ndarray,
        low: np.ndarray,
        box: np.ndarray,
        landmarks: np.ndarray,
    ) -> Cutout:
        shrink = min(1.0, _MAX_CUTOUT_PX / max(part.shape[:2]))
        if shrink == 1:
            return cls(frame, score, sharpness, part.copy(), np.concatenate([box[:2] - low, box[2:]]), landmarks - low)
        width, height = (max(1, round(side * shrink)) for side in part.shape[1::-1])
        scale = np.array([width, height]) / part.shape[1::-1]
        small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        # Places count from the middle of the first pixel.
        moved = np.concatenate([(box[:2] - low + 0.5) * scale - 0.5, box[2:] * scale])
        return cls(frame, score, sharpness, small, moved, (landmarks - low + 0.5) * scale - 0.5)

    def crop(self, finder: LandmarkFinder | None) -> Crop:
        """The aligned crop, its landmarks found anew by the finder where there is one and it sees the face."""
        points = best_landmarks(finder, self.image_bgr, self.box, self.landmarks)
        return Crop(self.frame, self.score, self.sharpness, align_crop(self.image_bgr, points))


@dataclass(frozen=True)
class UncutFace:
    """A face whose cutout is made if it is needed: the sampler keeps many while a track is young, and uses few."""

    frame: int
    score: float
    sharpness: float
    region: Region  # `surroundings` of the box
    box: np.ndarray  # x, y, w, h in pixels of the whole picture
    landmarks: np.ndarray  # (5, 2)

    @property
    def cutout(self) -> Cutout:
        """What `Cutout.of` makes of the whole picture."""
        low, _ = surroundings(self.box)
        return Cutout._of_part(self.frame, self.score, self.sharpness, self.region.bgr(), low, self.box, self.landmarks)


def surroundings(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (x, y) of what is cut out around a face: the low one within the picture, the high one maybe beyond it."""
    reach = _CONTEXT / 2 * max(box[2:])
    centre = box[:2] + box[2:] / 2
    return np.floor(centre - reach).astype(int).clip(0), np.ceil(centre + reach).astype(int)


class CropSampler:
    """Keeps a track's crops: the first good face of every `stride` frames (paper, S Alg. 1).

    While the track is young it keeps more, every good face of the first stride and one of each quarter of a stride
    up to `min_crops` strides, so that a short track still gives `min_crops`, spread evenly over it. Those wait until it
    is known which of them are needed; the others become crops at once.

    Args:
        first_frame: of the track.
        stride: frames that one crop stands for.
        min_crops: see above.
        finish: makes a crop.
        blend_frames: the most frames at the end of a shot that `chosen` may be told to leave out; a track that has its
            crops before them keeps no others.
    """

    def __init__(
        self, first_frame: int, stride: int, min_crops: int, finish: Callable[[Cutout], Crop], blend_frames: float = inf
    ):
        self._first_frame = first_frame
        self._stride = stride
        self._min_crops = min_crops
        self._regular: dict[int, Crop] = {}
        self._finish = finish
        self._blend_frames = blend_frames
        self._early: dict[int, Cutout | UncutFace] = {}
        self._is_long = False  # it has its crops whatever comes
        self._quarters: set[int] = set()

    def wants(self, frame: int) -> bool:
        """Whether a good face of this frame would be kept."""
        return self._is_regular(frame) or self._is_early(frame)

    @property
    def waiting_bytes(self) -> int:
        """What the uncut faces take that wait."""
        return sum(face.region.packed.nbytes for face in self._early.values() if isinstance(face, UncutFace))

    def add(self, face: Cutout | UncutFace) -> None:
        """Keep a good face, where it is wanted."""
        early = self._is_early(face.frame)
        if self._is_regular(face.frame):
            self._regular[(face.frame - self._first_frame) // self._stride] = self._crop(face)
            sure = sum(crop.frame <= face.frame - self._blend_frames for crop in self._regular.values())
            if sure >= self._min_crops:
                self._is_long = True
                self._early.clear()
        elif early:
            self._early[face.frame] = face
        if early:
            self._quarters.add(self._quarter(face.frame))

    def _crop(self, face: Cutout | UncutFace) -> Crop:
        return self._finish(face if isinstance(face, Cutout) else face.cutout)

    def chosen(self, before_frame: int | None = None) -> list[Crop]:
        """The track's crops in order of frames; those from `before_frame` on are left out."""
        regular = [crop for crop in self._regular.values() if before_frame is None or crop.frame < before_frame]
        if len(regular) >= self._min_crops:
            return regular
        early = [face for n, face in self._early.items() if before_frame is None or n < before_frame]
        faces: list[Crop | Cutout | UncutFace] = [*regular, *early]
        kept = sorted(faces, key=lambda face: face.frame)
        if not kept:
            return []
        picks = np.linspace(0, len(kept) - 1, min(self._min_crops, len(kept)))
        chosen = [kept[round(float(pick))] for pick in picks]
        return [face if isinstance(face, Crop) else self._crop(face) for face in chosen]

    def _is_regular(self, frame: int) -> bool:
        return (frame - self._first_frame) // self._stride not in self._regular

    def _quarter(self, frame: int) -> int:
        return (frame - self._first_frame) // max(1, self._stride // 4)

    def _is_early(self, frame: int) -> bool:
        age = frame - self._first_frame
        if self._is_long:
            return False
        if age < min(self._stride, self._min_crops * 3):
            return True
        return age < self._stride * self._min_crops and self._quarter(frame) not in self._quarters
