"""What a face detector gives back, and the interface that all detectors share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
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


def check_image(image_bgr: np.ndarray) -> None:
    """Raise `ValueError` unless this is an image that detectors take, (h, w, 3) uint8."""
    if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8 or image_bgr.size == 0:
        raise ValueError(f"an image of (h, w, 3) uint8 is needed, not {image_bgr.shape} {image_bgr.dtype}")


def planes(image: np.ndarray) -> np.ndarray:
    """(1, 3, h, w) float32 of a (h, w, 3) uint8 image, its channels in their order: what a network is given."""
    given = np.empty((1, 3, *image.shape[:2]), np.float32)
    for place, plane in enumerate(cv2.split(image)):  # in a fifth of the time of a transposition
        given[0, place] = plane
    return given


def overlaps(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(n,) intersection over union of (n, 4) boxes with one, all x, y, w, h."""
    shared = np.minimum(boxes[:, :2] + boxes[:, 2:], box[:2] + box[2:]) - np.maximum(boxes[:, :2], box[:2])
    area = shared.clip(0).prod(axis=1)
    return area / (boxes[:, 2:].prod(axis=1) + box[2:].prod() - area)


def without_overlaps(boxes: np.ndarray, max_iou: float) -> list[int]:
    """Non-maximum suppression: positions of the boxes, given best first, that overlap no better one that is kept."""
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[overlaps(boxes[left], boxes[best]) <= max_iou]
    return kept
