"""How far the product's confidence can be trusted: every judged track kept, and a line a method to read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.benchmarks.quality.model_selection import Row
from jobs.benchmarks.quality.tables import QUALITY, Grid, answer_file
from vcn_ray.evaluate.reliability import EDGES, Reliability

_OF_ROW = ("season", "degraded", "kind", "case", "tracks_of", "method", "setting", "seed")

#: One row per true track in a cluster, of each row of the long table whose answer says how confident it is.
CONFIDENCE = pa.schema(
    [*(QUALITY.field(name) for name in _OF_ROW), ("confidence", pa.float32()), ("right", pa.bool_())]
)


def store_confidence(rows: Sequence[Row], stem: Path) -> None:
    """Write STEM-confidence.parquet (`CONFIDENCE`); the rows are those of `choice.rows_of`."""
    tracks = [
        {**{name: row[name] for name in _OF_ROW}, "confidence": confidence, "right": right}
        for row in rows
        if row["reliability"] is not None
        for confidence, right in row["reliability"].judged
    ]
    pq.write_table(pa.Table.from_pylist(tracks, CONFIDENCE), answer_file(stem, "-confidence.parquet"))


def reliability_grids(rows: Sequence[Row]) -> list[Grid]:
    """A table for detected and one for true tracks: methods down, bins of confidence across, seasons and cases pooled.

    A track counts once in every case and seed that it is in.
    """
    judged = [row for row in rows if row["reliability"] is not None]
    bins = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
    grids = []
    for tracks_of in dict.fromkeys(row["tracks_of"] for row in judged):
        of_these = [row for row in judged if row["tracks_of"] == tracks_of]
        lines = []
        for method in dict.fromkeys(row["method"] for row in of_these):
            parts = [row["reliability"] for row in of_these if row["method"] == method]
            lines.append((method, *reliability_cells(Reliability.pooled(parts))))
        title = f"confidence, {tracks_of} tracks, all cases: tracks, their mean confidence, share that is right"
        grids.append(Grid(title, ("method", *bins, "calibration error", "Brier", "AUC"), tuple(lines)))
    return grids


def reliability_cells(found: Reliability) -> list[str]:
    """Each bin's tracks, mean confidence and share right; calibration error, Brier, AUC."""
    cells = ["" if b.right is None else f"{b.tracks}: {b.mean_confidence:.3f}, {b.right:.3f}" for b in found.bins]
    auc = "" if found.auc is None else f"{found.auc:.3f}"
    return [*cells, f"{found.calibration_error:.3f}", f"{found.brier:.3f}", auc]
