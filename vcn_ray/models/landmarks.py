"""Five landmarks found anew on an enlarged picture of one face, where a detector saw it small and among others."""

from __future__ import annotations

import cv2
import numpy as np

from vcn_ray.models.detection import FaceDetector, overlaps

_CONTEXT = 1.8  # side of the square that is looked at, in the face's longer sides
_SIDE_PX = 128  # what it is brought to
_MIN_IOU = 0.3  # a face found there that fits the given one less is another, or none


class LandmarkFinder:
    """Finds a face's landmarks anew with a detector that sees one face of known place better than a whole frame's."""

    #: Of the detector: that there is a face is known, and the best fit is taken.
    MIN_SCORE = 0.1

    def __init__(self, detector: FaceDetector):
        self._detector = detector

    def find(self, image_bgr: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """Landmarks of the face in a box.

        Args:
            image_bgr: (h, w, 3) uint8 BGR, at the best resolution there is.
            box: x, y, w, h in its pixels; may reach beyond it.

        Returns:
            (5, 2) float32 x, y in pixels of the image, or None where no face that fits the box is seen.
        """
        square, scale, corner = _square_around(image_bgr, box)
        if square is None:
            return None
        found = self._detector.detect(square)
        if not len(found):
            return None
        wanted = np.array([*(np.asarray(box[:2]) - corner) * scale, *np.asarray(box[2:]) * scale])
        fit = overlaps(found.boxes, wanted)
        best = int(fit.argmax())
        if fit[best] < _MIN_IOU:
            return None
        # Half a pixel: the detector counts from the corner of the first pixel, `alignment.align_crop` from its middle.
        return (found.landmarks[best] / scale + corner - 0.5).astype(np.float32)


def best_landmarks(
    finder: LandmarkFinder | None, image_bgr: np.ndarray, box: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """(5, 2) float32: those that the finder sees, else, or without a finder, those that the detector saw.

    All in pixels of the image; see `LandmarkFinder.find`.
    """
    found = None if finder is None else finder.find(image_bgr, box)
    return seen.astype(np.float32) if found is None else found


def _square_around(image_bgr: np.ndarray, box: np.ndarray) -> tuple[np.ndarray | None, float, np.ndarray]:
    """The square around a face, brought to `_SIDE_PX` and black beyond the image; its scale, and its corner (2,).

    None in place of the square where there is no such part of the image.
    """
    side = max(2, round(_CONTEXT * float(max(box[2], box[3]))))
    x, y = (round(float(box[k] + box[2 + k] / 2 - side / 2)) for k in range(2))
    scale, corner = _SIDE_PX / side, np.array([x, y], np.float64)
    part = image_bgr[max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)]
    if not part.size:
        return None, scale, corner
    above, left = max(0, -y), max(0, -x)
    below, right = side - above - part.shape[0], side - left - part.shape[1]
    whole = cv2.copyMakeBorder(part, above, below, left, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(whole, (_SIDE_PX, _SIDE_PX), interpolation=kind), scale, corner
