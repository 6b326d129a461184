"""JFRAC: the representation and the clustering are fitted in turn (Zhang, Luo, Loy and Tang, ECCV 2016).

A Markov random field over the tracks says who is who: a track's faces are Gaussian around its character, and two tracks
seen together are two characters. Its answer, noisy as it is, yields pairs of faces that the representation learns to
draw together or keep apart, and the field is fitted again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from vcn_ray.evaluate.baselines.hac import merge_tree, track_means
from vcn_ray.evaluate.baselines.labels import by_appearance
from vcn_ray.evaluate.baselines.problem import Baseline, Cut, TrackFaces
from vcn_ray.evaluate.baselines.siamese import contrastive_loss

_ROUNDS = 5
_STEPS_PER_ROUND = 100
_PAIRS_PER_SOURCE = 64
_LEARNING_RATE = 1e-3

#: Of a local search; it ends when nothing changes, which on 200 tracks takes a handful.
_MAX_SWEEPS = 50

#: Labels (t,) from outputs (n, D), track_of_crop (n,), cannot_link (t, t) and the labels before, as `fit_field`.
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def prepare(
    faces: TrackFaces, seed: int, rounds: int = _ROUNDS, steps_per_round: int = _STEPS_PER_ROUND, fit: Fit | None = None
) -> Cut:
    """The method as a function of `threshold`; as all of it depends on the number of characters, all of it runs there.

    The first labels, and so the number of characters, are those of average-linkage HAC on the base model, cut at a
    mean cosine of `threshold`. A cluster that loses its last track is gone.

    Args:
        faces: the title.
        seed: of the initial weights and all draws.
        rounds: times that the representation is trained and the field fitted after the first fit on the base model.
        steps_per_round: batches of pairs in each.
        fit: gives the labels of each round; `fit_field` by default.
    """
    tree = merge_tree(track_means(faces), np.argwhere(np.triu(faces.cannot_link)))

    def cut(threshold: float) -> np.ndarray:
        labels = tree.at_threshold(threshold)
        if not faces.tracks:
            return labels
        return _alternate(faces, labels, seed, rounds, steps_per_round, fit or fit_field)

    return cut


def fit_field(
    outputs: np.ndarray, track_of_crop: np.ndarray, cannot_link: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Labels of least energy, by a local search from `labels`: parameters and labels in turn until nothing changes.

    A track costs the mean of -log N(face; mean_k, variance_k I) over its faces under its cluster k, and each pair of
    `cannot_link` in one cluster D nats more. Labels are improved one track at a time (iterated conditional modes).

    Args:
        outputs: (n, D) of the crops.
        track_of_crop: (n,) ascending, 0..t-1.
        cannot_link: (t, t) bool, symmetric.
        labels: (t,) int64, 0..k-1.

    Returns (t,) int64 labels 0, 1, ... in order of first appearance; clusters may have died out.
    """
    x = np.asarray(outputs, dtype=np.float64)
    for _ in range(_MAX_SWEEPS):
        improved = _least_energy(_track_costs(x, track_of_crop, labels), cannot_link, labels, x.shape[1])
        improved = by_appearance(improved)
        if np.array_equal(improved, labels):
            break
        labels = improved
    return labels


def _alternate(
    faces: TrackFaces, labels: np.ndarray, seed: int, rounds: int, steps_per_round: int, fit: Fit
) -> np.ndarray:
    """The method from first labels (t,) on."""
    x = F.normalize(torch.from_numpy(np.asarray(faces.embeddings, dtype=np.float32)), dim=1)
    sampler = _PairSampler(faces, np.random.default_rng(seed))
    network = _Representation(x.shape[1], torch.Generator().manual_seed(seed))
    optimiser = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
    labels = fit(x.numpy(), faces.track_of_crop, faces.cannot_link, labels)
    for _ in range(rounds):
        for _ in range(steps_per_round):
            first, second, same = sampler.draw(labels)
            left, right = network(x[torch.from_numpy(np.concatenate([first, second]))]).chunk(2)
            loss = contrastive_loss(left, right, torch.from_numpy(same))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            outputs = network(x).numpy()
        labels = fit(outputs, faces.track_of_crop, faces.cannot_link, labels)
    return labels


