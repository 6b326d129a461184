"""Characters of many titles matched to the cast of a season.

Each title's network has been adapted apart, so adapted outputs of two titles are not comparable. The base model's
embeddings are: one network, the same for all. What adaptation knew is not lost by that, since it has done its work
inside the title: the units here are the title's characters, and a character of thirty tracks is placed far better in
the base space than any of its tracks.

The average similarity of two characters over all pairs of their tracks, clear ones weighing more, is the product of
the weighted means of their tracks' unit vectors, so neither it nor a merged character's needs a matrix of tracks. What
a similarity is worth is found as within a title (`evidence`), from the pairs of the season's tracks; there is no
threshold to set. What the season then knows better than a title did is told by `reassignment`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.cast.season_tracks import (
    TitleCharacters,
    log_likelihood_ratio,
    positions,
    season_evidence,
    track_clarity,
)
from vcn_ray.cluster.evidence import Evidence, crp_concentration, fit_evidence, standardise
from vcn_ray.cluster.linkage import ClusterSums, merge_most_similar, relabel

#: Rows of a block of similarities.
_BLOCK_ROWS = 512

#: From so many characters on, faiss looks for those that may be one.
_MANY_CHARACTERS = 4096

#: Candidates are looked for a little below the lowest similarity that can count, beyond the rounding of float32.
_SLACK = 1e-4


#: A character's title and cluster_id.
Character = tuple[str, int]


@dataclass(frozen=True)
class Cast:
    """Which characters are one: row k says that this character of this title is that member of the cast."""

    title: tuple[str, ...]
    cluster_id: np.ndarray  # (characters,) int64
    member: np.ndarray  # (characters,) int64, 0.. in order of each member's first title and character
    evidence: Evidence | None  # by which it was decided; None where there was nothing to decide
    refused: tuple[tuple[Character, Character], ...] = ()  # said to be one, but they or theirs are two people


def match_cast(
    titles: Iterable[TitleCharacters],
    calibration: Calibration | None,
    search: Literal["auto", "blocks", "faiss"] = "auto",
    least_log_odds: float = 0.0,
    fit: Callable[..., Evidence] = fit_evidence,
    same: Iterable[Sequence[Character]] = (),
    apart: Iterable[tuple[Character, Character]] = (),
) -> Cast:
    """Find which characters of a season's titles are one member of its cast.

    Average linkage: the two groups of characters for which the evidence speaks most become one, until it speaks for
    none, see `evidence` and `linkage`. (The most similar first, as within a title, is worse here: two characters of
    many clear tracks are surely one, while a single blur may by chance be more alike to somebody.) Never do groups that
    hold two people seen together in a title; and two characters of one title join through a third of another title
    alone, since within the title more was known when they stayed apart.

    titles: in any order, the result is the same; their ids differ. calibration: of the base model, None where unknown.
    search: how candidates are found; both ways give the same result. least_log_odds: a merge wants more than these.
    fit: the evidence from the season's similarities, arguments as for `fit_evidence`.
    same: characters that people said to be one person; they start as one member, two of one title as well. Where that
    joined two people, it is refused, and the rest of the group stands. apart: those said to be two people. Characters
    that are in no title are ignored; what was said changes nothing of the evidence.
    Memory grows with tracks x D and with the pairs of characters that may be one, never with pairs of tracks.
    """
    ordered = sorted((title for title in titles if len(title.track_id)), key=lambda title: title.title)
    characters = _Characters(ordered, calibration)
    if len(characters.title) < 2:
        member = np.zeros(len(characters.title), np.int64)
        return Cast(characters.title, characters.cluster_id, member, None)
    characters.keep_apart(apart)
    said = characters.numbers(same)
    with threadpool_limits(1):  # sums in one order
        evidence = season_evidence(ordered, calibration, fit)
        near = [np.empty(0, np.int32)] * len(characters.title)
        if evidence is not None:
            means = characters.sums / characters.weights[:, None]
            near = _candidates(means, characters.lowest_similarity(evidence, least_log_odds), search)
        while True:  # with a prior that agrees with the number of members found, see `linkage.find_characters`
            groups = _Groups(characters, list(near), evidence or Evidence(), least_log_odds)
            refused = groups.join(said)
            merge_most_similar(groups, len(near))
            member = relabel(groups.owner)
            wanted = crp_concentration(int(member.max()) + 1, int(characters.tracks.sum()))
            if evidence is None or wanted <= evidence.concentration * (1 + 1e-9):
                break
            evidence = replace(evidence, least_concentration=wanted)
    named = list(zip(characters.title, characters.cluster_id.tolist(), strict=True))
    return Cast(
        characters.title,
        characters.cluster_id,
        member,
        evidence,
        tuple((named[a], named[b]) for a, b in refused),
    )


class _Characters:
    """All characters of a season, by title and number."""

    def __init__(self, titles: Sequence[TitleCharacters], calibration: Calibration | None):
        names: list[str] = []
        clusters, sums, weights, squares, tracks, cannot = [], [], [], [], [], []
        low, high = np.inf, 0.0
        for title in titles:
            cluster, of_track = np.unique(title.cluster_id, return_inverse=True)
            order = np.argsort(title.track_id)  # sums in one order, whatever that of the tracks
            clarity, of_ordered = track_clarity(title, calibration)[order], of_track[order]
            own = np.zeros((len(cluster), title.embedding.shape[1]))
            np.add.at(own, of_ordered, clarity[:, None] * title.embedding[order])
            sums.append(own)
            weights.append(np.bincount(of_ordered, clarity, len(cluster)))
            squares.append(np.bincount(of_ordered, clarity**2, len(cluster)))
            tracks.append(np.bincount(of_track, minlength=len(cluster)))
            low, high = min(low, float(clarity.min())), max(high, float(clarity.max()))
            a, b = positions(title)
            pairs = np.stack([of_track[a], of_track[b]], axis=1) + len(names)
            cannot.append(pairs[pairs[:, 0] != pairs[:, 1]])
            clusters.append(cluster)
            names += [title.title] * len(cluster)
        nothing = np.empty(0, np.int64)
        self.title = tuple(names)
        self.cluster_id = np.concatenate([nothing, *clusters])
        self.sums = np.concatenate(sums) if sums else np.empty((0, 1))  # of their tracks' unit vectors times clarity
        self.weights = np.concatenate([nothing, *weights])  # of their tracks' clarity
        self.squares = np.concatenate([nothing, *squares])  # of its squares
        self.tracks = np.concatenate([nothing, *tracks])
        self.cannot_link = np.unique(np.concatenate([nothing.reshape(0, 2), *cannot]), axis=0)
        self._clarity = low, high  # of the season's tracks

    def lowest_similarity(self, evidence: Evidence, least_log_odds: float) -> float:
        """The similarity at and below which the evidence can speak for no merge; 1 where it never does."""
        return lowest_similarity(evidence, least_log_odds, self._clarity, int(self.tracks.sum()))

    def numbers(self, said: Iterable[Sequence[Character]]) -> list[list[int]]:
        """Numbers of each group's characters, those that there are, ascending; groups of two or more, in one order."""
        number = {who: k for k, who in enumerate(zip(self.title, self.cluster_id.tolist(), strict=True))}
        known = [sorted({number[title, int(c)] for title, c in group if (title, int(c)) in number}) for group in said]
        return sorted(group for group in known if len(group) > 1)

    def keep_apart(self, pairs: Iterable[tuple[Character, Character]]) -> None:
        """Add pairs that are two people."""
        known = np.array(self.numbers(pairs), np.int64).reshape(-1, 2)
        self.cannot_link = np.unique(np.concatenate([self.cannot_link, known]), axis=0)


