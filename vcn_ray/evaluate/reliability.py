"""Whether confidence is as good as it says: of tracks with 90 % nine in ten are to be right."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

#: Bins of confidence, each with its lower edge and without its upper one; the last with both.
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)

_DIGITS = 4


@dataclass(frozen=True)
class Bin:
    """The tracks of one range of confidence; means are None where there are none."""

    low: float
    high: float
    tracks: int
    mean_confidence: float | None
    right: float | None  # share of them that are right


@dataclass(frozen=True)
class Reliability:
    """Confidence held against the truth, over true tracks that are in a cluster and have a confidence."""

    judged: tuple[tuple[float, bool], ...]  # (confidence, right) of each track, in ascending order

    @staticmethod
    def pooled(parts: Iterable[Reliability]) -> Reliability:
        """That of all tracks together."""
        return Reliability(tuple(sorted(one for part in parts for one in part.judged)))

    @property
    def bins(self) -> list[Bin]:
        """One for each range between two of `EDGES`."""
        confidence, right = self._arrays()
        number = np.digitize(confidence, EDGES[1:-1])
        bins = []
        for k, (low, high) in enumerate(pairwise(EDGES)):
            own = number == k
            means = (float(confidence[own].mean()), float(right[own].mean())) if own.any() else (None, None)
            bins.append(Bin(low, high, int(own.sum()), *means))
        return bins

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: of the mean track, how far its bin's confidence is from the share right."""
        confidence, right = self._arrays()
        number = np.digitize(confidence, EDGES[1:-1])
        gaps = np.bincount(number, weights=confidence - right)  # in each bin: tracks times the difference of means
        return float(np.abs(gaps).sum()) / len(self.judged)

    @property
    def brier(self) -> float:
        """Mean squared difference between confidence and being right (1) or wrong (0); 0 is best."""
        confidence, right = self._arrays()
        return float(np.mean((confidence - right) ** 2))

    @property
    def auc(self) -> float | None:
        """Probability that a wrong track has less confidence than a right one, a tie being half; None without both."""
        from sklearn.metrics import roc_auc_score  # slow to import, and a run without ground truth has no need of it

        confidence, right = self._arrays()
        return float(roc_auc_score(right, confidence)) if 0 < right.sum() < len(right) else None

    def wrong_among_least_confident(self, share: float = 0.1) -> float | None:
        """Share of the wrong tracks that are among the `share` least confident ones; None where none is wrong.

        That is what somebody finds who looks at these alone; `share` itself where confidence says nothing. Of equals at
        the edge so many count as there is room for, in proportion.
        """
        confidence, right = self._arrays()
        if right.all():
            return None
        room = share * len(confidence)
        edge = confidence[min(int(room), len(confidence) - 1)]
        below, at = confidence < edge, confidence == edge
        wrong = 1 - right
        return float((wrong[below].sum() + wrong[at].sum() * (room - below.sum()) / at.sum()) / wrong.sum())

    def to_dict(self) -> dict[str, Any]:
        """All figures, JSON-able, without the tracks."""
        confidence, right = self._arrays()
        auc = self.auc
        return {
            "tracks": len(self.judged),
            "mean_confidence": round(float(confidence.mean()), _DIGITS),
            "right": round(float(right.mean()), _DIGITS),
            "calibration_error": round(self.calibration_error, _DIGITS),
            "brier": round(self.brier, _DIGITS),
            "auc": None if auc is None else round(auc, _DIGITS),
            "bins": [{name: round(v, _DIGITS) if v else v for name, v in asdict(b).items()} for b in self.bins],
        }

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array([c for c, _ in self.judged]), np.array([r for _, r in self.judged], np.float64)


def judge(
    clusters: Sequence[Hashable], identities: Sequence[Hashable], confidences: Sequence[float | None]
) -> Reliability | None:
    """Hold the confidence of tracks against the truth; None where no track has one.

    Args:
        clusters: of each true track that is in a cluster.
        identities: that it shows.
        confidences: the probability that it was given; None where not known.
    """
    right = right_tracks(clusters, identities)
    known = [(float(c), bool(r)) for c, r in zip(confidences, right, strict=True) if c is not None]
    return Reliability(tuple(sorted(known))) if known else None


def right_tracks(clusters: Sequence[Hashable], identities: Sequence[Hashable]) -> list[bool]:
    """Whether each track belongs to its cluster.

    It does where no identity is more frequent among the cluster's other tracks than its own, and its own is among
    them. A track that is alone does where no other cluster is its identity's: has no other identity more frequent.
    """
    counts: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for cluster, identity in zip(clusters, identities, strict=True):
        counts[cluster][identity] += 1
    homes: Counter[Hashable] = Counter()  # of how many clusters an identity is the most frequent one, or one of them
    for count in counts.values():
        most = max(count.values())
        homes.update(identity for identity, tracks in count.items() if tracks == most)

    def is_right(cluster: Hashable, identity: Hashable) -> bool:
        count = counts[cluster]
        if count.total() == 1:
            return homes[identity] == 1
        others = count[identity] - 1
        return others > 0 and others >= max((n for i, n in count.items() if i != identity), default=0)

    return [is_right(cluster, identity) for cluster, identity in zip(clusters, identities, strict=True)]


def of_majority(clusters: Sequence[Hashable], identities: Sequence[Hashable]) -> list[bool]:
    """Whether each track shows whom most tracks of its cluster show, the first among equals.

    That asks of a cluster alone: a piece of somebody who is split is right, where `right_tracks` calls it wrong.
    """
    counts: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for cluster, identity in zip(clusters, identities, strict=True):
        counts[cluster][identity] += 1
    most = {cluster: count.most_common(1)[0][0] for cluster, count in counts.items()}
    return [most[cluster] == identity for cluster, identity in zip(clusters, identities, strict=True)]
