"""Each track of a large title weighed against the clusters that it may be of, as `confidence` does it by matrices.

A cluster is its sums. A track is held against the nearest clusters of several tracks and the nearest of one track
alone: there may be very many of the latter, and those that are not near weigh next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from vcn_ray.cluster.confidence import WeighedLabels
from vcn_ray.cluster.evidence import Evidence
from vcn_ray.cluster.large.neighbours import nearest
from vcn_ray.cluster.large.pair_space import PairSpace, blocks, main_directions

#: Clusters of either kind that a track is held against.
_NEAREST = 32


@dataclass(frozen=True)
class _Held:
    """Tracks (r,) held against clusters (r, c); a track's own one, where it has one, is the first."""

    cluster: np.ndarray  # (r, c) int64; -1: none
    odds: np.ndarray  # (r, c) log odds that the track belongs there, -inf where it may not
    ratio: np.ndarray  # (r, c) log likelihood ratio that one pair of that similarity would have


class ClusterWeights:
    """Sums of clusters, to hold tracks against them."""

    def __init__(
        self,
        space: PairSpace,
        labels: np.ndarray,
        group: np.ndarray,
        two_groups: np.ndarray,
        evidence: Evidence,
        threads: int,
    ):
        """Sum it up.

        space: of n tracks; labels: (n,) int64, 0.. without a gap or -1; group, two_groups: as for
        `neighbour_linkage.find_characters`, of all n tracks.
        """
        self._space, self._evidence, self._threads = space, evidence, threads
        self._directions = main_directions(space)
        self.labels, self.group = labels, group
        self.count = int(labels.max(initial=-1)) + 1
        known = np.flatnonzero(labels >= 0)
        known = known[np.argsort(labels[known], kind="stable")]
        self.members = np.split(known, np.cumsum(np.bincount(labels[known], minlength=self.count))[:-1])
        of_known, clarity = labels[known], space.clarity[known]
        self.tracks = np.bincount(of_known, minlength=self.count).astype(np.float64)
        self.weight, self.squares = (np.bincount(of_known, x, self.count) for x in (clarity, clarity**2))
        self.vectors = np.zeros((self.count, len(space.signs)), np.float32)
        for part in blocks(len(known)):
            own, first = np.unique(of_known[part], return_index=True)
            of_tracks = space.vectors(known[part]) * clarity[part, None]
            self.vectors[own] += np.add.reduceat(of_tracks, first, axis=0)
        self._forbidden = self._clusters_apart(two_groups)

    def _clusters_apart(self, two_groups: np.ndarray) -> np.ndarray:
        """Ascending numbers group x count + cluster of what may not be: a group in a cluster with another person."""
        known = self.labels >= 0
        group, label = np.unique(np.stack([self.group[known], self.labels[known]], axis=1), axis=0).T
        both = np.concatenate([two_groups, two_groups[:, ::-1]])
        begin, end = (np.searchsorted(group, both[:, 1], side) for side in ("left", "right"))
        one = np.repeat(both[:, 0], end - begin)
        place = np.arange(len(one)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
        return np.unique(one * self.count + label[np.repeat(begin, end - begin) + place])

    def _are_apart(self, group: np.ndarray, cluster: np.ndarray) -> np.ndarray:
        """Whether these groups may not be in these clusters; both of one shape."""
        asked = group * self.count + cluster
        place = np.minimum(np.searchsorted(self._forbidden, asked), max(len(self._forbidden) - 1, 0))
        return self._forbidden[place] == asked if len(self._forbidden) else np.zeros(asked.shape, bool)

    def hold(self, rows: np.ndarray) -> _Held:
        """Hold tracks against clusters, each as if it were in none; rows: (r,) which."""
        space, signs = self._space, self._space.signs
        kinds = [np.flatnonzero(self.tracks > 1), np.flatnonzero(self.tracks == 1)]
        queries = np.concatenate(
            [(space.vectors(rows[p]) * signs) @ self._directions for p in blocks(len(rows))]
            or [np.empty((0, self._directions.shape[1]), np.float32)]
        )
        found = [self.labels[rows][:, None]]
        for kind in kinds:
            if len(kind):
                keys = self.vectors[kind] @ self._directions / self.weight[kind, None]
                near = nearest(queries, keys.astype(np.float32), min(_NEAREST, len(kind)), self._threads)
                near = np.where(near >= 0, kind[near], -1)
                found.append(np.where(near == found[0], -1, near))
        cluster = np.concatenate(found, axis=1)
        odds, ratio = (np.full(cluster.shape, -np.inf) for _ in range(2))
        for part in blocks(len(rows), 256):
            odds[part], ratio[part] = self._weigh(rows[part], cluster[part])
        return _Held(cluster, odds, ratio)

    def _weigh(self, rows: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log odds and ratio (r, c) of tracks in clusters (r, c); arguments as `_Held` has them."""
        space, clarity = self._space, self._space.clarity[rows]
        vectors = space.vectors(rows)
        total = np.matmul(self.vectors[cluster], (vectors * space.signs)[:, :, None])[:, :, 0].astype(np.float64)
        tracks, weight, squares = (x[cluster] for x in (self.tracks, self.weight, self.squares))
        own = self.labels[rows] >= 0  # each is taken out of its own
        itself = np.einsum("rd,rd->r", vectors, vectors * space.signs) * clarity
        for sums, share in ((total, itself), (tracks, 1.0), (weight, clarity), (squares, clarity**2)):
            sums[:, 0] -= np.where(own, share, 0.0)
        apart = self._are_apart(self.group[rows][:, None], cluster)
        row, place = np.nonzero((cluster >= 0) & (tracks > 0.5) & ~apart)
        of_cluster = weight[row, place]
        average = total[row, place] / of_cluster
        of_pairs = np.sqrt(clarity[row] * squares[row, place] / of_cluster)
        odds, ratio = (np.full(cluster.shape, -np.inf) for _ in range(2))
        pairs = of_cluster**2 / squares[row, place]
        odds[row, place] = self._evidence.log_odds(average, of_pairs, pairs, tracks[row, place])
        ratio[row, place] = self._evidence.log_likelihood_ratio(average, of_pairs)
        return odds, ratio

    def attached(self, rest: np.ndarray, least_log_odds: float) -> np.ndarray:
        """Cluster (n,) that tracks belong to if the evidence suffices, else -1; rest: (r,) which, the others get -1."""
        given = np.full(len(self.labels), -1, np.int64)
        if len(rest) and self.count:
            held = self.hold(rest)
            best = np.arange(len(rest)), held.odds.argmax(axis=1)
            given[rest] = np.where(held.odds[best] > least_log_odds, held.cluster[best], -1)
        return given

    def weigh_labels(self) -> WeighedLabels:
        """As `confidence.weigh_labels`."""
        n = len(self.labels)
        posterior, likeness = np.full(n, np.nan), np.full(n, np.nan)
        known = np.flatnonzero(self.labels >= 0)
        alone = (self.labels >= 0) & (self.tracks[self.labels] == 1)
        for part in blocks(len(known), 1 << 15):
            rows = known[part]
            held = self.hold(rows)
            with_none = np.concatenate([held.odds, np.zeros((len(rows), 1))], axis=1)  # the last: one of its own
            own = np.arange(len(rows)), np.where(alone[rows], held.odds.shape[1], 0)
            posterior[rows], likeness[rows] = softmax(with_none, axis=1)[own], held.ratio[:, 0]
        for number in np.flatnonzero(np.bincount(self.group[known]) > 1).tolist():
            rows = known[self.group[known] == number]
            label = int(self.labels[rows[0]])
            by_itself = self.tracks[label] == len(rows)
            of_group = np.append(self._log_odds_of_group(rows, label), 0.0)
            posterior[rows] = softmax(of_group)[-1 if by_itself else label]
            likeness[rows] = likeness[rows].mean()
            alone[rows] = by_itself
        return WeighedLabels(posterior, likeness, alone)

    def _log_odds_of_group(self, rows: np.ndarray, label: int) -> np.ndarray:
        """log odds (clusters,) that tracks (r,) of one group and label together belong to each cluster."""
        space, clarity = self._space, self._space.clarity[rows]
        vector = (space.vectors(rows) * clarity[:, None]).sum(axis=0)
        totals = (self.vectors @ (vector * space.signs)).astype(np.float64)
        tracks, weight, squares = self.tracks.copy(), self.weight.copy(), self.squares.copy()
        for sums, share in (
            (totals, vector @ (vector * space.signs)),
            (tracks, len(rows)),
            (weight, clarity.sum()),
            (squares, clarity @ clarity),
        ):
            sums[label] -= share
        apart = self._are_apart(self.group[rows[0]], np.arange(self.count))
        may = (tracks > 0.5) & ~apart
        odds = np.full(self.count, -np.inf)
        odds[may] = self._evidence.log_odds(
            totals[may] / (weight[may] * clarity.sum()),
            np.sqrt(clarity @ clarity / clarity.sum() * squares[may] / weight[may]),
            clarity.sum() ** 2 / (clarity @ clarity) * weight[may] ** 2 / squares[may],
            np.maximum(tracks[may], len(rows)),
        )
        return odds
