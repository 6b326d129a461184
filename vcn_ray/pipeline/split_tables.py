"""A title's tracks after the splits, read: tables of stage 1 with the tracks that `track_splits` made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vcn_ray.storage.store import Store
from vcn_ray.tracks.splitting import split_table
from vcn_ray.tracks.tracktable import track_table

#: The step in the title's store, and its tables (`schemas.SPLITS`, `schemas.CANNOT_LINK`).
STEP = "split"
SPLITS_KEY, CANNOT_LINK_KEY = f"{STEP}/splits.parquet", f"{STEP}/cannot_link.parquet"


@dataclass(frozen=True)
class SplitTracks:
    """A title's faces, tracks and crops (`schemas.STAGE1_FACES`, `STAGE1_TRACKS`, `CROPS`) after the splits."""

    faces: pa.Table
    tracks: pa.Table
    crops: pa.Table
    split_from: dict[int, int]  # new track: the one that it was cut from


def read_tracks(store: Store) -> SplitTracks:
    """What the title's results are made from."""
    splits = store.read_table(SPLITS_KEY)
    faces, tracks, crops = (store.read_table(f"tracks/{name}.parquet") for name in ("faces", "tracks", "crops"))
    if splits.num_rows:
        faces = split_table(faces, splits)
        crops = split_table(crops, splits).sort_by([("track_id", "ascending"), ("frame", "ascending")])
        tracks = track_table(faces, crops)
    return SplitTracks(faces, tracks, crops, {row["new_track_id"]: row["track_id"] for row in splits.to_pylist()})


def read_cannot_link(store: Store) -> pa.Table:
    """Pairs of tracks that are two people (`schemas.CANNOT_LINK`), after the splits."""
    return store.read_table(CANNOT_LINK_KEY)


def crop_tracks(store: Store) -> np.ndarray:
    """(n,) int64: track of each row of stage 1's table of crops, after the splits."""
    table = split_table(store.read_table("tracks/crops.parquet", ["track_id", "frame"]), store.read_table(SPLITS_KEY))
    return table["track_id"].to_numpy()


def read_crop_index(store: Store) -> pa.Table:
    """track_id, frame, score and sharpness of stage 1's crops, in its order of rows, after the splits."""
    table = store.read_table("tracks/crops.parquet", ["track_id", "frame", "score", "sharpness"])
    return split_table(table, store.read_table(SPLITS_KEY))


def read_crops(store: Store, columns: list[str], track: int) -> pa.Table:
    """These columns, track_id and frame among them, of one track's crops, after the splits; reads no other pictures."""
    rows = np.flatnonzero(crop_tracks(store) == track)
    return split_table(store.read_table("tracks/crops.parquet", columns, rows), store.read_table(SPLITS_KEY))
