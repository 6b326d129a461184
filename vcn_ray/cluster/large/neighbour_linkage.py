"""Average linkage of many tracks over lists of the nearest, cut by evidence as `linkage` is.

The average over all pairs of two clusters comes from sums of their tracks' vectors, so it needs no list; lists say who
is looked at. A merged cluster looks at all that its parts looked at, and knows how similar those may be who are on no
list. When a cluster's best falls below that, it waits for the next round, which comes before others merge that are
less similar by more than `_SLACK`, and asks anew; when all lists are worked off, so do all clusters that have changed.
So clusters merge as in `linkage`, the most similar two first to within that, but for pairs of which more evidence
speaks when clusters have grown; it ends where no pair of clusters that anybody finds may merge.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from vcn_ray.cluster.evidence import Evidence, crp_concentration
from vcn_ray.cluster.large.neighbours import Start, nearest
from vcn_ray.cluster.large.pair_space import blocks
from vcn_ray.cluster.large.tabulated import TabulatedEvidence
from vcn_ray.cluster.linkage import ClusterSums, relabel

#: A concentration that is asked to be so many times as much is left as it is: odds would change by a fiftieth.
_SETTLED = 1.02


#: A cluster that waits for the next round has it called when others would merge that are so much less similar.
_SLACK = 0.25

#: Nearest that are looked for at once, of all that ask together, where those of the lists' length do not do.
_MOST_FOUND = 1 << 23

_TRUE = np.ones(1, bool)


def find_characters(
    start: Start, group: np.ndarray, two_groups: np.ndarray, evidence: Evidence, least_log_odds: float
) -> tuple[np.ndarray, Evidence]:
    """As `linkage.find_characters`, over lists; two_groups: (m, 2) numbers of `group` that are two people."""
    merges: list[_Merge] = []
    while True:
        labels, merges = _link(start, group, two_groups, evidence, least_log_odds, merges)
        if not len(labels):
            return labels, evidence
        wanted = crp_concentration(int(labels.max()) + 1, len(labels))
        if wanted <= evidence.concentration * _SETTLED:
            return labels, evidence
        evidence = replace(evidence, least_concentration=wanted)


def link(
    start: Start, group: np.ndarray, two_groups: np.ndarray, evidence: Evidence, least_log_odds: float
) -> np.ndarray:
    """As `linkage.link_by_evidence`, over lists: labels (n,) 0.. in order of each cluster's first track."""
    return _link(start, group, two_groups, evidence, least_log_odds, [])[0]


class _Merge(NamedTuple):
    """One cluster became part of another; both go by a track's number."""

    whole: int
    part: int
    log_odds: float  # that the two were one character, without the prior


def _link(
    start: Start,
    group: np.ndarray,
    two_groups: np.ndarray,
    evidence: Evidence,
    least_log_odds: float,
    earlier: list[_Merge],
) -> tuple[np.ndarray, list[_Merge]]:
    """Labels as `link` gives them, and what merged; earlier: what merged when the prior was kinder to merges."""
    clusters = _Clusters(start, evidence, least_log_odds)
    clusters.join(group, two_groups)
    clusters.repeat(earlier)
    while clusters.merge_all():
        clusters.ask()
    return relabel(clusters.owner), clusters.merges


