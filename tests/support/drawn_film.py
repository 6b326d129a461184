"""A film of drawn people, lossless, and face models that see them: coloured squares on grey, one person a colour."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np

from support.tiny_title import TinyNetwork
from vcn_ray.config import ModelOptions
from vcn_ray.models.alignment import CROP_SIZE_PX, align_template
from vcn_ray.models.detection import Detections
from vcn_ray.models.landmarks import LandmarkFinder
from vcn_ray.models.loading import FaceModels

SIZE, FACE_PX, SHOT_FRAMES, FPS = (320, 180), 64, 30, 24

#: Who is seen in each shot, from left to right.
SHOTS = ((0, 1), (1,), (2, 0))


def draw_film(path: Path, shots: tuple[tuple[int, ...], ...] = SHOTS, fps: int = FPS) -> Path:
    """Write a film; its people move to the right by two pixels a frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "bgr0"
        for number, shot in enumerate(shots):
            for nth in range(SHOT_FRAMES):
                picture = np.full((SIZE[1], SIZE[0], 3), 70 + 60 * (number % 3), np.uint8)
                picture[::7, :, 1] = 200 - 60 * (number % 3)
                for place, person in enumerate(shot):
                    x, y = 20 + 140 * place + 2 * nth, 50
                    picture[y : y + FACE_PX, x : x + FACE_PX] = _face(person)
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="bgr0")
                frame.pts, frame.time_base = number * SHOT_FRAMES + nth, Fraction(1, fps)
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _face(person: int) -> np.ndarray:
    """A pattern of a person's own, without green."""
    pattern = np.random.default_rng(person).integers(60, 255, (8, 8, 3), np.uint8)
    pattern[..., 1] = 0
    return cv2.resize(pattern, (FACE_PX, FACE_PX), interpolation=cv2.INTER_NEAREST)


class _Detector:
    """Finds the squares: where there is no green."""

    def detect(self, image_bgr: np.ndarray) -> Detections:
        _, _, stats, _ = cv2.connectedComponentsWithStats((image_bgr[..., 1] < 20).astype(np.uint8))
        boxes = np.array([stat[:4] for stat in stats[1:] if min(stat[2:4]) >= 20], np.float32).reshape(-1, 4)
        unit = align_template() / CROP_SIZE_PX
        marks = np.array([box[:2] + unit * box[2:] for box in boxes]).reshape(-1, 5, 2)
        return Detections.ranked(boxes, np.full(len(boxes), 0.9), marks)


def drawn_pack(models: ModelOptions) -> Any:
    """As far as a `FacePack` as a run looks at it."""
    return SimpleNamespace(
        name="drawn pack",
        licence="none",
        face_id_digest="tiny",
        face_id=TinyNetwork,
        recognition_threshold=0.3,
        detector=lambda min_score, kind="pack": _Detector(),
        landmark_finder=lambda kind: LandmarkFinder(_Detector()),
    )


DRAWN_MODELS = FaceModels(drawn_pack)
