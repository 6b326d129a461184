"""TSiam and SSiam: Siamese networks that learn from a title's own tracks, or from its own nearest and farthest faces.

Sharma, Tapaswi, Sarfraz, Stiefelhagen, "Self-Supervised Learning of Face Representations for Video Face Clustering",
FG 2019.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vcn_ray.evaluate.baselines.hac import cosine_distances, track_means
from vcn_ray.evaluate.baselines.problem import Baseline, Cut, TrackFaces
from vcn_ray.evaluate.baselines.siamese import (
    NETWORK_SOURCE,
    THRESHOLDS,
    Pairs,
    PairSampler,
    Schedule,
    track_pairs,
    trained_cut,
)

#: VideoClusterNet's supplement, 1.4.
_TSIAM_SCHEDULE = Schedule(batch_pairs=32, epochs=100)
#: Epochs as above; the batch of the authors' published code.
_SSIAM_SCHEDULE = Schedule(batch_pairs=128, epochs=100, max_steps=2000)

_FARTHEST_TRACKS = 25
_SUBSET_CROPS = 1000


def stranger_tracks(faces: TrackFaces) -> np.ndarray:
    """TSiam's negatives: which tracks are taken for two people, (t, t) bool.

    A track's are those that are seen together with it. A track that nobody is seen with has the 25 farthest from it
    (of few tracks, a quarter of the others, one at least), by the cosine of their mean directions.
    """
    negative = faces.cannot_link.copy()
    alone = np.flatnonzero(~negative.any(axis=1))
    others = faces.tracks - 1
    if others < 1 or len(alone) == 0:
        return negative
    number = max(1, min(_FARTHEST_TRACKS, others // 4))
    farthest = np.argsort(-cosine_distances(track_means(faces))[alone], axis=1, kind="stable")[:, :number]
    negative[np.repeat(alone, number), farthest.ravel()] = True
    np.fill_diagonal(negative, False)
    return negative


def mined_pairs(features: Tensor, generator: torch.Generator, batch_pairs: int) -> Pairs:
    """SSiam's pairs: no track is looked at.

    Of a random part of the crops (half of them, at most 1000) each one's nearest is a likely positive, its farthest a
    likely negative. The batch takes the hardest of these: the positives that are farthest apart, and the negatives
    that are nearest, half of the batch each (all there are of a small part).

    Args:
        features: (n, D), n >= 4, compared by Euclidean distance.
        generator: draws the part.
        batch_pairs: pairs of the batch.
    """
    part = torch.randperm(len(features), generator=generator)[: min(len(features) // 2, _SUBSET_CROPS)]
    x = features[part]
    distance = torch.cdist(x, x)
    farthest = distance.max(dim=1)
    distance.fill_diagonal_(float("inf"))
    nearest = distance.min(dim=1)
    half = min(batch_pairs // 2, len(part))
    positive = nearest.values.topk(half).indices
    negative = farthest.values.topk(half, largest=False).indices
    return Pairs(
        first=part[torch.cat([positive, negative])],
        second=part[torch.cat([nearest.indices[positive], farthest.indices[negative]])],
        same=torch.tensor([1.0, 0.0]).repeat_interleave(half),
    )


def _prepare_tsiam(faces: TrackFaces, seed: int, schedule: Schedule = _TSIAM_SCHEDULE) -> Cut:
    draw: PairSampler | None = None
    if faces.tracks > 1:
        own = np.eye(faces.tracks, dtype=bool)
        draw = track_pairs(faces.track_of_crop, own, stranger_tracks(faces), schedule.batch_pairs)
    return trained_cut(faces, draw, schedule, seed)


def _prepare_ssiam(faces: TrackFaces, seed: int, schedule: Schedule = _SSIAM_SCHEDULE) -> Cut:
    def draw(features: Tensor, generator: torch.Generator) -> Pairs:
        return mined_pairs(features, generator, schedule.batch_pairs)

    return trained_cut(faces, draw if len(faces.embeddings) >= 4 else None, schedule, seed)


TSIAM = Baseline(
    name="TSiam",
    source="Sharma et al., FG 2019: one person within a track, two in tracks that are seen together. Batch 32 and 100 "
    "epochs from VideoClusterNet's supplement (1.4). Assumed: an epoch is one pair a crop, half of a batch each kind, "
    "at most 5000 batches; no track is set aside for its quality; a track that nobody is seen with is paired with its "
    f"25 farthest tracks (at most a quarter of the others). {NETWORK_SOURCE}",
    prepare=_prepare_tsiam,
    settings=THRESHOLDS,
    seeded=True,
)

SSIAM = Baseline(
    name="SSiam",
    source="Sharma et al., FG 2019: of a random part of the crops the nearest neighbours that are farthest, and the "
    "farthest crops that are nearest. Batch 128 and the mining on the fixed features from the authors' published code, "
    "100 epochs from VideoClusterNet's supplement (1.4). Assumed: the part is half of the crops, at most 1000 (the "
    f"code: 3000 of far more); at most 2000 batches; no track is set aside for its quality. {NETWORK_SOURCE}",
    prepare=_prepare_ssiam,
    settings=THRESHOLDS,
    seeded=True,
)
