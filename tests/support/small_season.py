"""A finished season's folder with no more in it than its tables of tracks."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from vcn_ray.schemas import SEASON_TRACKS
from vcn_ray.storage.store import Store

ODD_NAME = 'Überraschung é 日本, "Q" <b>'


def write_season(store: Store, tracks: list[tuple[Any, ...]]) -> None:
    """A season of tracks (title, video, first_time_s, last_time_s, cast_id or None, name or None)."""
    names = ("title", "video", "first_time_s", "last_time_s", "cast_id", "character")
    rows = [dict(zip(names, track, strict=True)) | {"track_id": number} for number, track in enumerate(tracks)]
    table = pa.table({name: [row.get(name) for row in rows] for name in SEASON_TRACKS.names})
    store.write_table("tracks.parquet", table, SEASON_TRACKS)
    titles = [{"id": title, "slug": title, "error": None} for title in dict.fromkeys(row["title"] for row in rows)]
    store.write_json("season.json", {"titles": titles, "errors": []})


def write_small_season(store: Store) -> None:
    """Two titles; of a named character, one with a number, and nobody known."""
    write_season(
        store,
        [
            ("=E1", "a.mp4", 3.0, 4.5, 0, ODD_NAME),
            ("=E1", "a.mp4", 0.0, 1.25, 1, None),
            ("=E1", "b.mp4", 0.0, 0.0, None, None),
            ("E2", "c.mp4", 3599.9996, 3723.004, 0, "@nna"),
        ],
    )