class _Clusters:
    """Clusters while they merge; one goes by the number of a track in it. What ended in another is -1 in `version`."""

    def __init__(self, start: Start, evidence: Evidence, least_log_odds: float):
        n = len(start.space.clarity)
        clarity = start.space.clarity
        self._start, self._least = start, least_log_odds
        self._evidence = TabulatedEvidence(evidence, float(clarity.min(initial=np.inf)), float(clarity.max(initial=0)))
        self._known = ClusterSums(clarity)
        self._vectors = np.empty((n, len(start.space.signs)), np.float32)  # sums, each track weighing as its clarity
        for part in blocks(n):
            self._vectors[part] = start.space.vectors(np.arange(n)[part]) * start.space.clarity[part, None]
        self.owner = np.arange(n, dtype=np.int32)  # cluster of each track
        self._members = [self.owner[k : k + 1].copy() for k in range(n)]  # tracks of each cluster
        self._most = 2 * start.near.shape[1]  # of others that a cluster remembers
        self._near: list[np.ndarray] = [row[row >= 0] for row in start.near]
        last = (start.near >= 0).sum(axis=1) - 1
        self._unlisted = start.similarity[np.arange(n), last]  # no cluster on no list is more similar than this
        self._more = np.zeros(n, bool)  # whether one on no list may merge, as far as is known
        self._apart: list[set[int] | None] = [None] * n
        self._version = np.zeros(n, np.int64)  # counts merges
        self._asked = np.zeros(n, np.int64)  # the version that asked last
        self._partner = np.full(n, -1, np.int64)
        self._partner_version = np.full(n, -1, np.int64)
        self._partner_odds = np.zeros(n)  # log odds with it
        self.merges: list[_Merge] = []  # of `repeat` and `merge_all`, in order
        self._waiting: set[int] = set()  # for the next round, since better ones may be on no list
        self._bound = -np.inf  # no cluster that waits finds one more similar than this
        self._queue: list[tuple[float, int, int]] = []  # (-similarity of the best, cluster, its version)
        self._first_best()

    def join(self, group: np.ndarray, two_groups: np.ndarray) -> None:
        """Make each group one cluster from the start, and keep those apart that are two people."""
        numbers, first = np.unique(group, return_index=True)
        for a, b in two_groups[np.isin(two_groups, numbers).all(axis=1)].tolist():
            one, other = (int(first[np.searchsorted(numbers, number)]) for number in (a, b))
            for x, y in ((one, other), (other, one)):
                self._apart[x] = (self._apart[x] or set()) | {y}
        of_track = first[np.searchsorted(numbers, group)]
        for track in np.flatnonzero(of_track != np.arange(len(group))).tolist():
            self._merge(*self.owner[[of_track[track], track]].tolist())

    def repeat(self, merges: list[_Merge]) -> None:
        """Merge at once what merged under another prior and still would, as long as all that it is made of did."""
        as_it_was = np.ones(len(self.owner), bool)
        for merge in merges:
            whole, part, odds = merge
            as_it_was[whole] &= as_it_was[part] and odds + self._evidence.prior_log_odds > self._least
            if as_it_was[whole]:
                self._merge(whole, part, look=False)
                self.merges.append(merge)
        for cluster in sorted({merge.whole for merge in self.merges} - {merge.part for merge in self.merges}):
            self._look(cluster)

    def merge_all(self) -> bool:
        """Merge the most similar two that may until some have to ask first; False where nothing did, and none wait."""
        merged = False
        while self._queue:
            best, a, version = heapq.heappop(self._queue)
            if version != self._version[a]:
                continue
            if self._waiting and -best < self._bound - _SLACK:
                heapq.heappush(self._queue, (best, a, version))  # those that wait come first
                return True
            b = int(self._partner[a])
            if self._version[b] != self._partner_version[a] or b in (self._apart[a] or ()):
                self._look(a)  # what it merges with is no longer what it was: never more similar, maybe less
                continue
            odds = float(self._partner_odds[a]) - self._evidence.prior_log_odds
            self.merges.append(_Merge(*self._merge(a, b), odds))
            merged = True
        return merged or bool(self._waiting)

    def ask(self) -> None:
        """Give clusters that wait the nearest of all that there are; where the queue is empty all that have changed."""
        live = np.flatnonzero(self._version >= 0)
        changed = live[self._version[live] > self._asked[live]] if not self._queue else live[:0]
        asking = np.union1d(changed, np.array(sorted(self._waiting), np.int64))
        self._waiting.clear()
        self._bound = -np.inf
        directions, weight = self._start.directions, self._known.weight
        keys = np.concatenate([self._vectors[live[p]] @ directions / weight[live[p], None] for p in blocks(len(live))])
        keys, count = keys.astype(np.float32), self._start.near.shape[1]
        left = self._give_nearest(asking, live, keys, count)
        if len(left):
            # Each is among its own nearest.
            more = count + 1 + max(len(self._apart[cluster] or ()) for cluster in left.tolist())
            for part in blocks(len(left), max(1, _MOST_FOUND // more)):
                self._give_nearest(left[part], live, keys, more)

    def _give_nearest(self, asking: np.ndarray, live: np.ndarray, keys: np.ndarray, count: int) -> np.ndarray:
        """List so many of the clusters `live`, (k,), whose keys (k, d) are nearest.

        Gives those that ask and may merge with none of them, being two people with all, though there are more.
        """
        directions, signs, weight = self._start.directions, self._start.space.signs, self._known.weight
        queries = [
            (self._vectors[asking[p]] * signs) @ directions / weight[asking[p], None] for p in blocks(len(asking))
        ]
        count = min(count, len(live))
        found = nearest(np.concatenate(queries).astype(np.float32), keys, count, self._start.threads)
        left = []
        for cluster, row in zip(asking.tolist(), live[found], strict=True):
            self._near[cluster] = row.astype(np.int32)
            self._unlisted[cluster], self._more[cluster] = -np.inf, False
            self._asked[cluster] = self._version[cluster]
            self._look(cluster, is_new=len(live) > count)
            if len(live) > count and not len(self._near[cluster]):
                left.append(cluster)
        return np.array(left, np.int64)

    def _merge(self, a: int, b: int, *, look: bool = True) -> tuple[int, int]:
        """The cluster of fewer tracks becomes part of the other, which is named first in the answer.

        look: find the merged one's best at once.
        """
        if self._known.tracks[b] > self._known.tracks[a] or (self._known.tracks[a] == self._known.tracks[b] and b < a):
            a, b = b, a
        weight = self._known.weight[[a, b]]
        self._unlisted[a] = weight @ self._unlisted[[a, b]] / weight.sum()
        self._more[a] |= self._more[b]
        self._vectors[a] += self._vectors[b]
        self._known.merge(a, b)
        self._near[a] = np.concatenate([self._near[a], self._near[b]])
        self._near[b] = self._near[b][:0]
        self.owner[self._members[b]] = a
        self._members[a] = np.concatenate([self._members[a], self._members[b]])
        self._members[b] = self._members[b][:0]
        self._version[a] += 1
        self._version[b] = -1
        self._waiting -= {a, b}
        apart = self._apart[b]
        if apart:
            for other in apart:
                others = self._apart[other]
                if others is not None:
                    others.discard(b)
                    others.add(a)
            self._apart[a] = (self._apart[a] or set()) | apart
            self._apart[b] = None
        if look:
            self._look(a)
        return a, b

    def _look(self, cluster: int, *, is_new: bool = False) -> None:
        """Find the best of those on a cluster's list and queue it; is_new: the list is the first of a longer one."""
        others = np.sort(self.owner[self._near[cluster]])  # `np.unique` takes twice the time of all that
        others = others[np.concatenate([_TRUE, others[1:] != others[:-1]])] if len(others) else others
        apart = self._apart[cluster] or ()
        if apart:
            others = np.array([k for k in others.tolist() if k != cluster and k not in apart], np.int32)
        else:
            others = others[others != cluster]
        if not len(others):
            self._near[cluster] = others
            self._queue_best(cluster, -np.inf, -1, 0.0)
            return
        known = self._known
        total = self._vectors[others] @ (self._vectors[cluster] * self._start.space.signs)
        similarity = total / (known.weight[others] * known.weight[cluster])
        odds = known.log_odds(cluster, others, similarity, self._evidence)
        may = odds > self._least
        order = np.argsort(-similarity, kind="stable")
        if is_new or len(order) > self._most:
            left_out = order[-1:] if is_new else order[self._most :]
            self._unlisted[cluster] = max(self._unlisted[cluster], similarity[left_out[0]])
            self._more[cluster] |= bool(may[left_out].any())
            order = order[: self._most]
        self._near[cluster] = others[order]
        possible = order[may[order]]
        if len(possible):
            best = int(possible[0])
            self._queue_best(cluster, float(similarity[best]), int(others[best]), float(odds[best]))
        else:
            self._queue_best(cluster, -np.inf, -1, 0.0)

    def _queue_best(self, cluster: int, similarity: float, partner: int, odds: float) -> None:
        if self._more[cluster] and similarity < self._unlisted[cluster]:
            self._waiting.add(cluster)
            self._bound = max(self._bound, float(self._unlisted[cluster]))
        elif similarity > -np.inf:
            self._partner[cluster], self._partner_version[cluster] = partner, self._version[partner]
            self._partner_odds[cluster] = odds
            heapq.heappush(self._queue, (-similarity, cluster, int(self._version[cluster])))

    def _first_best(self) -> None:
        """`_look` for all tracks at once."""
        near, similarity, known = self._start.near, self._start.similarity, self._known
        for part in blocks(len(near)):
            row, place = np.nonzero(near[part] >= 0)
            one, other = row + part.start, near[part][row, place]
            odds = self._evidence.log_odds(
                similarity[one, place],
                np.sqrt(known.clarity(one) * known.clarity(other)),
                1.0,
                1.0,
            )
            all_odds = np.full(near[part].shape, -np.inf)
            all_odds[row, place] = odds
            may = all_odds > self._least
            first = may.argmax(axis=1)
            self._more[part] = may[:, -1]  # where the last on the list may, those after it may as well
            for cluster in (np.flatnonzero(may.any(axis=1)) + part.start).tolist():
                best = cluster, int(first[cluster - part.start])
                odds_of_best = float(all_odds[best[0] - part.start, best[1]])
                self._queue_best(cluster, float(similarity[best]), int(near[best]), odds_of_best)
