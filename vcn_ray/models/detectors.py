"""The face detectors that a pack may name, and what the scores of each mean.

All thresholds on scores are shared, so that an option says the same whichever pack is used: below
`tracks.tracker.KEEP_SCORE` a face is not asked for, from `tracks.tracker.START_SCORE` on it may start a track, from
the option `min_face_score` on it may give a crop. They were chosen on YuNet. A detector whose scores are of another
scale brings them to this one itself, in its `detect`.

insightface takes seconds to import, and the default pack does without it: it is imported only where its code runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from vcn_ray.errors import ModelError
from vcn_ray.models.centerface import CenterFaceDetector
from vcn_ray.models.detection import Detections, FaceDetector, without_overlaps
from vcn_ray.models.yunet import YuNetDetector

_SAME_FACE_IOU = 0.3

#: Opens a detector on its file; faces of a score below the second argument, 0..1, are left out.
DetectorFactory = Callable[[Path, float], FaceDetector]


def _yunet(path: Path, min_score: float) -> FaceDetector:
    """Score: geometric mean of 'this is a face' and 'this box fits', both 0..1."""
    return YuNetDetector(path.read_bytes(), min_score)


def _centerface(path: Path, min_score: float) -> FaceDetector:
    """Score: the network's own 'here is the centre of a face', brought to YuNet's scale."""
    return CenterFaceDetector(path.read_bytes(), min_score)


def _insightface(path: Path, min_score: float) -> FaceDetector:
    """SCRFD or RetinaFace. Score: the network's own 'this is a face', 0..1; insightface itself asks for 0.5."""
    from vcn_ray.models.insightface_detectors import InsightFaceDetector

    return InsightFaceDetector(path, min_score)


#: By the name that `PackInfo.detector_kind` has.
DETECTORS: dict[str, DetectorFactory] = {
    "yunet": _yunet,
    "centerface": _centerface,
    "insightface": _insightface,
}


def open_detector(kind: str, path: Path, min_score: float) -> FaceDetector:
    """A detector by name; one for each thread that detects.

    Args:
        kind: see `DETECTORS`.
        path: its file.
        min_score: faces of a lower score are left out, 0..1.

    Raises:
        ModelError: no such detector, or the file is not one that it can use.
    """
    if kind not in DETECTORS:
        raise ModelError(f"no face detector is called {kind!r}; there are: {', '.join(DETECTORS)}")
    return DETECTORS[kind](path, min_score)


class SecondLook:
    """A detector that asks another one, too, about images in which it sees small faces or none.

    That depends on the image alone, so the same frame has the same faces wherever work was cut.
    """

    #: A face that the first is this sure of (it may start a track) and that is this large (pixels, shorter side) makes
    #: an image one of large faces.
    SURE_SCORE, LARGE_PX = 0.6, 32

    def __init__(self, first: FaceDetector, second: FaceDetector):
        self._first, self._second = first, second

    def detect(self, image_bgr: np.ndarray) -> Detections:
        """Faces of a (h, w, 3) uint8 BGR image; of two that overlap the better-scored."""
        found = self._first.detect(image_bgr)
        if (found.boxes[found.scores >= self.SURE_SCORE, 2:].min(axis=1, initial=np.inf) >= self.LARGE_PX).any():
            return found
        more = self._second.detect(image_bgr)
        both = Detections.ranked(
            *(np.concatenate([getattr(found, name), getattr(more, name)]) for name in ("boxes", "scores", "landmarks"))
        )
        kept = without_overlaps(both.boxes, _SAME_FACE_IOU)
        return Detections(both.boxes[kept], both.scores[kept], both.landmarks[kept])