def lowest_similarity(evidence: Evidence, least_log_odds: float, clarity: tuple[float, float], tracks: int) -> float:
    """The similarity at and below which no two groups of tracks are one, whatever their sizes; 1 where none ever are.

    A merge wants sqrt(m) * ratio + log(larger / concentration) > least for m pairs, so a ratio above zero where the
    prior is against it, and where it is for it, one that is the less below zero the more tracks there are. The ratio
    never falls as the similarity grows. clarity: the lowest and the highest of the tracks; tracks: how many there are.
    """
    low, high = clarity
    larger = np.geomspace(1, max(tracks, 1), 256)
    # Of tracks that differ in clarity no fewer than this share count (Kantorovich's inequality).
    pairs = np.maximum(1, larger * (4 * low * high / (low + high) ** 2))
    prior = np.log(larger / evidence.concentration) if evidence.sizes_in_prior else evidence.prior_log_odds
    least = min(0.0, 1.01 * float(((least_log_odds - prior) / np.sqrt(pairs)).min()))
    at = np.geomspace(low, high, 64)
    found = np.full(len(at), -1.0 - 2 * _SLACK)
    above = np.ones(len(at))
    for _ in range(60):
        middle = (found + above) / 2
        speaks = log_likelihood_ratio(evidence, middle, at) > least
        found, above = np.where(speaks, found, middle), np.where(speaks, middle, above)
    return float(found.min())


