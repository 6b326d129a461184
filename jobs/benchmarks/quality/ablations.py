"""The default with one ingredient of its answer taken out, for ingredients that are no option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from vcn_ray.cluster.clusterer import Clusters, TitleFaces
from vcn_ray.cluster.clusterers.evidence_linkage import EvidenceClusterer
from vcn_ray.cluster.evidence import Evidence
from vcn_ray.cluster.fusing import fuse, weighted_mean_and_std
from vcn_ray.cluster.title import Clustering
from vcn_ray.pipeline.adaptation_loop import LoopParts


def fuse_adapted_alone(
    values: np.ndarray, clarity: np.ndarray, evidence: Evidence, adapted: np.ndarray, linkable: np.ndarray
) -> tuple[np.ndarray, Evidence] | None:
    """As `fusing.fuse`, the adapted network's similarity in place of the average with the base model's."""
    # Averaging a network with itself leaves it alone; the base model still says what its similarities are worth.
    same = evidence.probability(values[linkable], clarity[linkable])
    mean, std = weighted_mean_and_std(adapted[linkable], 1 - same)
    own = evidence.stranger_mean + evidence.stranger_std * (adapted - mean) / max(std, 1e-6)
    return fuse(np.where(linkable | linkable.T, own, values), clarity, evidence, adapted, linkable)


def surest_iteration(history: Sequence[Clustering]) -> int:
    """The iteration whose tracks are on average surest of their characters; the last among equals."""
    means = [float(c.confidence[c.labels >= 0].mean()) if (c.labels >= 0).any() else 0.0 for c in history]
    if np.isnan(means).any():
        return len(history) - 1
    return max(range(len(means)), key=lambda number: (means[number], number))


@dataclass(frozen=True)
class LatestAlone:
    """The default's clusterer, hearing the latest iteration alone beside the base model."""

    def cluster(self, title: TitleFaces) -> Clusters:
        """As `EvidenceClusterer`."""
        return EvidenceClusterer().cluster(replace(title, earlier=()))


def tracks_by_themselves(clustering: Clustering, number: int) -> np.ndarray:
    """Groups of an iteration that trains on pairs of one track's crops alone: clusters give none."""
    return np.where(clustering.kept, np.arange(len(clustering.labels)), -1)


#: By the method's name: what the product's loop is made of without the ingredient.
ABLATIONS: Mapping[str, LoopParts] = {
    "without clarity": LoopParts(EvidenceClusterer(clarity=False)),
    "without the title's shift": LoopParts(EvidenceClusterer(shift=False)),
    "without sizes in the prior": LoopParts(EvidenceClusterer(sizes_in_prior=False)),
    "without the number found in the prior": LoopParts(EvidenceClusterer(number_in_prior=False)),
    "without counting characters once": LoopParts(EvidenceClusterer(fuse=partial(fuse, characters_once=False))),
    "without the base model's say": LoopParts(EvidenceClusterer(fuse=fuse_adapted_alone)),
    "choosing the surest iteration": LoopParts(deliver=surest_iteration),
    "without earlier iterations": LoopParts(LatestAlone()),
    "without the rule for unclear tracks": LoopParts(EvidenceClusterer(least_separation=-np.inf)),
    "without cannot-links": LoopParts(EvidenceClusterer(cannot_links=False)),
    "without pairs across tracks": LoopParts(training_groups=tracks_by_themselves),
}


def parts_without(name: str) -> LoopParts:
    """What the loop is made of without the ingredient that the name says; the product's own for any other name."""
    return ABLATIONS.get(name, LoopParts())
