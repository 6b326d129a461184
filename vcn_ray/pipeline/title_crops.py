"""What the loop of a title works on: its crops, cached views and cannot-links."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow as pa

from vcn_ray.adapt.cache import CachedViews, concat_views, spread_crops
from vcn_ray.errors import OutputError
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store


@dataclass(frozen=True)
class TitleCrops:
    """The crops of a title that adaptation and clustering use, in the order of the title's crops table."""

    rows: np.ndarray  # (n,) int64 row in the crops table; also the crop's key for random numbers
    track_of_crop: np.ndarray  # (n,) int64 position of the crop's track in `track_id`
    track_id: np.ndarray  # (tracks,) int64, ascending

    def __len__(self) -> int:
        return len(self.rows)


def choose_crops(work: TitleWork) -> TitleCrops:
    """At most `max_crops_per_track` crops of each track."""
    track = np.array(work.store.read_table("tracks/crops.parquet", ["track_id"])["track_id"].to_pylist(), np.int64)
    rows = spread_crops(track, work.options.adapt.max_crops_per_track)
    track_id, position = np.unique(track[rows], return_inverse=True)
    return TitleCrops(rows, position.astype(np.int64), track_id)


def view_chunks(work: TitleWork) -> list[tuple[str, np.ndarray]]:
    """Key of each chunk of cached views, and its rows of the crops table."""
    rows = choose_crops(work).rows
    pieces = [rows[i : i + work.crops_per_chunk] for i in range(0, len(rows), work.crops_per_chunk)]
    return [(f"views/{number:05d}", piece) for number, piece in enumerate(pieces)]


def load_views(work: TitleWork) -> CachedViews:
    """All chunks of cached views, in the order of `choose_crops`."""
    store, parts = work.store, []
    for key, rows in view_chunks(work):
        parts.append(CachedViews.from_bytes(store.read_bytes(f"{key}.safetensors")))
        if not np.array_equal(parts[-1].keys, rows):
            raise OutputError(f"{store.where(key)}.safetensors is of other crops; delete {store.where('views')}")
    return concat_views(parts)


def load_pixels(store: Store, rows: np.ndarray) -> np.ndarray:
    """Crops of these rows of the crops table, (n, 3, 112, 112) uint8 RGB."""
    jpegs = store.read_table("tracks/crops.parquet", ["jpeg"], rows)["jpeg"].to_pylist()
    images = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) for jpeg in jpegs]
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))  # type: ignore[arg-type]  # our own JPEGs


def load_cannot_link(store: Store, crops: TitleCrops) -> np.ndarray:
    """`link_pairs` of the tracks as stage 1 found them."""
    return link_pairs(store.read_table("tracks/cannot_link.parquet"), crops)


def link_pairs(pairs: pa.Table, crops: TitleCrops) -> np.ndarray:
    """(m, 2) int64 positions of the tracks in the pairs of which both have crops; pairs: `schemas.CANNOT_LINK`."""
    both = np.stack([pairs[name].to_numpy() for name in ("track_a", "track_b")], axis=1).astype(np.int64)
    known = np.isin(both, crops.track_id).all(axis=1)
    return np.searchsorted(crops.track_id, both[known])
