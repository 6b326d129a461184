"""The product's confidence in each true track, and whether the track is where it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pyarrow as pa

from vcn_ray.evaluate.ground_truth import GroundTruth, TrackMatches
from vcn_ray.evaluate.metrics import cluster_scores
from vcn_ray.evaluate.reliability import Reliability, of_majority, right_tracks


class JudgedTrack(NamedTuple):
    """A true track in a cluster."""

    confidence: float  # 0..1
    right: bool  # as `reliability.right_tracks` has it: splits are wrong, too
    of_majority: bool  # shows whom most tracks of its cluster show


def judge_tracks(matches: TrackMatches, tracks: pa.Table) -> tuple[JudgedTrack, ...]:
    """All true tracks of a title that are in a cluster and have a confidence, least confident first.

    matches: what the ground truth says of the delivered tracks; tracks: `schemas.TRACKS`.
    """
    columns = (tracks[name].to_pylist() for name in ("track_id", "cluster_id", "confidence"))
    delivered = {track: (cluster, confidence) for track, cluster, confidence in zip(*columns, strict=True)}
    shown = zip(matches.track_id.tolist(), matches.identity, strict=True)
    found = [(*delivered[track], identity) for track, identity in shown if identity is not None]
    found = [one for one in found if one[0] is not None]
    clusters, identities = [one[0] for one in found], [one[2] for one in found]
    sides = zip(found, right_tracks(clusters, identities), of_majority(clusters, identities), strict=True)
    known = [JudgedTrack(float(one[1]), right, major) for one, right, major in sides if one[1] is not None]
    return tuple(sorted(known))


def f_with_missed(matches: TrackMatches, cluster_of: Mapping[int, int | None], truth: GroundTruth) -> float:
    """B-cubed F where labelled appearances that no true track covers count as Unknown, too; 0 where nothing is found.

    They are, as Unknown tracks, clusters of their own: where small faces are missed, the few that were found say
    little. cluster_of: of each track, None where it is Unknown.
    """
    real = matches.is_real
    covered = zip(matches.video[real], matches.shot[real], matches.identity[real], strict=True)
    missed = set(zip(truth.video, truth.shot, truth.identity, strict=True)).difference(covered)
    tracks, identities = matches.track_id[real].tolist(), matches.identity[real].tolist()
    if not tracks:
        return 0.0
    clusters = [("Unknown", track) if cluster_of.get(track) is None else cluster_of[track] for track in tracks]
    return cluster_scores([*clusters, *missed], [*identities, *(identity for _, _, identity in missed)]).bcubed_f


def reliability_of(tracks: Iterable[JudgedTrack], *, by_majority: bool) -> Reliability:
    """Confidence held against being one of the cluster's majority, else against `right_tracks`."""
    return Reliability(tuple(sorted((t.confidence, t.of_majority if by_majority else t.right) for t in tracks)))
