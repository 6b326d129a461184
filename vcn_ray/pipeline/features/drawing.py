"""What stands for a face that nobody has a picture of."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from vcn_ray.models.alignment import CROP_SIZE_PX


@cache
def no_picture() -> bytes:
    """Head and shoulders in two greys, as JPEG of a crop's size."""
    side = CROP_SIZE_PX
    drawing = np.full((side, side, 3), 225, np.uint8)
    cv2.circle(drawing, (side // 2, side * 2 // 5), side // 5, (170, 170, 170), -1, cv2.LINE_AA)
    cv2.ellipse(drawing, (side // 2, side), (side * 3 // 8, side // 3), 0, 180, 360, (170, 170, 170), -1, cv2.LINE_AA)
    return cv2.imencode(".jpg", drawing)[1].tobytes()
