"""Somebody's tracks taken out of a season: of its results, and of all that they were made from.

A removal that was begun is finished by whoever comes next: by itself, by applying corrections, by a run. Each step can
be done again, and what it goes by is written first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.corrections.correction import Correction
from vcn_ray.corrections.correction_file import corrections_digest, read_corrections
from vcn_ray.corrections.links import plain_links
from vcn_ray.pipeline.forgotten_tracks import REMOVAL_KEY, places_of, remove_from_shards, remove_from_tracks
from vcn_ray.pipeline.layout import (
    CORRECTED_KEY,
    EMBEDDINGS_KEY,
    FIGURES_FOLDER,
    FOUND_KEY,
    LINKS_BEFORE_KEY,
    LINKS_KEY,
    REASSIGNED_KEY,
)
from vcn_ray.pipeline.outputs.cast import stored_cast
from vcn_ray.pipeline.outputs.found import CAST_FOUND_KEY, FinishedTitle, each, read_found, video_fingerprints
from vcn_ray.pipeline.outputs.season_outputs import apply_to_tables, finished_titles
from vcn_ray.pipeline.outputs.title_outputs import count_again, show_title
from vcn_ray.pipeline.split_tables import CANNOT_LINK_KEY, SPLITS_KEY
from vcn_ray.pipeline.title_state import links_inputs
from vcn_ray.schemas import CAST_FOUND
from vcn_ray.storage.lock import Lock
from vcn_ray.storage.store import Store, digest

#: Titles in which a removal is under way, in the season's folder.
_PENDING_KEY = "work/removal.json"

_RECORD_KEY = "season.json"

#: What a gallery said of each number of the cast; the next `vcn-ray name` writes it anew.
_BY_OLD_NUMBERS = ("names.parquet", "names.csv")


def begin_removal(out: Store, tracks: Mapping[str, Collection[int]]) -> None:
    """Write down what is to be removed.

    Args:
        out: the season's folder.
        tracks: numbers of tracks, by the folder of their title.
    """
    for slug, numbers in tracks.items():
        title = FinishedTitle("", out.child("titles", slug))
        faces = title.results.read_table("faces.parquet", ["video", "frame", "x", "y", "w", "h", "track_id"])
        theirs = np.isin(faces["track_id"].to_numpy(), list(numbers))
        title.work.write_table(REMOVAL_KEY, places_of(faces, theirs))
    out.write_json(_PENDING_KEY, {"titles": sorted(tracks)})


def under_removal(out: Store) -> dict[str, list[int]]:
    """Numbers of the tracks of a removal that was begun and not finished, by the folder of their title."""
    tracks: dict[str, list[int]] = {}
    for slug in out.read_json(_PENDING_KEY)["titles"] if out.exists(_PENDING_KEY) else ():
        work = out.child("titles", slug, "work")
        if work.exists(REMOVAL_KEY):
            places = work.read_table(REMOVAL_KEY)
            tracks[slug] = pc.unique(places.filter(places["theirs"])["track_id"]).to_pylist()
    return tracks


def finish_removal(out: Store, lock: Lock) -> bool:
    """Remove what is written down, and write tables and pages anew; whether there was anything to do.

    Args:
        out: the season's folder.
        lock: on it.
    """
    if not out.exists(_PENDING_KEY):
        return False
    slugs = out.read_json(_PENDING_KEY)["titles"]
    record = out.read_json(_RECORD_KEY)
    out.write_json(_RECORD_KEY, record | {"corrections": ""})  # vouches for nothing meanwhile
    corrections = read_corrections(out)
    touched = [FinishedTitle("", out.child("titles", slug)) for slug in slugs]
    for title in touched:
        lock.check()
        if title.work.exists(REMOVAL_KEY):
            remove_from_title(title)
        _reduce_links(title, corrections)
    _remove_from_cast(out)
    apply_to_tables(out, corrections)
    _remove_figures(out)
    for key in _BY_OLD_NUMBERS:
        out.delete(key)
    lock.check()
    counts = dict(zip(slugs, each(lambda title: count_again(title.work), touched), strict=True))
    titles = [one | ({"counts": counts[one["slug"]]} if one["slug"] in counts else {}) for one in record["titles"]]
    out.write_json(_RECORD_KEY, record | {"corrections": corrections_digest(corrections), "titles": titles})
    for title in touched:
        title.work.delete(REMOVAL_KEY)
    out.delete(_PENDING_KEY)
    return True


def keep_results_valid(title: FinishedTitle, before: Collection[Correction], after: Collection[Correction]) -> None:
    """Have what was made under a title's corrections count as made under what is left of them.

    To be called before the file of corrections is changed.
    """
    fingerprints = set(video_fingerprints(title).values())
    links, left = plain_links(before, fingerprints), plain_links(after, fingerprints)
    made_under = links_inputs(title.work, links)
    if made_under != links_inputs(title.work, left):
        known = title.work.read_json(LINKS_BEFORE_KEY) if title.work.exists(LINKS_BEFORE_KEY) else {}
        title.work.write_json(LINKS_BEFORE_KEY, known | {digest(left) if left else "": made_under})


def remove_from_title(title: FinishedTitle) -> None:
    """Take what `REMOVAL_KEY` names out of a title's working data, and out of those tables that no other makes anew."""
    work = title.work
    places = work.read_table(REMOVAL_KEY)
    tracks = pc.unique(places.filter(places["theirs"])["track_id"])
    # Networks that were trained on them, and cached embeddings of crops, which go by their rows: of all, and so do the
    # markers of what could not go on without them.
    for key in [*work.keys("adapt/"), *work.keys("views/")]:
        if key.startswith("views/") or key.endswith((".safetensors", ".done.json")):
            work.delete(key)
        elif key.endswith("/clustering.json"):
            work.write_json(key, _without_tracks(work.read_json(key), set(tracks.to_pylist())))
    remove_from_shards(work, places)
    remove_from_tracks(work, places)
    results = title.results
    for store, key, columns, rows_per_group in (
        (work, EMBEDDINGS_KEY, ["track_id"], None),
        (work, SPLITS_KEY, ["new_track_id"], None),
        (work, CANNOT_LINK_KEY, ["track_a", "track_b"], None),
        (work, FOUND_KEY, ["track_id"], None),
        (work, REASSIGNED_KEY, ["track_id"], None),
        (results, "faces.parquet", ["track_id"], None),
        (results, "tracks.parquet", ["track_id"], None),
        (results, "crops.parquet", ["track_id"], None),
        (results, "iteration_clusters.parquet", ["track_id"], None),
    ):
        if key == REASSIGNED_KEY and not store.exists(key):
            continue
        table = store.read_table(key)
        left = table
        for column in columns:
            left = left.filter(pc.invert(pc.is_in(left[column], tracks)))
        if len(left) < len(table):
            store.write_table(key, left, table.schema, rows_per_group)
    work.write_json(CORRECTED_KEY, {"digest": ""})  # so that its tables and page are written anew


