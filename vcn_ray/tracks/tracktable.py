"""The table of tracks, from their faces and crops."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa

from vcn_ray import schemas
from vcn_ray.tracks.judge import track_reason


def track_table(faces: pa.Table, crops: pa.Table) -> pa.Table:
    """One row per track (`STAGE1_TRACKS`), by number, from the faces, in order of frames, and crops."""
    columns = {name: faces[name].to_pylist() for name in ("video", "shot", "track_id", "frame", "time_s", "verdict")}
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row, track in enumerate(columns["track_id"]):
        if track is not None:
            rows_of[track].append(row)
    crop_tracks, crop_counts = np.unique(crops["track_id"].to_numpy(), return_counts=True)
    crops_of = dict(zip(crop_tracks.tolist(), crop_counts.tolist(), strict=True))
    table = []
    for track in sorted(rows_of):
        rows = rows_of[track]
        first, last = rows[0], rows[-1]
        count = crops_of.get(track, 0)
        table.append(
            {
                "video": columns["video"][first],
                "shot": columns["shot"][first],
                "track_id": track,
                "first_frame": columns["frame"][first],
                "last_frame": columns["frame"][last],
                "first_time_s": columns["time_s"][first],
                "last_time_s": columns["time_s"][last],
                "faces": len(rows),
                "crops": count,
                "reason": None if count else track_reason([columns["verdict"][row] for row in rows]),
            }
        )
    return pa.Table.from_pylist(table, schema=schemas.STAGE1_TRACKS)
