"""Where shots begin, by a rule that is local: a frame's verdict depends on the frames within `context` of it alone.

So a video may be entered anywhere and gives the same cuts, which state carried from cut to cut (minimum scene lengths,
flash filters) would not. Two frames are compared by their mean absolute difference in a small YUV picture, over the
mean contrast of the two: about 1 or more for unrelated pictures, near 0 within a shot, in dark footage as in bright.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

_WIDTH, _HEIGHT = 64, 36
_NOISE_FLOOR = 2.0  # grey levels: keeps compression noise in black frames from counting as change
_CUT_CHANGE = 0.4  # of every frame before to every frame after
_CUT_JUMP = 1.8  # the cut's step over the median step around it; a pan changes as fast, but steadily
_DISSOLVE_CHANGE = 0.5
_DISSOLVE_CORRELATION = 0.5  # above it the picture is the same, shifted or in another light
_DISSOLVE_RESIDUAL = 0.4  # of the blend, relative to the change; motion leaves 0.6 and more
_FAINT = 0.05
_DISSOLVE_CONTRAST = 0.5  # of the contrast that a blend loses and motion does not
_DISSOLVE_JUMP = 0.3  # the largest change from frame to frame, over the whole change; a flash or cut is larger
_DISSOLVE_STEP = 0.34  # the largest share of a blend in one step; more is a cut


def context_frames(fps: float) -> int:
    """How many frames before and after a frame its verdict depends on."""
    return 4 * _blend_frames(fps)


def longest_blend_frames(fps: float) -> int:
    """The most frames of a shot that may show the next one, too (`Boundary.blended_before`), or the one before."""
    return 2 * _blend_frames(fps)


def _blend_frames(fps: float) -> int:
    """A quarter of a second: half the length of the shorter blend that is looked for."""
    return max(3, round(fps / 4))


def _flash_frames(fps: float) -> int:
    """A sixth of a second: what is gone after it was a flash."""
    return max(2, round(fps / 6))


class Thumbnailer:
    """Makes the small pictures that frames are compared by."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Any) -> np.ndarray:
        """(3, 36, 64) uint8 YUV of a decoded frame; shape and orientation don't matter for comparing."""
        small = self._reformatter.reformat(
            frame, width=_WIDTH, height=_HEIGHT, format="yuv444p", interpolation=Interpolation.AREA, threads=1
        )
        return np.array(small.to_ndarray())


@dataclass(frozen=True)
class Boundary:
    """How a shot begins: `transition` is "cut" or "dissolve" (or what the caller puts there: "start", "grid").

    In a dissolve the last `blended_before` frames of the shot before and the first `blended_after` show both shots.
    """

    transition: str
    blended_before: int = 0
    blended_after: int = 0


class _Look:
    """A frame's small picture, and what comparing it with others takes."""

    def __init__(self, thumbnail: np.ndarray, before: _Look | None):
        self.levels = np.ascontiguousarray(thumbnail.reshape(3, -1))  # uint8
        self.pixels = self.levels.astype(np.float32)
        self.centred = self.pixels - self.pixels.mean(1, keepdims=True)
        self.contrast = float(np.abs(self.centred).mean()) + _NOISE_FLOOR
        self.step = 0.0 if before is None else _change(before, self)  # change from the frame before

    @cached_property
    def energy(self) -> np.float32:
        """Sum of squares about each channel's mean."""
        return (self.centred * self.centred).sum()

    def standing_still(self) -> _Look:
        """The same picture in the next frame."""
        return _Look(self.levels, self)


def _change(a: _Look, b: _Look) -> float:
    # A sum of whole numbers, which has no rounding. OpenCV takes a tenth of numpy's time for it.
    return float(np.float32(cv2.norm(a.levels, b.levels, cv2.NORM_L1) / a.levels.size)) / (
        0.5 * (a.contrast + b.contrast)
    )


