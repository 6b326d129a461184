"""Siamese training of a small network on frozen face-ID features, by pairs of crops that are one person or two.

What TSiam, SSiam and CCL have in common here. Network, loss and learning rate are those of the code that the authors
of SSiam published (Sharma et al., FG 2019): features -> 512 -> ReLU -> 2, contrastive loss with margin 1 on the two
outputs, stochastic gradient descent at 0.001; the first layer's output, before its ReLU, is what is clustered.

Training does what it is asked, and what is clustered hardly notices: to put pairs apart on two outputs the first layer,
of random weights, need not change by more than a hundredth or two. docs/baselines.md has the figures, and what comes
of making it change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from vcn_ray.evaluate.baselines.hac import mean_embeddings, merge_tree, tree_cut
from vcn_ray.evaluate.baselines.problem import Cut, TrackFaces

_HIDDEN = 512
_OUTPUTS = 2
_MARGIN = 1.0
_LEARNING_RATE = 1e-3
_MOMENTUM = 0.9
_WEIGHT_DECAY = 5e-4
_LONGEST_GRADIENT = 100.0

#: What was taken from where, for the `source` of the methods that train this network.
NETWORK_SOURCE = (
    "Network, unnormalised features, margin and learning rate from the authors' published code of SSiam; initial "
    "weights (standard deviation sqrt(2 / inputs)), momentum 0.9 and weight decay 5e-4 are its library's; gradients "
    "longer than 100 are shortened, or training diverges on features longer than theirs. Cut by average "
    "linkage on the cosine of the tracks' mean outputs, threshold from other titles (the authors: Ward's linkage, "
    "number of people known; 15 epochs in their demonstration). The layer that is clustered moves by some 2 % of its "
    "random start, so cuts are nearly those of HAC (docs/baselines.md)"
)

#: Thresholds of the final clustering: two strangers' outputs are closer than in the features, so close to 1 as well.
THRESHOLDS = tuple({"threshold": round(0.05 * k, 2)} for k in range(19)) + tuple(
    {"threshold": threshold} for threshold in (0.92, 0.94, 0.96, 0.97, 0.98, 0.99, 0.995)
)


@dataclass(frozen=True)
class Pairs:
    """A batch of pairs of crops."""

    first: Tensor  # (b,) int64 rows of the features
    second: Tensor  # (b,) int64
    same: Tensor  # (b,) float32: 1 one person, 0 two people


#: Draws the pairs of one batch: from the features (n, D) and a generator on the CPU.
PairSampler = Callable[[Tensor, torch.Generator], Pairs]


@dataclass(frozen=True)
class Schedule:
    """How long to train."""

    batch_pairs: int
    epochs: int
    max_steps: int = 5000  # of long titles: it keeps the training of any title within some 10 s of one CPU core

    def steps(self, crops: int) -> int:
        """Batches of pairs in all; an epoch has as many as it takes for one pair a crop."""
        return min(self.epochs * math.ceil(crops / self.batch_pairs), self.max_steps)


def contrastive_loss(first: Tensor, second: Tensor, same: Tensor) -> Tensor:
    """Mean over the pairs of d^2 where they are one person and max(1 - d, 0)^2 where they are two (Hadsell, 2006).

    Args:
        first, second: (b, k) outputs; d is their Euclidean distance.
        same: (b,) 1 or 0.
    """
    squared = (first - second).square().sum(dim=1)
    # The root's gradient at 0 is infinite.
    distance = (squared + 1e-8).sqrt()
    return (same * squared + (1 - same) * (_MARGIN - distance).clamp(min=0).square()).mean()


def train(features: np.ndarray, draw: PairSampler | None, schedule: Schedule, seed: int) -> nn.Sequential:
    """Train the network on these features' pairs.

    Args:
        features: (n, D) the base model's embeddings, one per crop, unnormalised; n >= 1.
        draw: the pairs of each batch. None where there are none to learn from: then the network stays as it was
            initialised, and its first layer is a random projection of the features.
        schedule: how long.
        seed: of the initial weights and of all pairs; the same seed and features give the same network.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))
    # Without PyTorch's own initialisation, which would draw from the process's generator.
    layers = [skip_init(nn.Linear, *size) for size in ((rows.shape[1], _HIDDEN), (_HIDDEN, _OUTPUTS))]
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1])
    for parameter in network.parameters():
        if parameter.dim() == 2:
            nn.init.normal_(parameter, std=math.sqrt(2 / parameter.shape[1]), generator=generator)
        else:
            nn.init.zeros_(parameter)
    optimiser = torch.optim.SGD(
        network.parameters(), lr=_LEARNING_RATE, momentum=_MOMENTUM, weight_decay=_WEIGHT_DECAY, foreach=True
    )
    if draw is None:
        return network
    for _ in range(schedule.steps(len(rows))):
        pairs = draw(rows, generator)
        first, second = network(rows[torch.cat([pairs.first, pairs.second])]).chunk(2)
        loss = contrastive_loss(first, second, pairs.same)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_GRADIENT)
        optimiser.step()
    return network


