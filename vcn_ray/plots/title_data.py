"""What figures are drawn from: a finished title's tables, read when they are needed, and its ground truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.evaluate.ground_truth import GroundTruth, match_tracks
from vcn_ray.evaluate.report import Evaluation
from vcn_ray.evaluate.videos import video_names, videos_of
from vcn_ray.plots.attributes import track_attributes
from vcn_ray.schemas import CLUSTERS, TRACKS, as_schema
from vcn_ray.storage.store import Store

#: Crops of a track that are measured: as many as adaptation takes by default.
CROPS_PER_TRACK = 12


@dataclass(frozen=True)
class TitleData:
    """A title that is done.

    `truth` and `evaluation` are None where no ground truth is given, or it has nothing of this title.
    """

    id: str
    results: Store  # its folder
    seconds: Mapping[str, float] = field(default_factory=dict)  # wall time of each stage
    truth: GroundTruth | None = None
    evaluation: Evaluation | None = None

    @property
    def work(self) -> Store:
        """Its working store."""
        return self.results.child("work")

    @cached_property
    def tracks(self) -> pa.Table:
        """As `schemas.TRACKS`."""
        return as_schema(self.results.read_table("tracks.parquet"), TRACKS)

    @cached_property
    def clusters(self) -> pa.Table:
        """As `schemas.CLUSTERS`."""
        return as_schema(self.results.read_table("clusters.parquet"), CLUSTERS)

    @cached_property
    def iterations(self) -> pa.Table:
        """As `schemas.ITERATIONS`."""
        return self.results.read_table("iterations.parquet")

    def read_crops(self) -> pa.Table:
        """As `schemas.CROPS`, pictures included: some 5 kB a crop, so nobody keeps them."""
        return self.results.read_table("crops.parquet")

    @cached_property
    def attributes(self) -> dict[str, np.ndarray]:
        """Light and sharpness of its tracks, see `track_attributes`."""
        return track_attributes(self.read_crops(), CROPS_PER_TRACK)

    @cached_property
    def quality(self) -> np.ndarray:
        """SER-FIQ quality of its tracks, see `cluster.quality.track_quality`; those without a crop have none."""
        return pc.drop_null(self.tracks["quality"]).to_numpy()

    @cached_property
    def cluster_of_track(self) -> dict[int, int | None]:
        """Character of each track; None: Unknown."""
        return dict(zip(self.tracks["track_id"].to_pylist(), self.tracks["cluster_id"].to_pylist(), strict=True))

    @cached_property
    def label_of_cluster(self) -> dict[int, str]:
        """What each character is called: its name, or its number."""
        rows = zip(self.clusters["cluster_id"].to_pylist(), self.clusters["character"].to_pylist(), strict=True)
        return {cluster: name or f"Character {cluster}" for cluster, name in rows}

    @cached_property
    def identity_of_track(self) -> dict[int, str | None] | None:
        """Whom each track shows by the ground truth (None: it has no label); None where there is no ground truth."""
        if self.truth is None:
            return None
        columns = ["title", "video", "frame", "x", "y", "w", "h", "track_id"]
        faces = self.results.read_table("faces.parquet", columns)
        faces = faces.filter(pc.is_valid(faces["track_id"]))
        boxes = np.stack([faces[name].to_numpy() for name in ("x", "y", "w", "h")], axis=1)
        own = self.truth.of_videos(videos_of(faces))
        found = match_tracks(video_names(faces), faces["frame"].to_numpy(), boxes, faces["track_id"].to_numpy(), own)
        return dict(zip(found.track_id.tolist(), found.identity.tolist(), strict=True))

    @cached_property
    def identity_of_cluster(self) -> dict[int, str]:
        """Whom most of a character's labelled tracks show; those that have none are left out."""
        votes: dict[int, Counter[str]] = {}
        for track, identity in (self.identity_of_track or {}).items():
            cluster = self.cluster_of_track.get(track)
            if identity is not None and cluster is not None:
                votes.setdefault(cluster, Counter())[identity] += 1
        return {cluster: min(count, key=lambda one: (-count[one], one)) for cluster, count in votes.items()}

    def seconds_of_iteration(self, number: int) -> float | None:
        """Wall time of an iteration; None where the working data is gone."""
        key = f"adapt/{number:02d}/iteration.json"
        try:
            stored: dict[str, Any] = self.work.read_json(key) if self.work.exists(key) else {}
            return float(stored["seconds"])
        except (KeyError, TypeError, ValueError):
            return None
