"""Drawing on planes: what is filled leaves nothing of what was there, colours are those that a player shows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vcn_ray.overlay.labels import label_picture, missing_letters, plain
from vcn_ray.overlay.planes import Canvas, Paint

INFO: Any = SimpleNamespace(transfer="sdr", height_px=48)
sides = st.floats(-20, 100)


def _frame(seed: int, pixels: str = "yuv420p") -> Any:
    picture = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)


def _planes(frame: Any) -> list[np.ndarray]:
    return [plane.copy() for plane in Canvas(frame).planes]


@settings(max_examples=60, deadline=None)
@given(x=sides, y=sides, w=st.floats(0, 60), h=st.floats(0, 60), pixels=st.sampled_from(["yuv420p", "yuv420p10le"]))
@example(x=0.0, y=0.0, w=1.0, h=5e-324, pixels="yuv420p")
def test_what_is_filled_is_one_colour_that_tells_nothing_of_it(
    x: float, y: float, w: float, h: float, pixels: str
) -> None:
    """Two frames that differ in the box alone become the same one, and outside of it stay as they were."""
    box = np.array([x, y, x + w, y + h])
    one, other = _frame(1, pixels), _frame(1, pixels)
    for plane, step in zip(Canvas(other).planes, (1, 2, 2), strict=True):
        down, across = (np.arange(size) * step for size in plane.shape)
        inside = ((down + step > y) & (down < y + h))[:, None] & ((across + step > x) & (across < x + w))[None]
        plane[inside] = 77
    before = _planes(one)
    for frame in (one, other):
        Canvas(frame).fill(box)
    for plane, same, old in zip(_planes(one), _planes(other), before, strict=True):
        np.testing.assert_array_equal(plane, same)
        changed = np.argwhere(plane != old)
        if len(changed):
            (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
            assert len(np.unique(plane[top : bottom + 1, left : right + 1])) == 1
            step = old.shape[0] != 48
            unit = 2 if step else 1
            assert top * unit >= y - 2
            assert left * unit >= x - 2
            assert bottom * unit <= y + h + 2
            assert right * unit <= x + w + 2


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 158, 115), (255, 255, 255), (0, 0, 0)])
def test_colours_are_those_that_are_shown(rgb: tuple[int, int, int]) -> None:
    frame = _frame(2)
    paint = Paint(frame, INFO)
    rgba = np.broadcast_to(np.array([*rgb, 255], np.uint8), (20, 30, 4))
    Canvas(frame).paste(paint.sticker(rgba), 10, 10)
    shown = frame.to_ndarray(format="rgb24")[14:26, 14:36]
    assert np.abs(shown.astype(int) - rgb).max() <= 4


def test_stickers_and_boxes_may_reach_beyond_the_picture() -> None:
    frame = _frame(3)
    before = _planes(frame)
    paint, canvas = Paint(frame, INFO), Canvas(frame)
    large = paint.sticker(np.full((60, 100, 4), 255, np.uint8))
    for x, y in ((-50, -50), (60, 44), (0, 0), (1000, 1000)):
        canvas.paste(large, x, y)
    assert (frame.to_ndarray(format="rgb24") > 250).all()
    frame = _frame(3)
    canvas = Canvas(frame)
    canvas.outline(np.array([-30.0, -30.0, 100.0, 90.0]), paint.yuv(np.ones(3)), 2)
    for plane, old in zip(canvas.planes, before, strict=True):
        np.testing.assert_array_equal(plane, old)
    canvas.outline(np.array([10.0, 10.0, 30.0, 30.0]), paint.yuv(np.ones(3)), 2)
    assert (canvas.planes[0][10:12, 10:30] == 235).all()
    assert (canvas.planes[0][12:28, 12:28] == before[0][12:28, 12:28]).all()


@settings(max_examples=30, deadline=None)
@given(text=st.text("aÉ日本<&\"'=\n\t\x00\ud800\u202eߍ\U0001f642 ", max_size=80))
def test_any_name_can_be_drawn(text: str) -> None:
    picture = label_picture(text, "#56b4e9", 16)
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    assert picture.shape[1] < 40 * 16 * 2
    assert len(plain(text)) <= 40
    assert "\n" not in plain(text)


def test_letters_that_no_font_has_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcn_ray.overlay.labels._installed", list)
    from vcn_ray.overlay.labels import _font_with

    _font_with.cache_clear()
    assert missing_letters(["Überraschung é 日本 <b>", "日"]) == "日本"
    _font_with.cache_clear()
    drawn, without = (label_picture(name, "#000000", 20) for name in ("é <b>", " "))
    assert drawn.shape[1] > without.shape[1]
    assert (drawn[..., :3] > 200).any()  # white letters on a dark ground


def test_a_font_is_looked_for_among_those_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from vcn_ray.overlay import labels

    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    monkeypatch.setattr(labels, "_installed", lambda: [str(broken), "other.ttf"])
    letters = labels._letters
    monkeypatch.setattr(labels, "_letters", lambda path: {ord("日")} if path == "other.ttf" else letters(path))
    labels._font_with.cache_clear()
    assert labels._font_with("日") == "other.ttf"
    assert labels._font_with("本") is None
    labels._font_with.cache_clear()
