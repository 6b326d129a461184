"""Where the tracks of somebody are who is forgotten: no face and no name, but what a later run knows them by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.correction import TrackAnchor
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.pipeline.outputs.found import FinishedTitle
from vcn_ray.pipeline.split_tables import SPLITS_KEY


def forget_anchors(
    titles: Sequence[FinishedTitle], found: FoundTracks, places: TrackPlaces, rows: Sequence[int]
) -> list[TrackAnchor]:
    """Anchors of tracks, with all frames in which each may be theirs.

    A later run with other options may see a track longer: up to the ends of its shot, which no track crosses, or up to
    where another person was found in it.

    Args:
        titles: of the season, in order.
        found: its tracks.
        places: where they are.
        rows: of the tracks.
    """
    anchors = []
    for number in dict.fromkeys(found.title[list(rows)].tolist()):
        own = [row for row in rows if found.title[row] == number]
        bounds = _bounds(titles[number], found.track_id[own].tolist())
        anchors += [replace(places.anchor(row), frames=bounds[int(found.track_id[row])]) for row in own]
    return anchors


def _bounds(title: FinishedTitle, tracks: Sequence[int]) -> dict[int, tuple[int, int]]:
    """First and last frame between which each of a title's tracks is somebody's."""
    shots = {(row["video"], row["shot"]): row for row in title.work.read_table("tracks/shots.parquet").to_pylist()}
    table = title.results.read_table("tracks.parquet", ["track_id", "video", "shot", "split_from"])
    splits = title.work.read_table(SPLITS_KEY)
    cut, start = splits["track_id"].to_numpy(), splits["first_frame"].to_numpy()
    start_of = dict(zip(splits["new_track_id"].to_pylist(), start.tolist(), strict=True))
    bounds = {}
    wanted = set(tracks)
    for row in table.to_pylist():
        track = row["track_id"]
        if track not in wanted:
            continue
        shot = shots[row["video"], row["shot"]]
        first = start_of.get(track, shot["first_frame"])
        original = track if row["split_from"] is None else row["split_from"]
        later = np.sort(start[(cut == original) & (start > first)])
        bounds[track] = (first, int(later[0]) - 1 if len(later) else shot["last_frame"])
    return bounds
