"""Tracks in which two people were found, cut in two: where, and the tables of faces and crops after it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.schemas import SPLITS
from vcn_ray.tracks.duplicates import box_overlaps, boxes_of


def plan_splits(faces: pa.Table, changes: Iterable[tuple[int, int, int]], first_new_id: int) -> pa.Table:
    """Where tracks are cut (`schemas.SPLITS`), from the crops between which their person changes.

    Cut where two consecutive boxes overlap least (the first of equals): a switch seldom happens without a jump. New
    numbers are given in order of track and frame, so they follow from the content alone.

    Args:
        faces: `schemas.STAGE1_FACES` of the title.
        changes: (track, frame of the last crop before, frame of the first crop after).
        first_new_id: above all tracks of the title.
    """
    rows = []
    for number, (track, before, after) in enumerate(sorted(changes)):
        own = faces.filter(pc.equal(faces["track_id"], track)).sort_by("frame")
        frames = own["frame"].to_numpy()
        between = np.flatnonzero((frames > before) & (frames <= after))
        boxes = boxes_of(own)
        overlap = box_overlaps(boxes[between - 1], boxes[between])
        cut = int(frames[between[int(np.argmin(overlap))]])
        rows.append({"track_id": track, "first_frame": cut, "new_track_id": first_new_id + number})
    return pa.Table.from_pylist(rows, schema=SPLITS)


def split_track_ids(tracks: np.ndarray, frames: np.ndarray, splits: pa.Table) -> np.ndarray:
    """Track of each face or crop after the splits. tracks, frames: (n,) int; splits: as `plan_splits` gives them."""
    after = tracks.copy()
    for row in splits.to_pylist():  # a track's later cuts come after its earlier ones
        after[(tracks == row["track_id"]) & (frames >= row["first_frame"])] = row["new_track_id"]
    return after


def split_table(table: pa.Table, splits: pa.Table) -> pa.Table:
    """Faces or crops with the tracks that they have after the splits, in their old order.

    table: has columns track_id and frame, as `schemas.STAGE1_FACES` and `schemas.CROPS`; splits: `schemas.SPLITS`.
    """
    if not splits.num_rows:
        return table
    after = split_track_ids(table["track_id"].fill_null(-1).to_numpy(), table["frame"].to_numpy(), splits)
    column = table.schema.get_field_index("track_id")
    return table.set_column(column, table.schema.field(column), pa.array(after, pa.int64(), mask=after < 0))
