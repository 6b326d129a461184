"""Which crops make the pairs of an epoch, in which order, with which views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcn_ray.adapt.draws import Stream, philox


@dataclass(frozen=True)
class EpochPairs:
    """Pairs of an epoch in the order of training; a whole number of batches."""

    crop_a: np.ndarray  # (p,) int64 index of a crop
    crop_b: np.ndarray  # (p,) int64: another crop of the same group (the same one where a group has but one)
    global_draws: np.ndarray  # (p, 2) int64 >= 0: number that picks the global view of each crop
    local_draws: np.ndarray  # (p, 2, 2) int64 >= 0: numbers that pick the two local views of each crop

    def __len__(self) -> int:
        return len(self.crop_a)


def draw_epoch(
    group_of_crop: np.ndarray,
    batch_pairs: int,
    min_batches: int,
    seed: int,
    iteration: int,
    epoch: int,
    weight_of_crop: np.ndarray | None = None,
) -> EpochPairs:
    """Pairs of an epoch, from (seed, iteration, epoch) alone.

    A pair is two crops of one track in the first iteration, of one track or of coarsely matched tracks in the later
    ones (S 8): crops of one group. Each crop of a group is once the first of a pair, its partner is drawn evenly from
    the rest of the group; the list is repeated in another order until it fills the last batch and `min_batches`. With
    weights a crop is the first of as many pairs as its weight is of them all, rounded up or down by the draw.

    Args:
        group_of_crop: (n,) int64; -1 keeps a crop out of training.
        batch_pairs: pairs in a batch.
        min_batches: batches to make at least.
        seed: seed of the run.
        iteration: from 1.
        epoch: from 0.
        weight_of_crop: (n,) > 0, how often each crop is the first of a pair; None: all as often.

    Raises:
        ValueError: no crop belongs to a group.
    """
    trained = np.flatnonzero(group_of_crop >= 0)
    if not len(trained):
        raise ValueError("no crop is left to train on")
    by_group = trained[np.argsort(group_of_crop[trained], kind="stable")]
    _, starts, sizes = np.unique(group_of_crop[by_group], return_index=True, return_counts=True)
    start_of, size_of = np.repeat(starts, sizes), np.repeat(sizes, sizes)

    rng = np.random.Generator(philox(seed, Stream.PAIRS, index=iteration, key=epoch))
    count = max(-(-len(trained) // batch_pairs), min_batches) * batch_pairs
    if weight_of_crop is None:
        rounds = [rng.permutation(len(by_group)) for _ in range(-(-count // len(by_group)))]
        first = np.concatenate(rounds)[:count]
    else:
        share = np.cumsum(weight_of_crop[by_group]) / weight_of_crop[by_group].sum()
        places = (rng.random() + np.arange(count)) / count  # systematic sampling
        first = rng.permutation(np.minimum(np.searchsorted(share, places, side="right"), len(by_group) - 1))

    start, size = start_of[first], size_of[first]
    others = np.maximum(size - 1, 1)
    step = 1 + np.floor(rng.random(count) * others).astype(np.int64)
    second = start + (first - start + step) % size
    return EpochPairs(
        crop_a=by_group[first],
        crop_b=by_group[second],
        global_draws=rng.integers(0, 2**31, (count, 2)),
        local_draws=rng.integers(0, 2**31, (count, 2, 2)),
    )


def characters_once(character_of_crop: np.ndarray) -> np.ndarray:
    """Weight of each crop, (n,), with which all characters weigh the same, whatever their number of crops; mean 1.

    character_of_crop: (n,) int64; a crop of none, -1, weighs 1.
    """
    weight = np.ones(len(character_of_crop))
    known = character_of_crop >= 0
    _, character, crops = np.unique(character_of_crop[known], return_inverse=True, return_counts=True)
    weight[known] = known.sum() / max(len(crops), 1) / crops[character]
    return weight
