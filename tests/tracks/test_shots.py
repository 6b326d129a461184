"""Where shots begin. What is held:

- cuts and dissolves of textured footage are found at their frame, in bright and in dark pictures
- flashes, pans, changes of light and noise cut nothing
- a verdict depends on the frames within `context_frames` alone: entering late changes none
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.tracks.shots import BoundaryFinder, context_frames

FPS = 24.0


def _scene(seed: int) -> np.ndarray:
    """A large textured picture, (3, 60, 120) float, to slide a window over."""
    noise = np.random.default_rng(seed).uniform(0, 255, (60, 120, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    smooth = (smooth - smooth.mean()) / smooth.std() * 45 + 120
    return np.clip(smooth, 0, 255).transpose(2, 0, 1)


def _shot(seed: int, frames: int, speed: float = 0.0, light: float = 1.0) -> np.ndarray:
    """(frames, 3, 36, 64) of a scene that slides by `speed` pixels a frame, with some noise."""
    scene = _scene(seed)
    rng = np.random.default_rng(seed + 1000)
    shift = (np.arange(frames) * speed).astype(int) % 50
    clean = np.stack([scene[:, 10:46, s : s + 64] for s in shift])
    return np.clip((clean + rng.normal(0, 3, clean.shape)) * light, 0, 255)


def _boundaries(frames: np.ndarray, start: int = 0) -> dict[int, str]:
    finder = BoundaryFinder(FPS)
    verdicts = []
    for number in range(start, len(frames)):
        verdicts += finder.push(number, frames[number].astype(np.uint8))
    verdicts += finder.finish()
    assert [number for number, _ in verdicts] == list(range(start, len(frames)))
    return {number: boundary.transition for number, boundary in verdicts if boundary is not None}


def _blend(a: np.ndarray, b: np.ndarray, frames: int) -> np.ndarray:
    share = ((np.arange(frames) + 1) / (frames + 1))[:, None, None, None]
    return np.concatenate([a[:-frames], (1 - share) * a[-frames:] + share * b[:frames], b[frames:]])


@pytest.mark.parametrize("light", [1.0, 0.15])
def test_cuts_are_found_at_their_frame(light):
    film = np.concatenate([_shot(n, 30 + 5 * n, speed=0.3, light=light) for n in range(5)])
    assert _boundaries(film) == {30: "cut", 65: "cut", 105: "cut", 150: "cut"}


@pytest.mark.parametrize("frames", [6, 12, 18, 24])
@pytest.mark.parametrize("speed", [0.0, 0.1])
def test_dissolves_are_found_near_their_middle(frames, speed):
    film = _blend(_shot(1, 70, speed), _shot(2, 70, speed), frames)
    found = _boundaries(film)
    assert list(found.values()) == ["dissolve"]
    assert abs(next(iter(found)) - (70 - frames / 2)) <= 2


def test_extent_of_a_dissolve():
    finder = BoundaryFinder(FPS)
    film = _blend(_shot(1, 70), _shot(2, 70), 12)
    verdicts = [v for n, p in enumerate(film) for v in finder.push(n, p.astype(np.uint8))]
    number, found = next((n, b) for n, b in verdicts if b is not None)
    assert abs(number - found.blended_before - 58) <= 1
    assert abs(number + found.blended_after - 70) <= 1


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_flashes_cut_nothing(frames):
    film = _shot(3, 80)
    film[40 : 40 + frames] = 250
    assert _boundaries(film) == {}


@pytest.mark.parametrize("speed", [0.5, 1, 2])
def test_pans_cut_nothing(speed):
    assert _boundaries(_shot(4, min(100, int(49 / speed)), speed)) == {}


def test_light_that_fades_up_is_no_dissolve():
    film = _shot(5, 80) * np.clip(np.linspace(-0.2, 1.4, 80), 0.3, 1.0)[:, None, None, None]
    assert _boundaries(film) == {}


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 90))
def test_entering_late_changes_no_verdict(seed, start):
    rng = np.random.default_rng(seed)
    film = _shot(seed, 20 + int(rng.integers(20)), 0.3)
    for n in range(4):
        shot = _shot(seed + n + 1, 12 + int(rng.integers(30)), float(rng.uniform(0, 1)))
        film = _blend(film, shot, 8) if rng.random() < 0.5 else np.concatenate([film, shot])
    start = min(start, len(film) - 1)
    whole = _boundaries(film)
    safe = start + context_frames(FPS)
    entered = _boundaries(film, start)
    assert {n: t for n, t in entered.items() if n >= safe} == {n: t for n, t in whole.items() if n >= safe}