class BoundaryFinder:
    """Finds the frames where a shot begins, in a stream of small pictures.

    Feed frames in order with `push`; verdicts come `context_frames` later, in order, and the rest with `finish`. The
    frames of the first `context_frames` after a start that is not the video's lack context: ignore their verdicts.
    """

    def __init__(self, fps: float):
        self._blend = _blend_frames(fps)
        self._flash = _flash_frames(fps)
        self.context = context_frames(fps)
        self._looks: deque[_Look] = deque()
        self._scores: dict[int, float] = {}
        self._first = 0  # number of the first look that is kept
        self._next = 0  # first frame without a verdict

    def push(self, number: int, thumbnail: np.ndarray) -> list[tuple[int, Boundary | None]]:
        """Take a frame's small picture; return (frame, `Boundary` or None) for all that it decides.

        A gap in the numbers (frames that cannot be decoded) counts as a standstill.
        """
        if not self._looks:
            self._first = self._next = number
        while self._end < number:
            self._looks.append(self._looks[-1].standing_still())
        self._looks.append(_Look(thumbnail, self._looks[-1] if self._looks else None))
        verdicts = []
        while self._next + self.context < self._end:
            verdicts.append(self._decide())
        return verdicts

    def finish(self) -> list[tuple[int, Boundary | None]]:
        """The verdicts that still waited for context, at the end of the video."""
        verdicts = []
        while self._next < self._end:
            verdicts.append(self._decide())
        return verdicts

    @property
    def _end(self) -> int:
        return self._first + len(self._looks)

    def _decide(self) -> tuple[int, Boundary | None]:
        number = self._next
        verdict: Boundary | None = None
        if self._is_cut(number):
            verdict = Boundary("cut")
        elif self._is_dissolve(number):
            verdict = Boundary("dissolve", *self._blended(number))
        self._next += 1
        while self._first < self._next - self.context:
            self._looks.popleft()
            self._scores.pop(self._first, None)
            self._first += 1
        return number, verdict

    def _look(self, number: int) -> _Look:
        return self._looks[number - self._first]

    def _step(self, number: int) -> float:
        """Change from the frame before."""
        if number - 1 < self._first or number >= self._end:
            return 0.0
        return self._look(number).step

    def _is_cut(self, number: int) -> bool:
        """Whether all frames shortly before differ from all shortly after, by a step that stands out."""
        step = self._step(number)
        if step < _CUT_CHANGE:
            return False
        before = [self._step(n) for n in range(number - self._flash, number)]
        after = [self._step(n) for n in range(number + 1, number + self._flash + 1)]
        # `>=` on one side makes the earlier of two equal steps win.
        if step <= max(before) or step < max(after) or step < _CUT_JUMP * float(np.median(before + after)):
            return False
        old = [self._look(n) for n in range(max(self._first, number - self._flash), number)]
        new = [self._look(n) for n in range(number, min(self._end, number + self._flash))]
        return all(_change(a, b) >= _CUT_CHANGE for a in old for b in new)

    def _is_dissolve(self, number: int) -> bool:
        """Whether a blend of two pictures is at its middle here, and better than anywhere within half a second."""
        score = self._dissolve_score(number)
        if score <= 0:
            return False
        reach = 2 * self._blend
        return all(self._dissolve_score(n) < score for n in range(number - reach, number)) and all(
            self._dissolve_score(n) <= score for n in range(number + 1, number + reach + 1)
        )

    def _dissolve_score(self, number: int) -> float:
        if number not in self._scores:
            self._scores[number] = max(self._blend_score(number, self._blend * times) for times in (1, 2))
        return self._scores[number]

    def _blend_score(self, number: int, half: int) -> float:
        """How well the frames from `number - half` to `number + half` are a blend from the first to the last.

        The share of the last in them has to rise through 1/2 at `number`, without a jump, and what the projection on
        the two leaves over has to be small.
        """
        if number - half < self._first or number + half >= self._end:
            return 0.0
        old, new = self._look(number - half), self._look(number + half)
        change = _change(old, new)
        if change < _DISSOLVE_CHANGE or _correlation(old, new) > _DISSOLVE_CORRELATION:
            return 0.0
        if max(self._step(n) for n in range(number - half + 1, number + half + 1)) > _DISSOLVE_JUMP * change:
            return 0.0
        shares, residual = self._shares(number, half)
        if self._keeps_contrast(number, half) > _DISSOLVE_CONTRAST:
            return 0.0
        if not 0.3 <= shares[half] <= 0.7 or residual > _DISSOLVE_RESIDUAL or np.diff(shares).max() > _DISSOLVE_STEP:
            return 0.0
        return change * (1 - residual) * (1 - abs(2 * float(shares[half]) - 1))

    def _shares(self, number: int, half: int) -> tuple[np.ndarray, float]:
        """Share of the last picture in each from `number - half` to `number + half`, and the largest residual.

        Each picture is projected on the line from the first to the last; the residual is what is off that line, over
        the line's length.
        """
        old = self._look(number - half).pixels
        way = self._look(number + half).pixels - old
        length = float((way * way).sum()) + 1e-9
        off = np.stack([self._look(n).pixels - old for n in range(number - half, number + half + 1)])
        shares = (off * way).sum((1, 2)) / length
        off -= shares[:, None, None] * way
        return shares, float(np.sqrt((off * off).sum((1, 2)).max() / length))

    def _keeps_contrast(self, number: int, half: int) -> float:
        """How much of the contrast that a blend of two unlike pictures loses is there in the middle one after all.

        About 0 in a dissolve; about 1 where the picture moves or the frames are one scene.
        """
        old, middle, new = (self._look(n).centred for n in (number - half, number, number + half))
        blend = 0.5 * (old + new)
        lost = float((0.25 * (old - new) ** 2).sum()) + 1e-9
        return float((middle * middle - blend * blend).sum()) / lost

    def _blended(self, number: int) -> tuple[int, int]:
        """How many frames before and from a dissolve's middle on show both shots (a share of 1/20 and more)."""
        half = max((self._blend * times for times in (1, 2)), key=lambda half: (self._blend_score(number, half), half))
        shares, _ = self._shares(number, half)
        return int((shares[:half] > _FAINT).sum()), int((shares[half:] < 1 - _FAINT).sum())


def _correlation(a: _Look, b: _Look) -> float:
    """Correlation of two pictures, each channel about its mean."""
    return float((a.centred * b.centred).sum() / np.sqrt(a.energy * b.energy + 1e-9))
