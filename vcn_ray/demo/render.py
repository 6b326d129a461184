"""Rendering of one shot of the demo: people and camera in motion, light, focus, noise; and where each face is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from vcn_ray.demo.backdrops import make_backdrop
from vcn_ray.demo.portraits import Portrait
from vcn_ray.demo.screenplay import Shot

WIDTH_PX, HEIGHT_PX, FPS = 640, 360, 25

Box = tuple[float, float, float, float]  # x, y, w, h in pixels of the frame


@dataclass(frozen=True)
class Frame:
    """A rendered frame and the face of every person in it."""

    image: np.ndarray  # (HEIGHT_PX, WIDTH_PX, 3) uint8 BGR
    faces: dict[str, Box]  # by identity


def render_shot(shot: Shot, frames: int, portraits: dict[int, Portrait], rng: np.random.Generator) -> Iterator[Frame]:
    """The shot's frames, one after another.

    Args:
        shot: what happens.
        frames: its length, overlaps with its neighbours in dissolves included.
        portraits: people by number.
        rng: where everything that the screenplay leaves open comes from.
    """
    camera = _Camera(rng, make_backdrop(shot.place, WIDTH_PX + 80, HEIGHT_PX + 60, rng))
    actors = [_Actor(portraits[n], at, len(shot.people), rng) for at, n in enumerate(shot.people)]
    grade = _grade(shot.difficulty == "dark", rng)
    noise = _noise(5.0 if shot.difficulty == "dark" else 2.0, rng)
    passer = _Passer(rng) if shot.difficulty == "occluded" else None
    for k in range(frames):
        progress = k / max(frames - 1, 1)
        image, shake = camera.view(progress, k / FPS)
        faces: dict[str, Box] = {}
        for actor in actors:
            matrix, box = actor.pose(progress, k / FPS, shake)
            image = _over(image, cv2.warpAffine(actor.image, matrix, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_LINEAR))
            faces[actor.identity] = box
        if passer is not None:
            image = passer.in_front_of(image, progress)
        if shot.difficulty == "blurred":
            image = cv2.GaussianBlur(image, (0, 0), 0.8 + 2.0 * progress)  # the focus drifts away
        image = cv2.add(cv2.LUT(image, grade), noise[k % len(noise)], dtype=cv2.CV_8U)
        yield Frame(image, faces)


class _Camera:
    """A slow pan and zoom over the backdrop, hand-held."""

    def __init__(self, rng: np.random.Generator, backdrop: np.ndarray):
        self._backdrop = backdrop
        self._from, self._to = rng.uniform((8, 8), (72, 52)), rng.uniform((8, 8), (72, 52))
        self._phases = rng.uniform(0, 2 * np.pi, 2)

    def view(self, progress: float, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        """The backdrop at this moment and the camera's shake, (2,) px."""
        shake = 1.6 * np.sin(2 * np.pi * 0.7 * time_s + self._phases) + 0.8 * np.sin(2 * np.pi * 1.9 * time_s)
        at = (1 - progress) * self._from + progress * self._to - shake
        matrix = np.array([[1, 0, -at[0]], [0, 1, -at[1]]])
        view = cv2.warpAffine(
            self._backdrop, matrix, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return view, shake


class _Actor:
    """One person in one shot: where they stand and how they move."""

    def __init__(self, portrait: Portrait, place: int, people: int, rng: np.random.Generator):
        x, y, w, h = portrait.face_box
        flip = bool(rng.integers(2))
        self.identity = portrait.identity
        self.image = np.ascontiguousarray(portrait.image[:, ::-1]) if flip else portrait.image
        self._size = (w, h)
        self._middle = np.array([portrait.image.shape[1] - x - w / 2 if flip else x + w / 2, y + h / 2])
        self._below = portrait.image.shape[0] - self._middle[1]
        height_px = rng.uniform(110, 165) if people == 1 else rng.uniform(85, 115)
        self._scales = height_px / h * np.array([1.0, rng.uniform(0.85, 1.18)])
        middle_x = WIDTH_PX * (rng.uniform(0.35, 0.65) if people == 1 else (place + 0.5) / people)
        drift = rng.uniform(-60, 60) if people == 1 else rng.uniform(-25, 25)
        self._middles_x = np.array([middle_x - drift / 2, middle_x + drift / 2])
        self._is_picture = portrait.is_picture
        self._sink = rng.uniform(0.0, 0.3)
        self._roll_deg, self._turn = (0.0, 0.0) if portrait.is_picture else (rng.uniform(2, 5), rng.uniform(0.04, 0.1))
        self._rates_hz, self._phases = rng.uniform(0.2, 0.6, 3), rng.uniform(0, 2 * np.pi, 3)

    def pose(self, progress: float, time_s: float, shake: np.ndarray) -> tuple[np.ndarray, Box]:
        """(2, 3) matrix from the portrait to the frame, and the face's box in the frame."""
        eased = progress * progress * (3 - 2 * progress)
        scale = (1 - eased) * self._scales[0] + eased * self._scales[1]
        wave = np.sin(2 * np.pi * self._rates_hz * time_s + self._phases)
        angle = np.deg2rad(self._roll_deg * wave[0])
        turned = scale * (1 - self._turn * (1 + wave[1]) / 2)  # a face that turns away a little gets narrower
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([turned, scale])
        middle = np.array([(1 - eased) * self._middles_x[0] + eased * self._middles_x[1], self._middle_y(scale)])
        middle += shake + (0 if self._is_picture else 0.02 * self._size[1] * scale * wave[2])
        w, h = self._size[0] * turned, self._size[1] * scale
        box = (float(middle[0] - w / 2), float(middle[1] - h / 2), float(w), float(h))
        return np.column_stack([linear, middle - linear @ self._middle]), box

    def _middle_y(self, scale: float) -> float:
        """Height of the face: with room for the hair above, and low enough that the cut-out's lower edge is unseen."""
        face_px = self._size[1] * scale
        if self._is_picture:
            return HEIGHT_PX * (0.45 + 0.1 * self._sink)
        return max((1.05 + self._sink) * face_px, HEIGHT_PX + 8 - 0.93 * self._below * scale)


class _Passer:
    """Somebody dark and out of focus who walks through the foreground."""

    def __init__(self, rng: np.random.Generator):
        self._width_px = rng.uniform(50, 65)
        self._leftwards = bool(rng.integers(2))

    def in_front_of(self, image: np.ndarray, progress: float) -> np.ndarray:
        """The image with the passer-by in it."""
        path = -60 + (WIDTH_PX + 120) * (1 - progress if self._leftwards else progress)
        distance = np.abs(np.arange(WIDTH_PX) - path) - self._width_px / 2
        opacity = np.clip(0.5 - distance / 12, 0, 1)
        layer = np.zeros((HEIGHT_PX, WIDTH_PX, 4), np.uint8)
        layer[..., :3] = (opacity[:, None] * (30, 26, 34)).astype(np.uint8)
        layer[..., 3] = (255 * opacity).astype(np.uint8)
        return _over(image, layer)


def _over(image: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """The image with a layer (BGR and opacity, colours multiplied by it) on top."""
    through = cv2.cvtColor(255 - layer[..., 3], cv2.COLOR_GRAY2BGR)
    return cv2.add(cv2.multiply(image, through, scale=1 / 255), np.ascontiguousarray(layer[..., :3]))


def _grade(dark: bool, rng: np.random.Generator) -> np.ndarray:
    """(256, 1, 3) look-up table: brightness, contrast and colour of the light; of the night where dark."""
    level = np.linspace(0, 1, 256)[:, None] * np.ones(3)
    level = 0.5 + (level - 0.5) * rng.uniform(0.85, 1.15) + rng.uniform(-0.05, 0.05)
    level = level * rng.uniform(0.93, 1.07, 3)
    if dark:
        level = 0.34 * np.clip(level, 0, 1) ** 1.2 * (1.15, 1.0, 0.9)
    return (np.clip(level, 0, 1) * 255).round().astype(np.uint8)[:, None, :]


def _noise(sigma: float, rng: np.random.Generator) -> list[np.ndarray]:
    """A few fields of sensor noise, grey levels, to be taken in turn."""
    fields = rng.normal(0, sigma, (5, HEIGHT_PX, WIDTH_PX, 3))
    return list(fields.round().astype(np.int16))
