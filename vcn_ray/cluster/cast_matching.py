"""Characters of many titles matched to the cast of a season.

Each title's network has been adapted apart, so adapted outputs of two titles are not comparable. The base model's
embeddings are: one network, the same for all. What adaptation knew is not lost by that, since it has done its work
inside the title: the units here are the title's characters, and a character of thirty tracks is placed far better in
the base space than any of its tracks.

The average similarity of two characters over all pairs of their tracks is the product of the means of their tracks'
unit vectors, so neither it nor a merged character's needs a matrix of tracks. What a similarity is worth is found as
within a title (`evidence`), from the pairs of the season's tracks; there is no threshold to set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.evidence import Evidence, fit_evidence, guess_calibration, standardise
from vcn_ray.cluster.linkage import merge_most_similar, relabel
from vcn_ray.cluster.similarity import track_means

#: Bins of similarity, from -1 to 1; a tenth of a bin's width is far below what the evidence can tell apart.
_BINS = 4096

#: Rows of a block of similarities.
_BLOCK_ROWS = 512

#: From so many characters on, faiss looks for those that may be one.
_MANY_CHARACTERS = 4096

#: Candidates are looked for a little below the lowest similarity that can count, beyond the rounding of float32.
_SLACK = 1e-4


#: A character's title and cluster_id.
Character = tuple[str, int]


@dataclass(frozen=True)
class TitleCharacters:
    """The tracks of one title that are in a character (n), and which of them are seen together."""

    title: str
    track_id: np.ndarray  # (n,) int64
    cluster_id: np.ndarray  # (n,) int64 character of each track, unique in the title
    embedding: np.ndarray  # (n, D) mean unit vector of the track's crops by the base model, scaled to length one
    cannot_link: np.ndarray  # (pairs, 2) int64 track_ids of two people; of tracks that are not listed, without effect


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

    Average linkage: the two most similar groups of characters become one as long as the evidence speaks for it, see
    `evidence` and `linkage`. Never do groups that hold two people seen together in a title; and two characters of one
    title join through a third of another title alone, since within the title more was known when they stayed apart.

    titles: in any order, the result is the same; their ids differ. calibration: of the base model, None where unknown.
    search: how candidates are found; both ways give the same result. least_log_odds: a merge wants more than these.
    fit: the evidence from the season's similarities, arguments as for `fit_evidence`.
    same: characters that people said to be one person; they start as one member, two of one title as well. Where that
    joined two people, it is refused, and the rest of the group stands. apart: those said to be two people. Characters
    that are in no title are ignored; what was said changes nothing of the evidence.
    Memory grows with tracks x D and with the pairs of characters that may be one, never with pairs of tracks.
    """
    ordered = sorted((title for title in titles if len(title.track_id)), key=lambda title: title.title)
    characters = _Characters(ordered)
    if len(characters.title) < 2:
        member = np.zeros(len(characters.title), np.int64)
        return Cast(characters.title, characters.cluster_id, member, None)
    characters.keep_apart(apart)
    with threadpool_limits(1):  # sums in one order
        values, counts, n_tracks = season_similarities(ordered)
        evidence = None
        if counts.sum():
            known = calibration or guess_calibration(values, counts)
            units = standardise(values, known.typical_clarity, known)
            evidence = fit(units, known.typical_clarity, n_tracks, known, counts)
        near = [np.empty(0, np.int32)] * len(characters.title)
        if evidence is not None:
            near = _candidates(characters.means, _lowest_similarity(evidence, least_log_odds), search)
        groups = _Groups(characters, near, evidence or Evidence(), least_log_odds)
        refused = groups.join(characters.numbers(same))
        merge_most_similar(groups, len(near))
    named = list(zip(characters.title, characters.cluster_id.tolist(), strict=True))
    return Cast(
        characters.title,
        characters.cluster_id,
        relabel(groups.owner),
        evidence,
        tuple((named[a], named[b]) for a, b in refused),
    )


class _Characters:
    """All characters of a season, by title and number."""

    def __init__(self, titles: Sequence[TitleCharacters]):
        names: list[str] = []
        clusters, means, counts, cannot = [], [], [], []
        for title in titles:
            cluster, of_track = np.unique(title.cluster_id, return_inverse=True)
            order = np.argsort(title.track_id)  # sums in one order, whatever that of the tracks
            means.append(track_means(title.embedding[order], of_track[order], len(cluster)))
            counts.append(np.bincount(of_track, minlength=len(cluster)))
            a, b = _positions(title)
            pairs = np.stack([of_track[a], of_track[b]], axis=1) + len(names)
            cannot.append(pairs[pairs[:, 0] != pairs[:, 1]])
            clusters.append(cluster)
            names += [title.title] * len(cluster)
        self.title = tuple(names)
        self.cluster_id = np.concatenate([np.empty(0, np.int64), *clusters])
        self.means = np.concatenate(means) if means else np.empty((0, 1))  # of their tracks' unit vectors
        self.counts = np.concatenate([np.empty(0, np.int64), *counts])
        self.cannot_link = np.unique(np.concatenate([np.empty((0, 2), np.int64), *cannot]), axis=0)

    def numbers(self, said: Iterable[Sequence[Character]]) -> list[list[int]]:
        """Numbers of each group's characters, those that there are, ascending; groups of two or more, in one order."""
        number = {who: k for k, who in enumerate(zip(self.title, self.cluster_id.tolist(), strict=True))}
        known = [sorted({number[title, int(c)] for title, c in group if (title, int(c)) in number}) for group in said]
        return sorted(group for group in known if len(group) > 1)

    def keep_apart(self, pairs: Iterable[tuple[Character, Character]]) -> None:
        """Add pairs that are two people."""
        known = np.array(self.numbers(pairs), np.int64).reshape(-1, 2)
        self.cannot_link = np.unique(np.concatenate([self.cannot_link, known]), axis=0)


