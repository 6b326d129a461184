"""The one face of a reference picture, found and aligned as a film's faces are."""

from __future__ import annotations

import cv2
import numpy as np

from vcn_ray.config import TrackOptions
from vcn_ray.errors import InputError
from vcn_ray.models.alignment import CROP_SIZE_PX, align_crop, similarity_to_template
from vcn_ray.models.detection import Detections, FaceDetector
from vcn_ray.models.landmarks import LandmarkFinder, best_landmarks

#: Longer sides, as multiples of that of a film's frames, to which a picture is scaled until a face is found. Most are
#: found at the first; the second shows a face that is small in a large picture.
_SCALES = (1.0, 2.0)

#: A picture that is nearly all face gets a grey margin of this share of its longer side: detectors want to see a head.
_MARGIN = 0.5
_GREY = (128, 128, 128)

#: Beside the largest face, one of less than this share of its width is somebody in the background.
_BYSTANDER = 0.25

#: A face counts if at least this share of its box lies within the picture, as in a film.
_INSIDE_SHARE = 0.6

#: Bilinear sampling skips pixels where it shrinks to less than half: the picture is scaled down by area before.
_LEAST_SCALE = 0.5


def cut_face(
    content: bytes, detector: FaceDetector, options: TrackOptions, landmarks: LandmarkFinder | None = None
) -> np.ndarray:
    """The aligned crop of the face in a picture, (112, 112, 3) uint8 BGR.

    Args:
        content: of the file: JPEG, PNG or WebP; turned as its EXIF says.
        detector: of the title's face models; leaves out faces of less than `min_face_score`.
        options: of stage 1: size of pictures for detection, smallest face.
        landmarks: finds the face's landmarks anew, as in stage 1; None: they are the detector's.

    Raises:
        InputError: no picture, no face, several, or one too small; a sentence that goes on behind the file's name.
    """
    picture = _decode(content)
    faces = _find(picture, detector, options)
    if not len(faces):
        raise InputError("shows no face that is found; take one in which it is larger, clearer, or from the front")
    widths = faces.boxes[:, 2]
    meant = int(widths.argmax())
    several = int((widths >= _BYSTANDER * widths[meant]).sum())
    if several > 1:
        raise InputError(f"shows {several} faces; crop it to the one that is meant")
    if min(faces.boxes[meant, 2:]) < options.min_face_px:
        width_px = round(float(widths[meant]))
        raise InputError(f"shows a face {width_px} pixels wide, too small to tell people apart; take a larger picture")
    return _align(picture, best_landmarks(landmarks, picture, faces.boxes[meant], faces.landmarks[meant]))


def _decode(content: bytes) -> np.ndarray:
    """(h, w, 3) uint8 BGR, or `InputError`."""
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error:  # more pixels than OpenCV takes
        picture = None
    if picture is None or min(picture.shape[:2]) < 2:
        raise InputError("is no picture that can be read; save it anew as JPEG or PNG")
    return picture


def _find(picture: np.ndarray, detector: FaceDetector, options: TrackOptions) -> Detections:
    """Faces in pixels of the picture: of the first way to look at it that shows any."""
    side = max(picture.shape[:2])
    wanted = [min(side, options.detect_max_side_px * scale) for scale in _SCALES]
    looks = [(wanted[0], 0.0), (wanted[0], _MARGIN), *((px, 0.0) for px in wanted[1:] if px > wanted[0])]
    for longer_side_px, margin in looks:
        scale = longer_side_px / side
        small = picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        border_px = round(margin * longer_side_px)
        framed = cv2.copyMakeBorder(small, *(border_px,) * 4, cv2.BORDER_CONSTANT, value=_GREY)
        found = detector.detect(framed)
        boxes, landmarks = found.boxes.copy(), (found.landmarks - border_px) / scale
        boxes[:, :2] -= border_px
        boxes /= scale
        good = (found.scores >= options.min_face_score) & (_inside(boxes, picture) >= _INSIDE_SHARE)
        if good.any():
            break
    return Detections(boxes[good], found.scores[good], landmarks[good])


def _inside(boxes: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Share of each box, (n, 4) x, y, w, h, that lies within the picture."""
    height, width = picture.shape[:2]
    x, y, w, h = boxes.T
    across = np.clip(np.minimum(x + w, width) - np.maximum(x, 0), 0, None)
    down = np.clip(np.minimum(y + h, height) - np.maximum(y, 0), 0, None)
    return across * down / np.maximum(w * h, 1e-9)


def _align(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """As stage 1 aligns; from a picture that is much larger than a film's frame, scaled down first."""
    turn = similarity_to_template(landmarks)
    shrinks = float(np.hypot(turn[0, 0], turn[1, 0])) / _LEAST_SCALE
    if shrinks < 1 and min(picture.shape[:2]) * shrinks >= CROP_SIZE_PX / 4:
        picture = cv2.resize(picture, None, fx=shrinks, fy=shrinks, interpolation=cv2.INTER_AREA)
        landmarks = landmarks * shrinks
    return align_crop(picture, landmarks.astype(np.float32))