def _candidates(means: np.ndarray, lowest: float, search: str) -> list[np.ndarray]:
    """For each character the others that are more similar than `lowest`: int32, ascending.

    Leaving out the rest is exact. The average similarity of a merged character to a third lies between those of its
    parts, so two groups of which no two characters are more similar than `lowest` never become so, whatever merges;
    and where some are, the average over all pairs is still computed from the groups' means, with those left out.
    """
    if search == "faiss" or (search == "auto" and len(means) > _MANY_CHARACTERS):
        import faiss

        index = faiss.IndexFlatIP(means.shape[1])
        vectors = np.ascontiguousarray(means, np.float32)
        index.add(vectors)
        ends, _, found = index.range_search(vectors, lowest - _SLACK)
        rows = np.split(found.astype(np.int32), ends[1:-1].astype(np.int64))
        return [np.sort(row[row != number]) for number, row in enumerate(rows)]
    near = []
    for start in range(0, len(means), _BLOCK_ROWS):
        for number, row in enumerate(means[start : start + _BLOCK_ROWS] @ means.T > lowest - _SLACK, start):
            row[number] = False
            near.append(np.flatnonzero(row).astype(np.int32))
    return near


class _Groups:
    """Groups of characters while they merge; a group goes by its first character's number.

    `near` and `apart` name characters, whose group at the time `owner` tells, so a merge touches only its own rows.
    """

    def __init__(self, characters: _Characters, near: list[np.ndarray], evidence: Evidence, least_log_odds: float):
        n = len(near)
        self.vectors = characters.sums.copy()
        self.sums = ClusterSums.of(characters.tracks, characters.weights, characters.squares)
        self.owner = np.arange(n)
        self.near, self.evidence, self.least_log_odds = near, evidence, least_log_odds
        _, self.title = np.unique(np.array(characters.title, dtype=object).astype(str), return_inverse=True)
        a, b = characters.cannot_link.T
        one, other = np.concatenate([a, b]), np.concatenate([b, a])
        order = np.argsort(one, kind="stable")
        self.apart = np.split(other[order], np.searchsorted(one[order], np.arange(1, n)))

    def join(self, said: Iterable[Sequence[int]]) -> list[tuple[int, int]]:
        """Merge characters (numbers, ascending) that are said to be one; the pairs of which that makes two people."""
        refused = []
        for group in said:
            parts: list[int] = []  # a character of each that cannot be one with those before
            for character in group:
                for other in parts:
                    a, b = sorted((int(self.owner[other]), int(self.owner[character])))
                    if a == b:
                        break
                    if not np.isin(self.owner[self.apart[a]], b).any():
                        self.merge(a, b)
                        break
                else:
                    parts.append(character)
            refused += [(parts[0], other) for other in parts[1:]]
        return refused

    def allowed(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """The groups that this one may merge with, ascending, and the log odds that it and each are one."""
        others = np.unique(self.owner[self.near[group]])
        self.near[group] = others.astype(np.int32)
        others = others[(others != group) & ~np.isin(others, self.owner[self.apart[group]])]
        others = others[(self.title[others] != self.title[group]) | (self.title[group] < 0)]
        # Row by row, so that a pair's similarity has the same bits from either side and beside whatever others.
        total = self.sums.weight[others] * self.sums.weight[group]
        similarity = (self.vectors[others] * self.vectors[group]).sum(axis=1) / total
        of_pairs = np.sqrt(self.sums.clarity(group) * self.sums.clarity(others))
        value = standardise(similarity, of_pairs, self.evidence.calibration)
        odds = self.sums.log_odds(group, others, value, self.evidence)
        possible = odds > self.least_log_odds
        return others[possible], odds[possible]

    def merge(self, a: int, b: int) -> None:
        """Group `b` becomes part of group `a`."""
        self.vectors[a] += self.vectors[b]
        self.sums.merge(a, b)
        self.owner[self.owner == b] = a
        self.near[a] = np.concatenate([self.near[a], self.near[b]])
        self.apart[a] = np.concatenate([self.apart[a], self.apart[b]])
        if self.title[a] != self.title[b]:
            self.title[a] = -1  # of several titles
