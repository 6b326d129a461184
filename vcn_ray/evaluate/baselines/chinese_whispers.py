"""Chinese whispers: labels that spread over a graph of similar tracks."""

from __future__ import annotations

import numpy as np

from vcn_ray.evaluate.baselines.hac import track_means, unit
from vcn_ray.evaluate.baselines.labels import by_appearance
from vcn_ray.evaluate.baselines.problem import Baseline, Cut, TrackFaces

_MAX_ROUNDS = 100


def whispered_labels(similarity: np.ndarray, threshold: float, seed: int) -> np.ndarray:
    """Let every item take the label that weighs most among its neighbours, again and again (Biemann, 2006).

    Args:
        similarity: (n, n) symmetric; a pair of at least `threshold`, and above 0, is an edge of that weight.
        threshold: smallest similarity of an edge.
        seed: of the order in which the items are visited, drawn anew in each round.

    Stops when a round changes nothing, or after 100 rounds. Among labels of equal weight an item keeps its own, else
    takes the one that came first. Returns (n,) int64 by appearance.
    """
    weights = np.where((similarity >= threshold) & (similarity > 0), similarity, 0.0)
    np.fill_diagonal(weights, 0)
    n = len(weights)
    neighbours = [np.flatnonzero(row) for row in weights]
    random = np.random.default_rng(seed)
    labels = np.arange(n)
    for _ in range(_MAX_ROUNDS):
        changed = False
        for item in random.permutation(n):
            near = neighbours[item]
            if len(near) == 0:
                continue
            votes = np.bincount(labels[near], weights=weights[item, near], minlength=n)
            winner = int(votes.argmax())
            if votes[winner] > votes[labels[item]]:
                labels[item] = winner
                changed = True
        if not changed:
            break
    return by_appearance(labels)


def _prepare(faces: TrackFaces, seed: int) -> Cut:
    directions = unit(track_means(faces))
    similarity = directions @ directions.T

    def cut(threshold: float) -> np.ndarray:
        return whispered_labels(similarity, threshold, seed)

    return cut


CHINESE_WHISPERS = Baseline(
    name="Chinese whispers",
    source="Biemann, TextGraphs 2006, on the cosine of the tracks' mean directions. Assumed: until nothing changes, "
    "100 rounds at most; ties to the item's own label, then to the first",
    prepare=_prepare,
    settings=tuple({"threshold": round(0.02 * k, 2)} for k in range(5, 41)),
    seeded=True,
)
