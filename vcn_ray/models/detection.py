"""What a face detector gives back, and the interface that all detectors share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Detections:
    """The n faces of one image, by falling score; all lengths in pixels of the image that was given."""

    boxes: np.ndarray  # (n, 4) float32: x, y of the top left corner, w, h; may reach beyond the image
    scores: np.ndarray  # (n,) float32, 0..1
    landmarks: np.ndarray  # (n, 5, 2) float32 x, y: the eye and mouth corner on the image's left come first

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def ranked(cls, boxes: np.ndarray, scores: np.ndarray, landmarks: np.ndarray) -> Detections:
        """Faces in an order that depends on nothing but the faces: by falling score, then x, then y.

        Args:
            boxes: (n, 4) x, y, w, h.
            scores: (n,).
            landmarks: (n, 5, 2).
        """
        order = np.lexsort((boxes[:, 1], boxes[:, 0], -scores))
        return cls(
            np.ascontiguousarray(boxes[order], dtype=np.float32),
            np.ascontiguousarray(scores[order], dtype=np.float32),
            np.ascontiguousarray(landmarks[order], dtype=np.float32),
        )


class FaceDetector(Protocol):
    """Finds faces in an image. What it finds depends on that image alone, not on earlier ones.

    `detectors` says what its scores are compared with.
    """

    def detect(self, image_bgr: np.ndarray) -> Detections:
        """Faces of a (h, w, 3) uint8 BGR image."""
