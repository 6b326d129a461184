"""A method of the field as a clusterer: it sees the base model's embeddings of the kept tracks, as in a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vcn_ray.cluster.clusterer import Clusters, TitleFaces


@dataclass(frozen=True)
class BaselineClusterer:
    """A baseline of `evaluate.baselines` under one of its settings.

    It knows no confidence, attaches no filtered track, and adaptation changes nothing for it.
    """

    name: str  # as `evaluate.baselines.find_baseline` knows it
    setting: Mapping[str, float]

    def cluster(self, title: TitleFaces) -> Clusters:
        """The baseline's clusters of the kept tracks; its noise is in none."""
        # Here alone: scikit-learn takes a second to import, and the product's own methods do without it.
        from vcn_ray.evaluate.baselines import find_baseline
        from vcn_ray.evaluate.baselines.problem import TrackFaces

        rows, track_of_row = title.kept_crops()
        cannot_link = title.two_people[np.ix_(title.kept, title.kept)]
        faces = TrackFaces(title.outputs.base[rows].astype(np.float32), track_of_row, cannot_link)
        return title.clusters_of_kept(find_baseline(self.name).prepare(faces, title.seed)(**self.setting))
