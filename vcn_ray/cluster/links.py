"""What people said of a title's tracks, and clustering has to hold to: one person, two people, nobody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcn_ray.cluster.linkage import relabel


def pair_matrix(pairs: np.ndarray, n: int) -> np.ndarray:
    """(n, n) bool, symmetric: which positions are a pair; pairs: (m, 2) int64."""
    matrix = np.zeros((n, n), bool)
    matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = True
    return matrix


@dataclass(frozen=True)
class Links:
    """What was said of n tracks. Tracks that are left out are of no group, whatever else was said of them.

    `ValueError` where tracks are said to be one person and two, or the arrays do not fit: callers settle that before.
    """

    together: np.ndarray  # (n,) int64: tracks of one number >= 0 are one character; -1: nothing said
    apart: np.ndarray  # (pairs, 2) int64 positions of tracks of two people
    left_out: np.ndarray  # (n,) bool: no face, or nobody in particular

    def __post_init__(self) -> None:
        """Check it."""
        n, pairs = len(self.together), self.apart
        if len(self.left_out) != n or pairs.shape[1:] != (2,) or ((pairs < 0) | (pairs >= n)).any():
            raise ValueError(f"links of {n} tracks do not fit: {len(self.left_out)} left out, apart {pairs.tolist()}")
        self._check(pairs, "said to be two people")

    @classmethod
    def none(cls, n: int) -> Links:
        """Nothing was said of n tracks."""
        return cls(np.full(n, -1, np.int64), np.empty((0, 2), np.int64), np.zeros(n, bool))

    @property
    def say_nothing(self) -> bool:
        """Whether there is nothing to hold to."""
        return not (len(self.apart) or self.left_out.any() or (self.together >= 0).any())

    @property
    def said(self) -> np.ndarray:
        """(n,) bool: whom a person said to be a character, with other tracks or alone."""
        return (self.together >= 0) & ~self.left_out

    @property
    def group(self) -> np.ndarray:
        """(n,) int64 number of each track's group, 0.. in order of first tracks; other tracks are groups of one."""
        alone = self.together.max(initial=-1) + 1 + np.arange(len(self.together))
        return relabel(np.where(self.said, self.together, alone))

    def two_groups(self, cannot_link: np.ndarray) -> np.ndarray:
        """Pairs of groups (m, 2), each once and its lower number first, that are two people: seen together or said so.

        cannot_link: (pairs, 2) int64 tracks. `ValueError` where it parts a group.
        """
        self._check(cannot_link, "seen together")
        return np.unique(np.sort(self.group[np.concatenate([cannot_link, self.apart])], axis=1), axis=0)

    def over_groups(self, cannot_link: np.ndarray) -> np.ndarray:
        """(n, n) bool: what is two people by a cannot-link or by what was said, for whole groups.

        cannot_link: as for `two_groups`. `ValueError` where it parts a group.
        """
        group = self.group
        two = pair_matrix(self.two_groups(cannot_link), int(group.max(initial=-1)) + 1)
        return two[group][:, group]

    def _check(self, pairs: np.ndarray, what: str) -> None:
        """`ValueError` where a pair of two people is of one group."""
        group = self.group
        wrong = pairs[group[pairs[:, 0]] == group[pairs[:, 1]]]
        if len(wrong):
            a, b = wrong[0].tolist()
            raise ValueError(f"tracks {a} and {b} are said to be one person, and are {what}")

    def speaking(self, kept: np.ndarray) -> np.ndarray:
        """(n,) bool: the tracks that clusters are found by: the kept, and all of a group that has no kept track.

        A person said of such a group who it is, so it is a character, however unsteadily its faces are recognised.
        """
        group = self.group
        heard = np.zeros(len(group) + 1, bool)
        heard[group[kept]] = True
        return kept | (self.said & ~heard[group])

    def spread(self, labels: np.ndarray) -> np.ndarray:
        """Labels (n,) with tracks that have none (-1) where those of their group are, which have one label at most."""
        group = self.group
        of_group = np.full(len(group), -1, np.int64)
        np.maximum.at(of_group, group, labels)
        return of_group[group]

    def hold(self, labels: np.ndarray, cannot_link: np.ndarray) -> np.ndarray:
        """Labels (n,) of any method, held to what was said; 0.. without a gap, or -1.

        Clusters that share a group become one, unless that joined two people: then the group's tracks alone move. Of
        two groups (or tracks) said to be two people that are in one cluster the later one leaves, but a track of no
        group before a group: a track has no label then, a group, which was said to be somebody, one of its own.
        cannot_link: as for `two_groups`.
        """
        if self.say_nothing:
            return labels
        held = np.where(self.left_out, -1, labels)
        group, said = self.group, self.said
        one, another = self.two_groups(cannot_link).T

        def are_two_people(a: int, b: int) -> bool:
            """Whether tracks of these labels are."""
            has_a, has_b = (np.isin(np.arange(len(first)), group[held == label]) for label in (a, b))
            return bool(((has_a[one] & has_b[another]) | (has_b[one] & has_a[another])).any())

        first = np.unique(group, return_index=True)[1]
        for number in np.unique(group[said]).tolist():
            own = group == number
            known = np.unique(held[own & (held >= 0)]).tolist() or [held.max(initial=-1) + 1]
            for other in known[1:]:
                if not are_two_people(known[0], other):
                    held[held == other] = known[0]
            held[own] = known[0]
        rank = np.empty(len(first), np.int64)
        rank[np.lexsort((first, ~said[first]))] = np.arange(len(first))
        of_rank = np.argsort(rank)
        # By who leaves: those whom it might leave have found their place then.
        for b, a in of_rank[np.unique(np.sort(rank[group[self.apart]], axis=1)[:, ::-1], axis=0)].tolist():
            if held[first[a]] == held[first[b]] >= 0:
                held[group == b] = held.max() + 1 if said[first[b]] else -1
        found = held >= 0
        held[found] = np.unique(held[found], return_inverse=True)[1]
        return held
