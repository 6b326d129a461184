"""The product's confidence in each true track, and whether the track is where it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from jobs.benchmarks.quality.footage.title_tracks import match_table
from vcn_ray.evaluate.ground_truth import GroundTruth
from vcn_ray.evaluate.reliability import Reliability, of_majority, right_tracks


class JudgedTrack(NamedTuple):
    """A true track in a cluster."""

    confidence: float  # 0..1
    right: bool  # as `reliability.right_tracks` has it: splits are wrong, too
    of_majority: bool  # shows whom most tracks of its cluster show


def judge_tracks(faces: pa.Table, tracks: pa.Table, truth: GroundTruth) -> tuple[JudgedTrack, ...]:
    """All true tracks of a title that are in a cluster and have a confidence, least confident first.

    faces: `schemas.FACES`; tracks: `schemas.TRACKS`.
    """
    matches = match_table(faces.filter(pc.is_valid(faces["track_id"])), truth)
    columns = (tracks[name].to_pylist() for name in ("track_id", "cluster_id", "confidence"))
    delivered = {track: (cluster, confidence) for track, cluster, confidence in zip(*columns, strict=True)}
    shown = zip(matches.track_id.tolist(), matches.identity, strict=True)
    found = [(*delivered[track], identity) for track, identity in shown if identity is not None]
    found = [one for one in found if one[0] is not None]
    clusters, identities = [one[0] for one in found], [one[2] for one in found]
    sides = zip(found, right_tracks(clusters, identities), of_majority(clusters, identities), strict=True)
    known = [JudgedTrack(float(one[1]), right, major) for one, right, major in sides if one[1] is not None]
    return tuple(sorted(known))


def reliability_of(tracks: Iterable[JudgedTrack], *, by_majority: bool) -> Reliability:
    """Confidence held against being one of the cluster's majority, else against `right_tracks`."""
    return Reliability(tuple(sorted((t.confidence, t.of_majority if by_majority else t.right) for t in tracks)))
