"""The demo's places: pictures without people that scikit-image carries, and one that is drawn."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from vcn_ray.demo.portraits import read_picture


class _View(NamedTuple):
    """How a picture becomes a place."""

    picture: str  # file of scikit-image
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)  # factors of blue, green, red
    blur_px: float = 4.0  # sigma: the people are in focus, the place is not
    brightness: float = 0.9
    upper_share: float = 1.0  # of the picture; what lies below is not shown


_VIEWS = {
    "kitchen": _View("coffee.png", blur_px=5.0),
    "alley": _View("brick.png", tint=(0.55, 0.7, 1.05), blur_px=2.0, brightness=0.8),
    "garage": _View("motorcycle_left.png", upper_share=0.5),  # without the wheels, which a detector takes for faces
    "launch pad": _View("rocket.jpg", blur_px=1.5, brightness=1.2),
    "garden": _View("grass.png", tint=(0.45, 0.95, 0.7)),
}


def make_backdrop(place: str, width_px: int, height_px: int, rng: np.random.Generator) -> np.ndarray:
    """A place as seen by one camera position: (height, width, 3) uint8 BGR, a random part of its picture."""
    if place == "office":
        return _office(width_px, height_px, rng)
    view_of = _VIEWS[place]
    picture = read_picture("skimage", "data", view_of.picture)
    picture = picture[: int(picture.shape[0] * view_of.upper_share)]
    height, width = picture.shape[:2]
    # The camera's part of the picture: the frame's shape, between 60 and 95 % of what the picture can give.
    part = rng.uniform(0.6, 0.95) * min(width, height * width_px / height_px)
    part_w, part_h = int(part), int(part * height_px / width_px)
    left, top = int(rng.integers(width - part_w + 1)), int(rng.integers(height - part_h + 1))
    view = cv2.resize(picture[top : top + part_h, left : left + part_w], (width_px, height_px))
    view = cv2.GaussianBlur(view, (0, 0), view_of.blur_px)
    return np.clip(view * (np.array(view_of.tint) * view_of.brightness), 0, 255).astype(np.uint8)


def _office(width_px: int, height_px: int, rng: np.random.Generator) -> np.ndarray:
    """A wall in a slanting light, with a window of bright panes out of focus."""
    light = np.linspace(0.75, 1.05, width_px)[None, :] * np.linspace(1.0, 0.8, height_px)[:, None]
    view = light[..., None] * np.array([150.0, 160.0, 150.0]) + rng.uniform(-12, 12, 3)
    pane_w, pane_h = width_px // 9, height_px // 4
    left, top = int(rng.integers(0, width_px // 2)), int(rng.integers(0, height_px // 8))
    for column in range(3):
        for row in range(2):
            x, y = left + column * (pane_w + 8), top + row * (pane_h + 8)
            view[y : y + pane_h, x : x + pane_w] = rng.uniform((215, 205, 190), (255, 245, 235))
    view[int(0.82 * height_px) :] = (70, 85, 110)  # a sideboard
    return np.clip(cv2.GaussianBlur(view, (0, 0), 4.0), 0, 255).astype(np.uint8)
