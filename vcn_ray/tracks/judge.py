"""Which faces are good enough to recognise somebody by, and why the others are not.

Tracking comes first and needs the weak faces too; judging decides only which faces may give a crop. The thresholds
refuse what says nothing, not what is merely poor: the quality score of stage 2 weighs the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import cv2
import numpy as np

from vcn_ray.config import TrackOptions

TOO_SMALL = "too small"
TOO_BLURRED = "too blurred"
TOO_UNSURE = "too unsure"
CUT_OFF = "cut off by the picture's edge"
BLENDED = "seen through another shot"
INTERPOLATED = "between two detections"
WITHOUT_LANDMARKS = "without landmarks in their boxes"

_SHARPNESS_SIDE_PX = 32
_INSIDE_SHARE = 0.6


def sharpness(picture_bgr: np.ndarray, box: np.ndarray) -> float:
    """How much fine structure a face has: standard deviation of the Laplacian over that of the grey values.

    Measured on the face brought to 32 x 32 pixels, so that it compares across sizes and contrasts; 0 for a flat
    patch. `box` is x, y, w, h in pixels of the picture.
    """
    height, width = picture_bgr.shape[:2]
    x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
    x1, y1 = min(width, int(box[0] + box[2]) + 1), min(height, int(box[1] + box[3]) + 1)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return 0.0
    patch = cv2.cvtColor(picture_bgr[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY)
    shrinks = min(patch.shape) > _SHARPNESS_SIDE_PX
    patch = cv2.resize(
        patch,
        (_SHARPNESS_SIDE_PX, _SHARPNESS_SIDE_PX),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    contrast = float(cv2.meanStdDev(patch)[1][0, 0])
    structure = float(cv2.meanStdDev(cv2.Laplacian(patch, cv2.CV_32F))[1][0, 0])
    return structure / contrast if contrast > 1 else 0.0


def judge_face(
    box: np.ndarray, score: float, sharp: float, picture_size: tuple[int, int], options: TrackOptions
) -> str | None:
    """None where a face is good for a crop, else why not.

    `box` is x, y, w, h in pixels of the source, `picture_size` the source's (width, height).
    """
    if min(box[2], box[3]) < options.min_face_px:
        return TOO_SMALL
    inside_w = min(box[0] + box[2], picture_size[0]) - max(box[0], 0)
    inside_h = min(box[1] + box[3], picture_size[1]) - max(box[1], 0)
    if inside_w <= 0 or inside_h <= 0 or inside_w * inside_h < _INSIDE_SHARE * box[2] * box[3]:
        return CUT_OFF
    if score < options.min_face_score:
        return TOO_UNSURE
    if sharp < options.min_sharpness:
        return TOO_BLURRED
    return None


def track_reason(verdicts: Iterable[str | None]) -> str:
    """Why a track without crops is Unknown: what its faces mostly suffer from."""
    counts = Counter(v for v in verdicts if v is not None and v != INTERPOLATED)
    if not counts:
        return "no face good enough for a crop"
    worst = min(counts, key=lambda verdict: (-counts[verdict], verdict))
    return f"all faces {worst}" if len(counts) == 1 else f"faces {worst}"
