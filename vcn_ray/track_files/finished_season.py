"""The tracks of a finished season, as they were delivered: with landmarks where its working data is still there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from vcn_ray.errors import InputError, OutputError
from vcn_ray.storage.store import Store
from vcn_ray.track_files.content import TrackFile
from vcn_ray.track_files.tables import tracks_of_table

_COLUMNS = ("video", "frame", "time_s", "x", "y", "w", "h", "score", "track_id", "cast_id", "character")
_PLACE = ("video", "frame", "x", "y", "w", "h")


def read_finished_season(out: Store) -> TrackFile:
    """The tracks of all its titles; a title's tracks are told from another's by their videos.

    Raises `InputError` where it has no table of faces, or two titles have videos of one name.
    """
    try:
        table = out.read_table("faces.parquet")
        slugs = [title["slug"] for title in out.read_json("season.json")["titles"] if title["error"] is None]
    except (OutputError, KeyError, TypeError) as error:
        raise InputError(f"{out.url}: its tables cannot be read ({error}); run it again") from None
    _check_videos(out, table)
    faces = table.select([name for name in _COLUMNS if name in table.column_names])
    found = [_landmarks_of(out.child("titles", slug, "work")) for slug in slugs]
    known = [part for part in found if part is not None]
    if known:
        faces = faces.append_column("landmarks", _joined(faces, pa.concat_tables(known)))
    return tracks_of_table(out.where("faces.parquet"), faces, first_row=1)


def _check_videos(out: Store, table: pa.Table) -> None:
    pairs = table.select(["title", "video"]).group_by(["title", "video"]).aggregate([])
    seen: dict[str, str] = {}
    for title, video in zip(pairs["title"].to_pylist(), pairs["video"].to_pylist(), strict=True):
        other = seen.setdefault(video, title)
        if other != title:
            raise InputError(
                f"{out.url}: a video {video} is in the titles {other!r} and {title!r}: give each title its own, "
                "DIR/titles/TITLE/faces.parquet"
            )


def _landmarks_of(work: Store) -> pa.Table | None:
    """Where a title's faces were found, with landmarks; None where that is gone."""
    try:
        return work.read_table("tracks/faces.parquet", [*_PLACE, "landmarks"])
    except OutputError:
        return None


def _joined(faces: pa.Table, known: pa.Table) -> pa.Array:
    """Landmarks of each face, by its video, frame and box."""
    codes = {name: code for code, name in enumerate(known["video"].unique().to_pylist())}
    places, rows = _keys(known, codes), _keys(faces, codes)
    order = np.argsort(places, kind="stable")
    at = np.minimum(np.searchsorted(places[order], rows), len(order) - 1)
    same = places[order][at] == rows
    index = pa.array(order[at], pa.int64(), mask=~same)
    return known["landmarks"].combine_chunks().take(index)


def _keys(faces: pa.Table, codes: Mapping[str, int]) -> np.ndarray:
    """What makes two faces the same, as bytes that can be sorted; codes: a number for each video."""
    videos = [codes.get(name, -1) for name in faces["video"].to_pylist()]
    keys = np.zeros(len(faces), [("video", "<i8"), ("frame", "<i8"), ("box", "<f4", 4)])
    keys["video"], keys["frame"] = videos, faces["frame"].to_numpy()
    keys["box"] = np.stack([faces[name].to_numpy() for name in "xywh"], axis=1)
    return keys.view(f"S{keys.dtype.itemsize}").reshape(-1)
