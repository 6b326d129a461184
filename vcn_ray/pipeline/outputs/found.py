"""A season as clustering found it, read back: its tracks, its cast, and where its tracks are seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from vcn_ray.corrections.anchoring import TitlePlaces, TrackPlaces
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.errors import InputError
from vcn_ray.pipeline.layout import FOUND_KEY, REASSIGNED_KEY
from vcn_ray.pipeline.split_tables import read_cannot_link
from vcn_ray.schemas import CAST_FOUND, FACES, FOUND, as_schema
from vcn_ray.storage.store import Store

#: Which characters were found to be one person (`schemas.CAST_FOUND`); in the season's folder.
CAST_FOUND_KEY = "work/cast_found.parquet"

_PLACE_COLUMNS = ["video", "frame", "time_s", "track_id", "x", "y", "w", "h"]
_READS_AT_ONCE = 8

T = TypeVar("T")


class FinishedTitle(NamedTuple):
    """A title that is done: its id, and its folder."""

    id: str
    results: Store

    @property
    def work(self) -> Store:
        """Where its steps' results are kept."""
        return self.results.child("work")


def each(read: Callable[[FinishedTitle], T], titles: Sequence[FinishedTitle]) -> list[T]:
    """Something of each title, read side by side: in an object store each look takes a while."""
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return list(pool.map(read, titles))


def read_found(title: FinishedTitle, *, by_itself: bool = False) -> pa.Table:
    """A title's tracks as found (`schemas.FOUND`), by number; `InputError` where an earlier version left none.

    by_itself: as the title's own clustering has them, without what the season moved (`reassigned`).
    """
    if not title.work.exists(FOUND_KEY):
        raise InputError(
            f"{title.results.url} was written by an earlier version of vcn-ray, which kept less than this needs; run "
            "the same `vcn-ray run` command again"
        )
    key = FOUND_KEY if by_itself or not title.work.exists(REASSIGNED_KEY) else REASSIGNED_KEY
    return as_schema(title.work.read_table(key).sort_by("track_id"), FOUND)


def found_tracks(titles: Sequence[FinishedTitle], cast_found: pa.Table | None) -> FoundTracks:
    """All tracks of a season as found.

    Args:
        titles: those that are done, in the season's order.
        cast_found: which of their characters are one person (`schemas.CAST_FOUND`); None: not known yet, and the
            characters are those that each title found by itself.
    """
    by_itself = cast_found is None
    cast_found = CAST_FOUND.empty_table() if cast_found is None else cast_found
    rows = zip(*(cast_found[name].to_pylist() for name in ("title", "cluster_id", "member")), strict=True)
    member_of = {(title, cluster): member for title, cluster, member in rows}
    tables = each(lambda title: read_found(title, by_itself=by_itself), titles)
    pairs = each(lambda title: read_cannot_link(title.work), titles)
    title_number, track_id, cluster, member, together = [], [], [], [], []
    start = 0
    for number, (title, table, pair) in enumerate(zip(titles, tables, pairs, strict=True)):
        track = table["track_id"].to_numpy()
        own = table["cluster_id"].fill_null(-1).to_numpy()
        track_id.append(track)
        cluster.append(own)
        member.append(np.array([member_of.get((title.id, c), -1) for c in own.tolist()], np.int64))
        title_number.append(np.full(len(track), number, np.int64))
        both = np.stack([pair["track_a"].to_numpy(), pair["track_b"].to_numpy()], axis=1)
        together.append(np.searchsorted(track, both[np.isin(both, track).all(axis=1)]) + start)
        start += len(track)
    nothing = np.empty(0, np.int64)
    return FoundTracks(
        tuple(title.id for title in titles),
        np.concatenate([nothing, *title_number]),
        np.concatenate([nothing, *track_id]),
        np.concatenate([nothing, *cluster]),
        np.concatenate([nothing, *member]),
        np.concatenate([nothing.reshape(0, 2), *together]),
    )


def track_places(
    titles: Sequence[FinishedTitle], found: FoundTracks, fingerprints: Collection[str] | None = None
) -> TrackPlaces:
    """Where a season's tracks are seen.

    Args:
        titles: as for `found_tracks`.
        found: of these.
        fingerprints: of the videos that matter, where not all do; tracks of titles without any are nowhere.
    """

    def places(title: FinishedTitle) -> tuple[dict[str, str], pa.Table]:
        of_video = video_fingerprints(title)
        if fingerprints is not None and not set(of_video.values()) & set(fingerprints):
            return of_video, FACES.empty_table().select(_PLACE_COLUMNS)
        return of_video, title.results.read_table("faces.parquet", _PLACE_COLUMNS)

    return TrackPlaces(
        [
            TitlePlaces(of_video, faces, found.track_id[found.rows_of_title(number)])
            for number, (of_video, faces) in enumerate(each(places, titles))
        ]
    )


def video_fingerprints(title: FinishedTitle) -> dict[str, str]:
    """Fingerprint of each of a title's videos, by name."""
    record: dict[str, Any] = title.results.read_json("title.json")
    return {video["video"]: video["fingerprint"] for video in record["videos"]}
