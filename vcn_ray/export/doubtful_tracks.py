"""What a person should look at first: the tracks whose character is least certain, each beside that character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.export.charts import chance_text
from vcn_ray.export.pictures import THUMB, Pictures
from vcn_ray.export.thumbs import Thumb, thumb_of

#: Tracks less certain than this are worth a look: of ten at the bound, about one is expected to be wrong.
DOUBTFUL_BELOW = 0.9
MOST_SHOWN = 24


@dataclass(frozen=True)
class Doubt:
    """A track whose character is doubtful, and what to compare it with."""

    thumb: Thumb
    cluster_id: int
    name: str  # of the character
    chance: str  # that the track is this character, in per cent
    alone: bool  # the character has no other track
    other: str | None  # data URI: the character in another track; None where alone, or the page's budget is used up


@dataclass(frozen=True)
class Review:
    """The doubtful tracks of a title; `doubts` has those to show, the most doubtful first."""

    tracks: int
    doubts: list[Doubt]


def count_doubtful(tracks: pa.Table) -> int:
    """How many tracks of a table as `schemas.TRACKS` are less certain than `DOUBTFUL_BELOW`."""
    return pc.sum(pc.less(tracks["confidence"], DOUBTFUL_BELOW)).as_py() or 0


def find_doubtful(
    by_cluster: Mapping[int | None, Sequence[Mapping[str, Any]]],
    names: Mapping[int, str],
    pictures: Pictures,
    several_videos: bool,
) -> Review:
    """The title's doubtful tracks, those of equal confidence in the order of the title.

    Args:
        by_cluster: rows of `schemas.TRACKS` by cluster; None: Unknown.
        names: of each character.
        pictures: where crops come from.
        several_videos: whether a track's video has to be named.
    """
    found = [
        (track["confidence"], cluster, track)
        for cluster, own in by_cluster.items()
        for track in own
        if cluster is not None and track["confidence"] is not None and track["confidence"] < DOUBTFUL_BELOW
    ]
    found.sort(key=lambda one: (one[0], one[2]["first_time_s"], one[2]["track_id"]))
    doubts = []
    for confidence, cluster, track in found[:MOST_SHOWN]:
        others = [t["track_id"] for t in by_cluster[cluster] if t["track_id"] != track["track_id"]]
        best = max(others, key=pictures.worth, default=None)
        doubts.append(
            Doubt(
                thumb=thumb_of(track, pictures, several_videos),
                cluster_id=cluster,
                name=names[cluster],
                chance=chance_text(confidence),
                alone=not others,
                other=None if best is None else pictures.best(best, THUMB),
            )
        )
    return Review(len(found), doubts)