def _without_tracks(clustering: dict[str, Any], tracks: Collection[int]) -> dict[str, Any]:
    """A stored clustering without these tracks; its lists go side by side."""
    stays = [track not in tracks for track in clustering["track_id"]]
    return {
        key: [one for one, kept in zip(value, stays, strict=True) if kept] if isinstance(value, list) else value
        for key, value in clustering.items()
    }


def _reduce_links(title: FinishedTitle, corrections: Collection[Correction]) -> None:
    """Leave with a title's work what is left of the links that it was clustered under, if it was so."""
    work = title.work
    if not work.exists(LINKS_KEY):
        return
    left = plain_links(corrections, set(video_fingerprints(title).values()))
    if links_inputs(work, left) == links_inputs(work, work.read_json(LINKS_KEY)) and left:
        work.write_json(LINKS_KEY, left)
    else:  # nothing is left; or it is to be clustered anew, and is told then
        work.delete(LINKS_KEY)


def _remove_figures(out: Store) -> None:
    """Delete figures of the season, which counted their tracks as well, and of all its titles; pages lead to them."""
    if out.keys(f"{FIGURES_FOLDER}/"):
        for title in finished_titles(out):
            show_title(title.results, title.work)
        out.delete(FIGURES_FOLDER)


def _remove_from_cast(out: Store) -> None:
    """Take characters that have no track any more out of the cast as found."""
    cast = stored_cast(out).characters
    there = set()
    for title in finished_titles(out):
        clusters = pc.unique(read_found(title)["cluster_id"]).to_pylist()
        there |= {(title.id, cluster) for cluster in clusters}
    stays = [(row["title"], row["cluster_id"]) in there for row in cast.to_pylist()]
    if not all(stays):
        out.write_table(CAST_FOUND_KEY, cast.filter(pa.array(stays, pa.bool_())), CAST_FOUND)