@torch.no_grad()
def refined(network: nn.Sequential, features: np.ndarray) -> np.ndarray:
    """The first layer's outputs, (n, 512) float32: the representation that is clustered."""
    return network[0](torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32))).numpy()


def trained_cut(faces: TrackFaces, draw: PairSampler | None, schedule: Schedule, seed: int) -> Cut:
    """Train on a title's crops and return the cut of its tracks by the setting `threshold`.

    Args:
        faces: the title.
        draw, schedule, seed: see `train`.
    """
    if faces.tracks == 0:
        return lambda threshold: np.empty(0, dtype=np.int64)
    network = train(faces.embeddings, draw, schedule, seed)
    _, means = mean_embeddings(refined(network, faces.embeddings), faces.track_of_crop)
    return tree_cut(merge_tree(means))


def track_pairs(track_of_crop: np.ndarray, positive: np.ndarray, negative: np.ndarray, batch_pairs: int) -> PairSampler:
    """Pairs by their tracks: half of a batch from tracks that are one person, half from tracks that are two.

    A pair's first crop is any crop of a track that has such a partner, each as likely as any other; its partner track
    is any of these, its second crop any of that one's.

    Args:
        track_of_crop: (n,) int64 0..t-1, ascending.
        positive: (t, t) bool, which tracks are one person; a track with itself included.
        negative: (t, t) bool, which are two; at least one pair.
        batch_pairs: pairs of a batch, even.
    """
    count = torch.from_numpy(np.bincount(track_of_crop, minlength=len(positive)))
    start = torch.cumsum(count, 0) - count
    track = torch.from_numpy(np.asarray(track_of_crop, dtype=np.int64))
    halves = [_Partners(torch.from_numpy(matrix), track) for matrix in (positive, negative)]
    same = torch.tensor([1.0, 0.0]).repeat_interleave(batch_pairs // 2)

    def draw(features: Tensor, generator: torch.Generator) -> Pairs:
        firsts, seconds = [], []
        for half in halves:
            first, partner = half.draw(batch_pairs // 2, generator)
            place = torch.rand(len(partner), generator=generator, dtype=torch.float64)
            firsts.append(first)
            seconds.append(start[partner] + (place * count[partner]).long())
        return Pairs(torch.cat(firsts), torch.cat(seconds), same)

    return draw


class _Partners:
    """Crops whose tracks have partners in a (t, t) bool matrix, and those partners."""

    def __init__(self, matrix: Tensor, track: Tensor) -> None:
        partners = matrix.sum(dim=1)
        self._track = track
        self._count = partners
        self._start = torch.cumsum(partners, 0) - partners
        self._partner = matrix.nonzero()[:, 1]  # in order of the rows
        self._crops = (partners[track] > 0).nonzero()[:, 0]

    def draw(self, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Crops and a partner track of each, (number,) int64."""
        crops = self._crops[torch.randint(len(self._crops), (number,), generator=generator)]
        tracks = self._track[crops]
        place = torch.rand(number, generator=generator, dtype=torch.float64)
        return crops, self._partner[self._start[tracks] + (place * self._count[tracks]).long()]
