"""How all figures look: readable in grey, the same bytes each time, and safe for whatever a title is called."""

from __future__ import annotations

import io
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.patheffects import withStroke

Kind = Literal["png", "svg"]
KINDS: tuple[Kind, ...] = ("png", "svg")

#: Pixels per inch of a PNG.
DPI = 150

#: Of different lightness, so that they differ in grey as well (after Okabe and Ito's palette for the colour-blind).
COLOURS = ("#0b0b0b", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (7, 2, 1, 2, 1, 2)), (0, (1, 3)), (0, (10, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "h")
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++")
FILLS = ("#4d4d4d", "#c6dbef", "#ffffff", "#fdae6b", "#9e9ac8", "#a1d99b")

#: What is said beside the data.
QUIET = "#555555"

#: Fonts that have what matplotlib's own lacks; those that are installed are used.
_WIDE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "IPAGothic",
    "Hiragino Sans",
    "Yu Gothic",
    "MS Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
)
_NO_GLYPH = "□"


@contextmanager
def drawing() -> Iterator[None]:
    """Within it figures are made in our style, whatever the user's own settings of matplotlib are.

    No text is taken for a formula: names hold dollar signs.
    """
    ours = {
        "font.family": ["DejaVu Sans", *_installed_wide_fonts()],
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.dpi": DPI,
        "figure.constrained_layout.use": True,
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
        "legend.handlelength": 3.2,
        "svg.fonttype": "path",  # looks the same where the fonts are not
        "svg.hashsalt": "vcn-ray",
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
    }
    with matplotlib.style.context(["default", ours]):
        yield


def render(figure: Figure, kind: Kind) -> bytes:
    """A figure as a file; the same figure gives the same bytes. To be called within `drawing`."""
    sink = io.BytesIO()
    dated = {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(sink, format=kind, dpi=DPI, metadata=dated)
    return sink.getvalue()


def plain(text: str, most: int = 32) -> str:
    """A name in one line of at most `most` characters, without what would steer the text around it.

    A character that no font here has is drawn as □.
    """
    kept = "".join(one for one in " ".join(text.split()) if unicodedata.category(one)[0] != "C")
    short = kept if len(kept) <= most else kept[: most - 1].rstrip() + "…"
    return "".join(one if any(ord(one) in glyphs for glyphs in _glyphs()) else _NO_GLYPH for one in short)


def add_legend(place: Axes | Figure, handles: Sequence[Artist], labels: Sequence[str], **where: Any) -> None:
    """A legend of names as they are: matplotlib would leave out those that begin with an underscore."""
    if not handles:
        return
    widest = max(labels, key=len)
    legend = place.legend(list(handles), ["x" * len(widest)] * len(handles), **where)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)


def add_note(figure: Figure, text: str) -> None:
    """A line or two below a figure, on what it shows and by which settings."""
    columns = int(figure.get_figwidth() * 16)
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, columns)]
    figure.supxlabel("\n".join(lines), fontsize=7.5, color=QUIET, x=0.01, ha="left")


def add_halo(artist: Any) -> None:
    """Put white around a text that lies on data."""
    artist.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


@cache
def _installed_wide_fonts() -> tuple[str, ...]:
    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _WIDE_FONTS if name in installed)


@cache
def _glyphs() -> tuple[frozenset[int], ...]:
    """The characters of each font that is used."""
    names = ("DejaVu Sans", *_installed_wide_fonts())
    return tuple(frozenset(get_font(findfont(FontProperties(family=[name]))).get_charmap()) for name in names)
