"""Names as small pictures: in any script, with a font of this machine that has its letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.font_manager import findSystemFonts
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

#: Of different lightness (after Okabe and Ito's palette for the colour-blind); more characters than these share them.
COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00")
UNKNOWN_COLOUR = "#bbbbbb"

_LONGEST = 40  # letters
_OWN = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


def rgb(colour: str) -> np.ndarray:
    """(3,) of 0..1 of "#rrggbb"."""
    return np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])


def plain(text: str) -> str:
    """The text on one line, without control characters, cut off where it is long."""
    shown = "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text)
    shown = " ".join(shown.split())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def missing_letters(texts: Sequence[str]) -> str:
    """Letters that no font of this machine has."""
    letters = dict.fromkeys(letter for text in texts for letter in plain(text))
    return "".join(letter for letter in letters if not letter.isspace() and _font_with(letter) is None)


def label_picture(text: str, colour: str, size_px: int) -> np.ndarray:
    """(h, w, 4) uint8 RGBA with even sides: the text on a ground of a colour ("#rrggbb"), letters `size_px` high."""
    ground = tuple(round(255 * part) for part in rgb(colour))
    ink = (0, 0, 0) if np.dot(rgb(colour), (0.299, 0.587, 0.114)) > 0.45 else (255, 255, 255)
    runs = [
        (ImageFont.truetype(path or str(_OWN), size_px), "".join(letters))
        for path, letters in groupby(plain(text), _font_with)
    ]
    margin = max(2, size_px // 4)
    width = round(sum(font.getlength(run) for font, run in runs)) + 2 * margin
    height = round(size_px * 1.2) + margin
    picture = Image.new("RGBA", (width + width % 2, height + height % 2), (*ground, 255))
    draw, x = ImageDraw.Draw(picture), float(margin)
    for font, run in runs:
        draw.text((x, height - margin // 2 - size_px * 0.25), run, font=font, fill=(*ink, 255), anchor="ls")
        x += font.getlength(run)
    return np.asarray(picture)


@cache
def _font_with(letter: str) -> str | None:
    """Path of a font that has a letter: matplotlib's own where it does; None where there is none."""
    if letter.isspace() or ord(letter) in _letters(str(_OWN)):
        return str(_OWN)
    return next((path for path in _installed() if ord(letter) in _letters(path)), None)


@cache
def _installed() -> list[str]:
    # Upright and plain before bold and slanted; the rest by name, so that a machine draws the same each time.
    odd = ("bold", "italic", "oblique", "mono", "serif", "light", "condensed", "narrow", "black", "thin")
    return sorted(findSystemFonts(), key=lambda path: (sum(word in Path(path).name.lower() for word in odd), path))


@cache
def _letters(path: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (RuntimeError, OSError, ValueError):  # a font that cannot be read has no letters
        return frozenset()
