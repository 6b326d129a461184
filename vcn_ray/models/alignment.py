"""Aligned crops: a face turned, scaled and shifted so that its landmarks lie where face-ID networks expect them."""

from __future__ import annotations

import cv2
import numpy as np

#: Side of an aligned crop, pixels.
CROP_SIZE_PX = 112

# ArcFace's five points (Deng et al., CVPR 2019) in the 112 x 112 crop; SFace was trained with the same.
_TEMPLATE = (
    (38.2946, 51.6963),  # eye on the image's left
    (73.5318, 51.5014),  # eye on the image's right
    (56.0252, 71.7366),  # tip of the nose
    (41.5493, 92.3655),  # mouth corner on the image's left
    (70.7299, 92.2041),  # mouth corner on the image's right
)


def align_template() -> np.ndarray:
    """(5, 2) float32 x, y of the five landmarks in the aligned crop, in the order of `Detections.landmarks`."""
    return np.array(_TEMPLATE, dtype=np.float32)


def similarity_to_template(landmarks: np.ndarray) -> np.ndarray:
    """The similarity transform that takes landmarks closest to the template, by least squares.

    Umeyama's problem (TPAMI 1991) without reflection. In the plane it has a closed form: with points as complex
    numbers, p -> a p + b, and the centred points' least-squares a is <p, q> / <p, p>.

    Args:
        landmarks: (5, 2) x, y in pixels of the image.

    Returns:
        (2, 3) float64 matrix from image to crop.

    Raises:
        ValueError: the landmarks are not five finite points, or all one point.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ValueError(f"five finite landmarks are needed, not {points.tolist()}")
    source = points @ (1, 1j)
    target = np.asarray(_TEMPLATE) @ (1, 1j)
    centred = source - source.mean()
    spread = np.vdot(centred, centred).real
    if spread < 1e-6:
        raise ValueError("the five landmarks are one point, which has neither size nor direction")
    turn = np.vdot(centred, target - target.mean()) / spread
    shift = target.mean() - turn * source.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def align_crop(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Cut an aligned face out of an image.

    Bilinear, as the face-ID networks' training data was made; black beyond the image's border.

    Args:
        image: (h, w, 3) uint8, RGB or BGR; the crop has the same channel order.
        landmarks: (5, 2) x, y in pixels of the image, in the order of `Detections.landmarks`.

    Returns:
        (112, 112, 3) uint8.

    Raises:
        ValueError: see `similarity_to_template`.
    """
    return cv2.warpAffine(
        image,
        similarity_to_template(landmarks),
        (CROP_SIZE_PX, CROP_SIZE_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0),
    )