class _Representation(nn.Module):
    """(n, D) -> (n, D) of length 1. It starts as the identity, as the paper's network starts pretrained."""

    def __init__(self, dim: int, generator: torch.Generator):
        super().__init__()
        linear = [skip_init(nn.Linear, dim, dim) for _ in range(3)]
        for layer in linear:
            nn.init.zeros_(layer.bias)
            nn.init.uniform_(layer.weight, -1 / math.sqrt(dim), 1 / math.sqrt(dim), generator=generator)
        nn.init.zeros_(linear[-1].weight)
        self.layers = nn.Sequential(linear[0], nn.GELU(), linear[1], nn.GELU(), linear[2])
        self.scale = math.sqrt(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(n, D) of length 1 -> the same."""
        # Entries of about 1, which the layers' initial weights are made for.
        return F.normalize(x * self.scale + self.layers(x * self.scale), dim=1)


class _PairSampler:
    """Draws pairs of crops from four sources alike: one track, two seen together, one cluster, two clusters."""

    def __init__(self, faces: TrackFaces, rng: np.random.Generator):
        self.rng = rng
        self.crops = np.bincount(faces.track_of_crop)
        self.first_crop = np.cumsum(self.crops) - self.crops
        self.together = np.argwhere(faces.cannot_link)

    def draw(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Crops of both sides, (pairs,) int64, and whether they are of one character, (pairs,) float32 1 or 0."""
        n, tracks = _PAIRS_PER_SOURCE, len(labels)
        sources = [(track := self.rng.integers(tracks, size=n), track, True)]
        if len(self.together):
            sources.append((*self.together[self.rng.integers(len(self.together), size=n)].T, False))
        by_label = np.argsort(labels, kind="stable")
        size = np.bincount(labels)
        start = (np.cumsum(size) - size)[labels]
        track = self.rng.integers(tracks, size=n)
        members, others = size[labels[track]], tracks - size[labels[track]]
        sources.append((track, by_label[start[track] + self.rng.integers(members)], True))
        if (others > 0).all():  # else there is one cluster
            elsewhere = start[track] + members + self.rng.integers(others)
            sources.append((track, by_label[elsewhere % tracks], False))
        first, second = (np.concatenate([source[side] for source in sources]) for side in (0, 1))
        same = np.array([source[2] for source in sources], dtype=np.float32)
        return self._crop_of(first), self._crop_of(second), np.repeat(same, n)

    def _crop_of(self, track: np.ndarray) -> np.ndarray:
        return self.first_crop[track] + self.rng.integers(self.crops[track])


def _track_costs(x: np.ndarray, track_of_crop: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(t, k) mean of -log N(face; mean_k, variance_k I) over a track's faces, less a constant.

    A track counts as one observation however many faces it has, as these are nearly copies. A cluster's variance is
    over its tracks and one more with the mean variance, without which a cluster of one track would have next to none.
    """
    dim = x.shape[1]
    crops = np.bincount(track_of_crop)
    size = np.bincount(labels)
    track_mean = np.zeros((len(labels), dim))
    np.add.at(track_mean, track_of_crop, x)
    track_mean /= crops[:, None]
    track_square = np.bincount(track_of_crop, weights=np.square(x).sum(axis=1)) / crops
    mean = np.zeros((len(size), dim))
    np.add.at(mean, labels, track_mean)
    mean /= size[:, None]
    squared = track_square[:, None] - 2 * track_mean @ mean.T + np.square(mean).sum(axis=1)  # (t, k) mean over faces
    own = squared[np.arange(len(labels)), labels]
    variance = (np.bincount(labels, weights=own) + own.mean()) / ((size + 1) * dim)
    variance = np.maximum(variance, 1e-9)  # faces all alike
    return squared / (2 * variance) + dim / 2 * np.log(variance)


def _least_energy(costs: np.ndarray, cannot_link: np.ndarray, labels: np.ndarray, penalty: float) -> np.ndarray:
    """Sweeps over the tracks, the most certain first so that their order does not matter, until none changes."""
    labels = labels.copy()
    clusters = costs.shape[1]
    if clusters < 2:
        return labels
    two_least = np.partition(costs, 1, axis=1)[:, :2]
    order = np.argsort(two_least[:, 0] - two_least[:, 1], kind="stable")
    rivals = [np.flatnonzero(row) for row in cannot_link]
    for _ in range(_MAX_SWEEPS):
        before = labels.copy()
        for track in order:
            forbidden = np.bincount(labels[rivals[track]], minlength=clusters)
            labels[track] = np.argmin(costs[track] + penalty * forbidden)
        if np.array_equal(labels, before):
            break
    return labels


JFRAC = Baseline(
    name="JFRAC",
    source=(
        "Zhang, Luo, Loy and Tang, 'Joint Face Representation Adaptation and Clustering in Videos', ECCV 2016. From "
        "its abstract: representation and clustering in turn, pairwise constraints found from the noisy clusters. "
        "Its full text was not at hand; assumed: labels by iterated conditional modes of a field over whole tracks "
        "(must-link within a track is certain), isotropic Gaussians per character, D nats for each cannot-link "
        "broken; a contrastive loss with margin 1 on unit outputs; pairs in equal parts from tracks, cannot-links, "
        "clusters and across clusters; 5 rounds of 100 steps; a residual 3-layer MLP on the frozen base embeddings in "
        "the place of the fine-tuned network; the number of characters, which the field takes as given, and the first "
        "labels from average-linkage HAC with cannot-links on the base model, cut at a threshold"
    ),
    prepare=prepare,
    settings=tuple({"threshold": round(0.1 + 0.05 * step, 2)} for step in range(11)),
    seeded=True,
)
