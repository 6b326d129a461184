"""The demo's people: heads and shoulders cut out of face photographs that installed packages carry.

Nothing is downloaded and nothing leaves the packages but what is rendered on the user's machine. People have no
names here, only numbers: ``person_1`` and so on, from left to right in the photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.resources import files

import cv2
import numpy as np

from vcn_ray.errors import ModelError
from vcn_ray.models.detection import FaceDetector
from vcn_ray.models.packs import load_pack

#: (package, folder below it, pattern of the file's name, number of people in it)
_PHOTOS = (
    ("insightface", "data/images", "t1.jpg", 6),
    ("skimage", "data", "astronaut.png", 1),
    ("insightface", "data/images", "*.png", 1),  # the only PNG there; its name is the person's
)

# Extent of a cut-out around the face's box, in widths and heights of the box.
_SIDE, _ABOVE, _BELOW = 1.25, 0.75, 1.6


@dataclass(frozen=True)
class Portrait:
    """One person, cut out."""

    identity: str
    image: np.ndarray  # (h, w, 4) uint8 BGR and opacity, colours multiplied by the opacity
    face_box: tuple[float, float, float, float]  # x, y, w, h of the face in `image`, pixels
    is_picture: bool = False  # a framed picture, not a person standing there


def cut_portraits() -> list[Portrait]:
    """All people of the photographs, numbered from left to right; about 3 s.

    Raises `ModelError` when a package's photograph is missing or does not show the people it should.
    """
    detector = load_pack("opencv-zoo").detector(0.6)
    portraits: list[Portrait] = []
    for package, folder, name, people in _PHOTOS:
        photo = read_picture(package, folder, name)
        boxes = _find_faces(detector, photo, people)
        if len(boxes) < people:
            raise ModelError(
                f"{package}'s photograph {name} shows {len(boxes)} faces where {people} were expected: "
                f"reinstall vcn-ray with the versions of {package} that it asks for"
            )
        heads = [_grown(box, 0.1) for box in boxes]
        for k, box in enumerate(boxes):
            identity = f"person_{len(portraits) + 1}"
            if box[3] > 0.6 * photo.shape[0]:
                portraits.append(_framed(identity, photo, box))
            else:
                portraits.append(_cut(identity, photo, box, heads[:k] + heads[k + 1 :]))
    return portraits


def read_picture(package: str, folder: str, pattern: str) -> np.ndarray:
    """A picture that an installed package carries: (h, w, 3) uint8 BGR; `ModelError` where it is missing.

    Args:
        package: import name of the package.
        folder: folder below it.
        pattern: name of the file, or a pattern of which the first match in alphabetical order is taken.
    """
    place = files(package).joinpath(folder)
    found = sorted(item.name for item in place.iterdir() if fnmatch(item.name, pattern)) if place.is_dir() else []
    name = found[0] if found else pattern
    path = place.joinpath(name)
    if not found:
        raise ModelError(f"the installed {package} lacks {name}, which the demo is made from: reinstall {package}")
    photo = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if photo is None:
        raise ModelError(f"{name} of the installed {package} cannot be read as a picture: reinstall {package}")
    return photo


def _find_faces(detector: FaceDetector, photo: np.ndarray, people: int) -> list[np.ndarray]:
    """Boxes of the surest faces, as many as there are people, from left to right."""
    found = detector.detect(photo)
    boxes = found.boxes[np.argsort(-found.scores, kind="stable")[:people]].astype(np.float64)
    return [boxes[i] for i in np.argsort(boxes[:, 0])]


def _grown(box: np.ndarray, by: float) -> np.ndarray:
    x, y, w, h = box
    return np.array([x - by * w, y - by * h, w * (1 + 2 * by), h * (1 + 2 * by)])


def _cut(identity: str, photo: np.ndarray, box: np.ndarray, others: list[np.ndarray]) -> Portrait:
    """Cut one person out: GrabCut within a head-and-shoulders outline, other people's faces known as background."""
    x, y, w, h = box
    height, width = photo.shape[:2]
    left, right = max(0, int(x - _SIDE * w)), min(width, int(x + w + _SIDE * w))
    top, bottom = max(0, int(y - _ABOVE * h)), min(height, int(y + h + _BELOW * h))
    crop = photo[top:bottom, left:right]
    face = (float(x - left), float(y - top), float(w), float(h))
    small = cv2.resize(crop, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # four times as fast, as good
    mask = _outline(small.shape[:2], tuple(v / 2 for v in face))
    for ox, oy, ow, oh in others:
        corners = np.array([ox - left, oy - top, ox + ow - left, oy + oh - top]) / 2
        cv2.rectangle(mask, corners[:2].astype(int).tolist(), corners[2:].astype(int).tolist(), cv2.GC_BGD, -1)
    # GrabCut starts its colour models with k-means on OpenCV's own generator: seed it, so that cuts are repeatable.
    cv2.setRNGSeed(1)
    unused_rect = (0, 0, 1, 1)
    cv2.grabCut(small, mask, unused_rect, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    opacity: np.ndarray = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    opacity = cv2.morphologyEx(cv2.morphologyEx(opacity, cv2.MORPH_OPEN, kernel), cv2.MORPH_CLOSE, kernel)
    opacity = _part_with(opacity, (int(face[0] + w / 2) // 2, int(face[1] + h / 2) // 2))
    soft = cv2.resize(opacity.astype(np.float32), crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(soft, (0, 0), 0.03 * h) * _side_fade(crop.shape[1], 0.15 * w)[None, :]
    return Portrait(identity, _with_opacity(crop, soft), face)


def _framed(identity: str, photo: np.ndarray, box: np.ndarray) -> Portrait:
    """A photograph that shows a face and nothing else: hung in the scene as a picture in a dark frame."""
    border = max(3, photo.shape[0] // 18)
    image = cv2.copyMakeBorder(photo, border, border, border, border, cv2.BORDER_CONSTANT, value=(28, 24, 22))
    x, y, w, h = box
    return Portrait(
        identity, _with_opacity(image, np.ones(image.shape[:2], np.float32)), (x + border, y + border, w, h), True
    )


def _with_opacity(image: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    return np.dstack([image * opacity[..., None], opacity * 255]).round().astype(np.uint8)


def _outline(shape: tuple[int, ...], face: tuple[float, ...]) -> np.ndarray:
    """GrabCut's start: head and neck for certain, hair and shoulders probably, everything else not."""
    x, y, w, h = face
    mask = np.full(shape, cv2.GC_BGD, np.uint8)

    def polygon(points: list[tuple[float, float]], value: int) -> None:
        """Fill a polygon whose corners are given in widths and heights of the face, from its top-left corner."""
        corners = np.array([(x + px * w, y + py * h) for px, py in points])
        cv2.fillPoly(mask, [corners.round().astype(np.int32)], value)

    def ellipse(middle_h: float, half_w: float, half_h: float, value: int) -> None:
        """Fill an upright ellipse on the face's vertical middle line."""
        middle = (int(x + w / 2), int(y + middle_h * h))
        cv2.ellipse(mask, middle, (int(half_w * w), int(half_h * h)), 0, 0, 360, value, -1)

    slope = [(0.2, 0.8), (0.8, 0.8), (1.1, 1.2), (1.9, 1.6), (2.2, 3.0), (-1.2, 3.0), (-0.9, 1.6), (-0.1, 1.2)]
    polygon(slope, cv2.GC_PR_FGD)
    ellipse(0.42, 1.0, 0.95, cv2.GC_PR_FGD)
    ellipse(0.45, 0.52, 0.62, cv2.GC_FGD)
    polygon([(0.25, 0.9), (0.75, 0.9), (1.1, 1.5), (1.4, 3.0), (-0.4, 3.0), (-0.1, 1.5)], cv2.GC_FGD)
    return mask


def _part_with(opacity: np.ndarray, point: tuple[int, int]) -> np.ndarray:
    """The connected part that holds a point, its holes filled: no islands of other people."""
    _, parts = cv2.connectedComponents(opacity)
    part = (parts == parts[point[1], point[0]]).astype(np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(part), contours, -1, 1, -1)


def _side_fade(width_px: int, over_px: float) -> np.ndarray:
    """(width,) opacity that goes to zero at the left and right edge, so that no cut-out ends in a straight line."""
    at = np.arange(width_px) + 0.5
    return np.clip(np.minimum(at, width_px - at) / max(over_px, 1), 0, 1).astype(np.float32)
