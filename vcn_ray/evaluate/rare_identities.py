"""Identities that a data set has too few good tracks of, left out of it: S 4 asks for two."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa

from vcn_ray.errors import InputError
from vcn_ray.evaluate.ground_truth import GroundTruth, match_tracks
from vcn_ray.evaluate.videos import video_names


def without_rare_identities(
    faces: pa.Table, truth: GroundTruth, videos: dict[str, set[str]], tracks: pa.Table | None, min_tracks: int
) -> tuple[pa.Table, GroundTruth, list[str]]:
    """Faces and labels without identities of fewer than `min_tracks` good tracks in a title; a sentence on them.

    A good track is one that shows the identity and has a crop: which clusters it is in does not matter. Without the
    table of tracks all count.

    Args:
        faces: as `schemas.FACES`.
        truth: the labels.
        videos: file names of each title's videos.
        tracks: as `schemas.TRACKS`.
        min_tracks: the fewest tracks of an identity that stays.

    Raises `InputError` where none stays.
    """
    title_of = {video: title for title, names in videos.items() for video in names}
    tracked = faces.filter(faces["track_id"].is_valid())
    boxes = np.stack([tracked[name].to_numpy() for name in "xywh"], axis=1)
    matches = match_tracks(
        video_names(tracked), tracked["frame"].to_numpy(), boxes, tracked["track_id"].to_numpy(), truth
    )
    good = _with_crops(tracks)
    shown = list(zip(matches.video, matches.track_id.tolist(), matches.identity, strict=True))
    count = Counter(
        (title_of.get(video), who) for video, track, who in shown if who and (good is None or (video, track) in good)
    )
    labels = [(title_of.get(video), who) for video, who in zip(truth.video, truth.identity, strict=True)]
    rare = {label for label in set(labels) if count[label] < min_tracks}
    if len(rare) == len(set(labels)):
        raise InputError(f"no identity has {min_tracks} good tracks in a title: give --min-tracks a lower number")
    gone = {(video, track) for video, track, who in shown if who and (title_of.get(video), who) in rare}
    rows = zip(video_names(faces), faces["track_id"].to_pylist(), strict=True)
    kept = faces.filter(pa.array([row not in gone for row in rows], pa.bool_()))
    note = (
        f"{len(rare)} of {len(set(labels))} identities have fewer than {min_tracks} good tracks: left out, with "
        f"{len(gone)} tracks"
    )
    return kept, truth.of_rows(np.array([label not in rare for label in labels], bool)), [note]


def _with_crops(tracks: pa.Table | None) -> set[tuple[str, int]] | None:
    """(video, track) of those that have a crop; None where that is not known."""
    if tracks is None or "crops" not in tracks.column_names:
        return None
    rows = zip(video_names(tracks), tracks["track_id"].to_pylist(), tracks["crops"].to_pylist(), strict=True)
    return {(video, track) for video, track, crops in rows if crops}
