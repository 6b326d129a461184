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

from vcn_ray.errors import ModelError
from vcn_ray.models.centerface import CenterFaceDetector
from vcn_ray.models.detection import FaceDetector
from vcn_ray.models.yunet import YuNetDetector

#: Opens a detector on its file; faces of a score below the second argument, 0..1, are left out.
DetectorFactory = Callable[[Path, float], FaceDetector]


def _yunet(path: Path, min_score: float) -> FaceDetector:
    """Score: geometric mean of 'this is a face' and 'this box fits', both 0..1."""
    return YuNetDetector(path.read_bytes(), min_score)


def _centerface(path: Path, min_score: float) -> FaceDetector:
    """Score: the network's own 'here is the centre of a face', 0..1."""
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
