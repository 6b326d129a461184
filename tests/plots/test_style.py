"""Names are drawn as they are, without warnings; figures are the same bytes each time."""

import warnings

import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vcn_ray.plots.style import COLOURS, FILLS, HATCHES, KINDS, LINES, MARKERS, Kind, add_legend, drawing, plain, render

HOSTILE = ["Überraschung é 日本", "$x^2$", "$\\frac{$", "_hidden", "<b>&amp;", "=1+1", "a\nb\x00\u202ec", "", "100 %"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_any_name_is_drawn(kind: Kind) -> None:
    names = [plain(name) for name in HOSTILE]
    with warnings.catch_warnings(), drawing():
        warnings.simplefilter("error")
        figure = Figure(figsize=(8, 6))
        axes = figure.subplots()
        axes.set_title("; ".join(names))
        axes.set_yticks(range(len(names)), names)
        add_legend(figure, [Line2D([], []) for _ in names], names, loc="outside upper left")
        assert [text.get_text() for legend in figure.legends for text in legend.get_texts()] == names
        assert len(render(figure, kind)) > 1000


def test_plain_keeps_to_one_short_line() -> None:
    assert plain(" a\n b\x00\u202ec ") == "a bc"
    assert plain("x" * 50) == "x" * 31 + "…"
    assert plain("$5 and _x") == "$5 and _x"
    assert plain("\U0010fffd") == ""  # of nobody's: no character
    assert plain("\U00013000") == "□"  # a hieroglyph


def test_the_same_figure_gives_the_same_bytes() -> None:
    def draw(kind: Kind) -> bytes:
        with drawing():
            figure = Figure(figsize=(3, 2))
            figure.subplots().bar([1], [2], hatch="//")
            return render(figure, kind)

    for kind in KINDS:
        assert draw(kind) == draw(kind)


def test_no_two_looks_are_the_same_in_grey() -> None:
    def grey(colour: str) -> float:
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    assert len(set(MARKERS)) == len(MARKERS)
    assert len(set(map(str, LINES))) == len(LINES) == len(COLOURS)
    assert len(set(HATCHES)) == len(HATCHES) == len(FILLS)
    assert all(grey(colour) < 160 or colour == "#cc79a7" for colour in COLOURS)  # dark enough on white
