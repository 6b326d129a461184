"""How far the product's confidence can be trusted: every judged track kept, and a line a method to read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.benchmarks.quality.judged import reliability_of
from jobs.benchmarks.quality.model_selection import Row
from jobs.benchmarks.quality.report.sizes import MIDDLE_TRACKS, SIZES, SMALL_TRACKS, size_of, true_tracks
from jobs.benchmarks.quality.report.tables import QUALITY, Grid, answer_file
from vcn_ray.evaluate.reliability import EDGES, Reliability

_OF_ROW = ("season", "degraded", "kind", "case", "tracks_of", "method", "setting", "seed")

#: One row per true track in a cluster, of each row of the long table whose answer says how confident it is.
CONFIDENCE = pa.schema(
    [
        *(QUALITY.field(name) for name in _OF_ROW),
        ("true_tracks", pa.int64()),  # of the title
        ("confidence", pa.float32()),
        ("right", pa.bool_()),  # as `reliability.right_tracks` has it: pieces of somebody who is split are wrong, too
        ("of_majority", pa.bool_()),  # shows whom most tracks of its cluster show
    ]
)

_BINS = tuple(f"{low:g} to {high:g}" for low, high in pairwise(EDGES))
_FIGURES = (
    *("titles", "tracks", "right", "calibration error", "Brier", "AUC"),
    *("wrong among the 10 % least confident", "calibration error, splits wrong too"),
)
_SIZES = f"small up to {SMALL_TRACKS} true ones, long more than {MIDDLE_TRACKS}"
_WRONG = "Wrong: a track that does not show whom most of its cluster show; in the last column a piece of a split, too."


def store_confidence(rows: Sequence[Row], stem: Path) -> None:
    """Write STEM-confidence.parquet (`CONFIDENCE`); the rows are those of `choice.rows_of`."""
    tracks = [
        {**{name: row[name] for name in _OF_ROW}, "true_tracks": true_tracks(row), **track._asdict()}
        for row in rows
        if row["judged"] is not None
        for track in row["judged"]
    ]
    pq.write_table(pa.Table.from_pylist(tracks, CONFIDENCE), answer_file(stem, "-confidence.parquet"))


def reliability_grids(rows: Sequence[Row]) -> list[Grid]:
    """Two tables for detected and two for true tracks: by size of title and method, figures and curves.

    A track is wrong there if it does not show whom most tracks of its cluster show. Titles of a size are pooled; a
    track counts once in every case and seed that it is in.
    """
    judged = [row for row in rows if row["judged"] is not None]
    grids = []
    for tracks_of in dict.fromkeys(row["tracks_of"] for row in judged):
        figures, curves = [], []
        for size in SIZES:
            of_size = _once([row for row in judged if row["tracks_of"] == tracks_of and size_of(row) == size])
            for method in dict.fromkeys(row["method"] for row in of_size):
                own = [row for row in of_size if row["method"] == method]
                found = reliability_of((track for row in own for track in row["judged"]), by_majority=True)
                figures.append((size, method, *_figures(own, found)))
                curves.append((size, method, *reliability_cells(found)[: len(_BINS)]))
        title = f"confidence by size of title, {tracks_of} tracks: {_SIZES}"
        grids.append(Grid(title, ("size", "method", *_FIGURES), tuple(figures), _WRONG))
        title = f"confidence, curves by size of title, {tracks_of} tracks: tracks, their mean confidence, share right"
        grids.append(Grid(title, ("size", "method", *_BINS), tuple(curves), _WRONG))
    return grids


def _once(rows: Sequence[Row]) -> list[Row]:
    """The rows without those of titles that are there under another kind of case."""
    names = ("season", "degraded", "case", "method", "setting", "seed")
    return list({tuple(row[name] for name in names): row for row in rows}.values())


def _figures(rows: Sequence[Row], found: Reliability) -> list[str]:
    """As `_FIGURES` says; found: that of all their tracks."""
    titles = len({(row["season"], row["degraded"], row["case"]) for row in rows})
    right = sum(is_right for _, is_right in found.judged) / len(found.judged)
    caught = found.wrong_among_least_confident()
    of_splits = reliability_of((track for row in rows for track in row["judged"]), by_majority=False)
    counts = [str(titles), str(len(found.judged)), f"{right:.3f}"]
    shares = ["" if caught is None else f"{caught:.2f}", f"{of_splits.calibration_error:.3f}"]
    return [*counts, *reliability_cells(found)[len(_BINS) :], *shares]


def reliability_cells(found: Reliability) -> list[str]:
    """Each bin's tracks, mean confidence and share right; calibration error, Brier, AUC."""
    cells = ["" if b.right is None else f"{b.tracks}: {b.mean_confidence:.3f}, {b.right:.3f}" for b in found.bins]
    auc = "" if found.auc is None else f"{found.auc:.3f}"
    return [*cells, f"{found.calibration_error:.3f}", f"{found.brier:.3f}", auc]
