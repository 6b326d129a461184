"""Histograms of titles side by side: the quality, light and blur of their tracks (S Fig. 1, S Fig. 2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vcn_ray.errors import InputError
from vcn_ray.plots.attributes import SINGULAR_VALUES
from vcn_ray.plots.style import COLOURS, LINES, add_legend, add_note, plain
from vcn_ray.plots.title_data import CROPS_PER_TRACK, TitleData

#: So many titles are lines over one another; of more each is a row of its own.
MOST_LINES = 5
MOST_ROWS = 60

_BIN_WIDTHS = (0.005, 0.01, 0.02, 0.05, 0.1)  # of values in 0..1
_MOST_BINS = 14


def quality_figure(titles: Sequence[TitleData]) -> Figure:
    """Share of each title's tracks by SER-FIQ quality (S Fig. 1).

    The supplement: the mean of the scores of a track's sampled crops, with embeddings of ArcFace-R100. Here the network
    is that of the run (SFace by default), with five passes of dropout on its last linear layer's input, and 1 is a crop
    that dropout changes nothing about; so titles of one run compare, and numbers of another network do not.
    """
    return _figure(
        titles,
        lambda title: title.quality,
        "SER-FIQ quality of a track (no unit; 0 worst, 1 best)",
        "Mean over the track's sampled crops, by the run's face-ID network; tracks without a crop have none.",
    )


def lightness_figure(titles: Sequence[TitleData]) -> Figure:
    """Share of each title's tracks by the lightness of its face crops (S Fig. 2).

    The supplement: the mean lightness L of a face crop in HLS space, of a track the mean over its sampled crops; its
    scale is not given, ours is 0 to 1. See `attributes.lightness`.
    """
    return _figure(
        titles,
        lambda title: title.attributes["lightness"],
        "HLS lightness of a track's faces (0 black, 1 white)",
        f"Mean over at most {CROPS_PER_TRACK} aligned crops a track.",
    )


def blur_figure(titles: Sequence[TitleData]) -> Figure:
    """Share of each title's tracks by how blurred its face crops are (S Fig. 2).

    The supplement: a measure by singular values that falls with blur, of a track the mean over its sampled crops; the
    number of values and the scale are not given. See `attributes.svd_sharpness`.
    """
    return _figure(
        titles,
        lambda title: title.attributes["sharpness"],
        f"SVD sharpness of a track's faces: 1 − share of the {SINGULAR_VALUES} largest singular values (low: blurred)",
        f"Mean over at most {CROPS_PER_TRACK} aligned grey crops of 112 × 112 pixels a track; what is enlarged to that "
        "counts as blurred.",
    )


def _figure(titles: Sequence[TitleData], measure: Callable[[TitleData], np.ndarray], what: str, note: str) -> Figure:
    values = [(title.id, np.asarray(measure(title), np.float64)) for title in titles]
    values = [(name, own) for name, own in values if len(own)]
    if not values:
        raise InputError("no title has a track with a crop to measure")
    low = min(float(own.min()) for _, own in values)
    high = max(float(own.max()) for _, own in values)
    # The narrowest bins that are few enough for the tracks of a short title.
    bin_width = next(width for width in _BIN_WIDTHS if high - low <= _MOST_BINS * width)
    first, last = math.floor(low / bin_width + 1e-9), math.floor(high / bin_width + 1e-9) + 1
    edges = np.arange(first, last + 1) * bin_width
    left_out = max(0, len(values) - MOST_ROWS)
    if left_out:
        values, note = values[:MOST_ROWS], f"{note} {left_out} more titles are left out; --title takes one."
    if len(values) <= MOST_LINES:
        figure = Figure(figsize=(7, 4.2))
        axes = figure.subplots()
        _draw_lines(figure, axes, values, edges)
    else:
        figure = Figure(figsize=(7, 1.6 + 0.22 * len(values)))
        axes = figure.subplots()
        _draw_rows(figure, axes, values, edges)
    axes.set_xlabel(what)
    add_note(figure, note)
    return figure


def _percent(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    # Values on the last edge but for rounding are in the last bin.
    count, _ = np.histogram(values.clip(edges[0], edges[-1]), edges)
    return 100 * count / len(values)


def _label(name: str, values: np.ndarray) -> str:
    return f"{plain(name)}: {len(values)} {'track' if len(values) == 1 else 'tracks'}, mean {values.mean():.2f}"


def _draw_lines(figure: Figure, axes: Axes, values: Sequence[tuple[str, np.ndarray]], edges: np.ndarray) -> None:
    handles = []
    for number, (_, own) in enumerate(values):
        handles.append(
            axes.stairs(
                _percent(own, edges),
                edges,
                color=COLOURS[number],
                linestyle=LINES[number],
                linewidth=1.8 if number else 1.4,
                fill=False,
            )
        )
        if len(values) == 1:
            axes.stairs(_percent(own, edges), edges, fill=True, color="#d9d9d9", zorder=0)
    axes.set_ylabel("Tracks of the title (%)")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    labels = [_label(*one) for one in values]
    add_legend(figure, handles, labels, loc="outside upper left")


def _draw_rows(figure: Figure, axes: Axes, values: Sequence[tuple[str, np.ndarray]], edges: np.ndarray) -> None:
    shares = np.stack([_percent(own, edges) for _, own in values])
    mesh = axes.pcolormesh(edges, np.arange(len(values) + 1) - 0.5, shares, cmap="Greys", vmin=0)
    for row, (_, own) in enumerate(values):
        axes.plot([own.mean()] * 2, [row - 0.42, row + 0.42], color="white", linewidth=3.4, solid_capstyle="butt")
        axes.plot([own.mean()] * 2, [row - 0.42, row + 0.42], color=COLOURS[2], linewidth=1.6, solid_capstyle="butt")
    axes.set_yticks(range(len(values)), [f"{plain(name)} ({len(own)})" for name, own in values])
    axes.invert_yaxis()
    axes.set_ylabel("Title (tracks); the mark is the mean")
    axes.tick_params(axis="y", length=0)
    figure.colorbar(mesh, ax=axes, label="Tracks of the title (%)", aspect=30, pad=0.02)