def _positions(title: TitleCharacters) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both tracks of each cannot-link of which both are in a character."""
    pairs = np.asarray(title.cannot_link, np.int64).reshape(-1, 2)
    order = np.argsort(title.track_id)
    known = np.isin(pairs, title.track_id).all(axis=1)
    rows = order[np.searchsorted(title.track_id[order], pairs[known])]
    return rows[:, 0], rows[:, 1]


def season_similarities(
    titles: Sequence[TitleCharacters], most_tracks: int = 10_000
) -> tuple[np.ndarray, np.ndarray, int]:
    """How often each similarity occurs among the season's pairs of tracks that may be one character.

    Counted exactly in fixed bins, block by block: all pairs of up to `most_tracks` tracks (50 million pairs, some
    seconds), drawn by chance (and always the same) from more. Returns the bins' middles, their counts, and the number
    of tracks counted.
    """
    sizes = [len(title.track_id) for title in titles]
    total = sum(sizes)
    chosen = np.arange(total)
    if total > most_tracks:
        chosen = np.sort(np.random.default_rng(0).choice(total, most_tracks, replace=False))
    starts = np.cumsum([0, *sizes])
    vectors, forbidden = [], []
    for start, title in zip(starts, titles, strict=False):
        order = np.argsort(title.track_id)
        rank = np.argsort(order)
        own = chosen[(chosen >= start) & (chosen < start + len(order))] - start
        vectors.append(title.embedding[order[own]].astype(np.float64))
        pairs = np.sort(np.stack([rank[rows] for rows in _positions(title)], axis=1), axis=1) + start
        forbidden.append(np.searchsorted(chosen, pairs[np.isin(pairs, chosen).all(axis=1)]))
    vector = np.concatenate(vectors)
    first, second = np.concatenate(forbidden).T
    counts = np.zeros(_BINS, np.int64)
    for start in range(0, len(vector), _BLOCK_ROWS):
        block = vector[start : start + _BLOCK_ROWS] @ vector[start:].T
        bins = np.clip((block + 1) * (_BINS / 2), 0, _BINS - 1).astype(np.int64)
        bins[np.tri(*bins.shape, dtype=np.bool_)] = _BINS  # a track with itself, and each pair the other way round
        here = (first >= start) & (first < start + len(block))
        bins[first[here] - start, second[here] - start] = _BINS
        counts += np.bincount(bins.ravel(), minlength=_BINS + 1)[:_BINS]
    middles = (np.arange(_BINS) + 0.5) * (2 / _BINS) - 1
    return middles, counts, len(vector)


def log_likelihood_ratio(evidence: Evidence, similarity: np.ndarray) -> np.ndarray:
    """The evidence's verdict on cosines, all of typical clarity: how clear a title's tracks are is not kept."""
    clarity = evidence.calibration.typical_clarity
    return evidence.log_likelihood_ratio(standardise(similarity, clarity, evidence.calibration), clarity)


def _lowest_similarity(evidence: Evidence, least_log_odds: float) -> float:
    """The similarity at and below which the evidence can speak for no merge, whatever the sizes; 1 where it never does.

    A merge wants sqrt(m) * ratio + prior > least for m >= 1 pairs, so ratio > 0 where the prior is against it, and
    ratio > least - prior where it is for it. The ratio never falls as the similarity grows.
    """
    least = min(0.0, least_log_odds - evidence.prior_log_odds)
    low, high = -1.0 - 2 * _SLACK, 1.0
    if log_likelihood_ratio(evidence, np.array(low)) > least:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if log_likelihood_ratio(evidence, np.array(middle)) > least else (middle, high)
    return low


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
        self.sums = characters.means * characters.counts[:, None]
        self.tracks = characters.counts.astype(np.float64)
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
        """The groups that this one may merge with, ascending, and its average similarity to each."""
        others = np.unique(self.owner[self.near[group]])
        self.near[group] = others.astype(np.int32)
        others = others[(others != group) & ~np.isin(others, self.owner[self.apart[group]])]
        pairs = self.tracks[others] * self.tracks[group]
        # Row by row, so that a pair's similarity has the same bits from either side and beside whatever others.
        similarity = (self.sums[others] * self.sums[group]).sum(axis=1) / pairs
        odds = np.sqrt(pairs) * log_likelihood_ratio(self.evidence, similarity) + self.evidence.prior_log_odds
        possible = (odds > self.least_log_odds) & ((self.title[others] != self.title[group]) | (self.title[group] < 0))
        return others[possible], similarity[possible]

    def merge(self, a: int, b: int) -> None:
        """Group `b` becomes part of group `a`."""
        self.sums[a] += self.sums[b]
        self.tracks[a] += self.tracks[b]
        self.owner[self.owner == b] = a
        self.near[a] = np.concatenate([self.near[a], self.near[b]])
        self.apart[a] = np.concatenate([self.apart[a], self.apart[b]])
        if self.title[a] != self.title[b]:
            self.title[a] = -1  # of several titles
