"""Tracks in which the base model finds two people: found once before iteration 0, stored, and applied on reading.

What stage 1 stored stays as it is, and so do the cached views, which are of crops whatever their tracks. The step holds
where tracks are cut and the cannot-links after that; tables with the new tracks are made where they are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import torch
from threadpoolctl import threadpool_limits

from vcn_ray.adapt.cache import CachedViews
from vcn_ray.adapt.workers import Workers
from vcn_ray.cluster.changes import find_changes
from vcn_ray.cluster.evidence import guess_calibration
from vcn_ray.cluster.links import pair_matrix
from vcn_ray.cluster.similarity import mean_directions, unit
from vcn_ray.inputs.titles import slug
from vcn_ray.pipeline.split_tables import CANNOT_LINK_KEY, SPLITS_KEY, STEP, crop_tracks
from vcn_ray.pipeline.title_crops import TitleCrops, load_cannot_link
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.schemas import CANNOT_LINK, SPLITS
from vcn_ray.storage.store import Store
from vcn_ray.tracks.duplicates import cannot_links
from vcn_ray.tracks.given.stored import is_given
from vcn_ray.tracks.splitting import plan_splits, split_table

#: Of a title of more tracks every so many-th says what an unknown network's similarities are worth.
_MOST_COMPARED = 4000


def settle_tracks(
    work: TitleWork, crops: TitleCrops, device: str, inputs: str, workers: Workers, views: Callable[[], CachedViews]
) -> TitleCrops:
    """The title's crops with the tracks that they have after the splits.

    The first worker finds and stores them, unless that has been done for the same inputs (digest of the iterations);
    the others wait for it and read what it stored, so all agree. `views` gives those of all crops.
    """
    store = work.store
    if workers.rank == 0 and not store.is_done(STEP, inputs):
        splits = _find_splits(work, crops, views)
        store.begin(STEP)
        store.write_table(SPLITS_KEY, splits, SPLITS)
        links = store.read_table("tracks/cannot_link.parquet")
        if splits.num_rows:
            # Two parts of one track may still be found to be one character: then the cut has done no harm.
            pairs = cannot_links(split_table(store.read_table("tracks/faces.parquet"), splits))
            links = pa.table({"track_a": [a for a, _ in pairs], "track_b": [b for _, b in pairs]}, schema=CANNOT_LINK)
        store.write_table(CANNOT_LINK_KEY, links, CANNOT_LINK)
        store.mark_done(STEP, inputs, tracks=splits.num_rows)
    workers.from_first(torch.zeros(1, device=torch.device(device)))
    track_id, position = np.unique(crop_tracks(store)[crops.rows], return_inverse=True)
    return replace(crops, track_of_crop=position.astype(np.int64), track_id=track_id)


def _find_splits(work: TitleWork, crops: TitleCrops, views: Callable[[], CachedViews]) -> pa.Table:
    """As `schemas.SPLITS`, from the base model's embeddings of the crops."""
    if not len(crops):
        return SPLITS.empty_table()
    store, embedded = work.store, views()
    base = unit(embedded.plain) + unit(embedded.flipped)
    frames = store.read_table("tracks/crops.parquet", ["frame"])["frame"].to_numpy()[crops.rows]
    changes = []
    with threadpool_limits(1):  # sums in one order, whatever threads the caller's process has
        calibration = work.models.calibration(work.options)
        if calibration is None:
            some = np.arange(0, len(crops.track_id), -(-len(crops.track_id) // _MOST_COMPARED))
            links = load_cannot_link(store, crops)
            links = np.searchsorted(some, links[np.isin(links, some).all(axis=1)])
            means = mean_directions(base, crops.track_of_crop, len(crops.track_id))[some]
            calibration = guess_calibration((means @ means.T)[np.triu(~pair_matrix(links, len(some)), 1)])
        for position in np.flatnonzero(~given_tracks(store, crops)).tolist():
            track = int(crops.track_id[position])
            own = np.flatnonzero(crops.track_of_crop == position)  # in order of frames, as the table is
            for change in find_changes(unit(base[own]), calibration):
                changes.append((track, int(frames[own[change - 1]]), int(frames[own[change]])))
    if not changes:
        return SPLITS.empty_table()
    known = store.read_table("tracks/tracks.parquet", ["track_id"])["track_id"].to_numpy()
    return plan_splits(store.read_table("tracks/faces.parquet"), changes, int(known.max()) + 1)


def given_tracks(store: Store, crops: TitleCrops) -> np.ndarray:
    """Which of the title's tracks a user gave, (tracks,) bool: those are whom he says, and are not cut."""
    videos = store.read_table("tracks/crops.parquet", ["video"])["video"].to_numpy(zero_copy_only=False)[crops.rows]
    given = {video: is_given(store, slug(video)) for video in set(videos)}
    found = np.zeros(len(crops.track_id), bool)
    found[crops.track_of_crop] = [given[video] for video in videos]
    return found
