"""Tracks that the whole season shows to be somebody else, kept beside what their title found by itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from vcn_ray.cluster.cast.reassignment import Reassigned
from vcn_ray.pipeline.layout import REASSIGNED_KEY
from vcn_ray.pipeline.outputs.found import FinishedTitle
from vcn_ray.schemas import FOUND
from vcn_ray.storage.store import digest


def put_reassigned(title: FinishedTitle, found: pa.Table, clustered: np.ndarray, now: Reassigned) -> dict[int, int]:
    """Store a title's tracks as the season has them, or drop what an earlier season left where it moves none.

    A track that moved comes to the largest of the title's characters that are that member of the cast, or where there
    is none, to a new one.

    Args:
        title: the title.
        found: its tracks as it found them by itself (`schemas.FOUND`), by number.
        clustered: rows of those that are in a character, to which `now` refers.
        now: whom the season shows.

    Returns:
        The member that each of the title's characters is, by number.
    """
    member = np.full(found.num_rows, -1, np.int64)
    member[clustered] = now.member
    moved = np.zeros(found.num_rows, bool)
    moved[clustered] = now.moved
    cluster = found["cluster_id"].fill_null(-1).to_numpy().copy()
    stays = np.flatnonzero((cluster >= 0) & ~moved)
    # Of each member the character with most tracks, the lower number where two have as many.
    number, first, tracks = np.unique(cluster[stays], return_index=True, return_counts=True)
    member_of = dict(zip(number.tolist(), member[stays[first]].tolist(), strict=True))
    if not moved.any():
        title.work.delete(REASSIGNED_KEY)
        return member_of
    largest = {member_of[int(number[k])]: int(number[k]) for k in np.lexsort((-number, tracks))}  # the last one stays
    fresh = int(cluster.max(initial=-1)) + 1
    for row in np.flatnonzero(moved).tolist():
        if member[row] not in largest:
            largest[int(member[row])] = fresh
            member_of[fresh] = int(member[row])
            fresh += 1
        cluster[row] = largest[int(member[row])]
    table = found.set_column(
        found.schema.get_field_index("cluster_id"), "cluster_id", pa.array(cluster, mask=cluster < 0)
    )
    confidence = found["confidence"].cast(pa.float64()).fill_null(np.nan).to_numpy().copy()
    confidence[np.flatnonzero(moved)] = now.confidence[now.moved]
    columns = {"confidence": confidence}
    # Of a character that has gained or lost a track, nobody has looked whether it is one person.
    before = found["cluster_id"].fill_null(-1).to_numpy()
    changed = np.isin(cluster, np.concatenate([before[moved], cluster[moved]]))
    for name in ("one_person", "is_person"):
        columns[name] = np.where(changed, np.nan, found[name].cast(pa.float64()).fill_null(np.nan).to_numpy())
    for name, value in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(value, mask=np.isnan(value)).cast(pa.float32()))
    title.work.write_table(REASSIGNED_KEY, table, FOUND)
    return member_of


def reassigned_digest(title: FinishedTitle) -> str | None:
    """Of what the season moved in a title; None: nothing."""
    if not title.work.exists(REASSIGNED_KEY):
        return None
    table = title.work.read_table(REASSIGNED_KEY, ["track_id", "cluster_id", "confidence"])
    return digest(table.to_pydict())
