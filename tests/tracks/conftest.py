"""Small videos written with PyAV, and real faces from installed packages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import insightface
import numpy as np
import pytest
import skimage.data

STAMP_BITS = 10
_BIT_PX = 16


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    fps: int = 24,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    times: list[int] | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    container_options: dict[str, str] | None = None,
    set_up: Callable[[Any], None] | None = None,
) -> Path:
    """Encode BGR frames; `times` are presentation times in 1/1000 s (default: constant rate)."""
    frames = list(frames)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.thread_count = 1
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        if set_up is not None:
            set_up(stream)
        for n, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            frame.pts = n if times is None else times[n]
            frame.time_base = Fraction(1, fps) if times is None else Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def stamped(number: int, width: int = 192, height: int = 108) -> np.ndarray:
    """A picture that says its number in black and white squares, over a moving gradient."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([(rows + 3 * number) % 200, (columns + number) % 200, (rows + columns) % 200], axis=2)
    picture = picture.astype(np.uint8)
    for bit in range(STAMP_BITS):
        picture[:_BIT_PX, bit * _BIT_PX : (bit + 1) * _BIT_PX] = 255 * (number >> bit & 1)
    return picture


def read_stamp(picture: np.ndarray) -> int:
    """The number that `stamped` wrote."""
    bits = [picture[4 : _BIT_PX - 4, b * _BIT_PX + 4 : (b + 1) * _BIT_PX - 4].mean() > 127 for b in range(STAMP_BITS)]
    return sum(1 << b for b, is_set in enumerate(bits) if is_set)


class Videos:
    """What tests call to make videos."""

    write = staticmethod(write_video)
    stamped = staticmethod(stamped)
    read_stamp = staticmethod(read_stamp)


@pytest.fixture(scope="session")
def videos() -> type[Videos]:
    """The video writer and the stamped pictures."""
    return Videos


@pytest.fixture(scope="session")
def portraits() -> list[np.ndarray]:
    """Pictures of three people and of a group, BGR."""
    images = Path(insightface.__file__).parent / "data" / "images"
    astronaut = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)[:280, 80:380]
    group = cv2.imread(str(images / "t1.jpg"))
    hanks = cv2.imread(str(images / "Tom_Hanks_54745.png"))
    return [astronaut, hanks, group]
