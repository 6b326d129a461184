"""Tracks that the whole season shows to be somebody else than their title could tell.

A title of few tracks may take two brothers for one, and then be sure of it; another title of the season, in which they
are seen side by side, tells them apart. So once the cast is matched, each track is weighed against every member of it,
as within a title (`cluster.confidence`), and moves where the evidence clearly speaks for another one, whom other titles
have, too. What its own title found has a say: it has seen the track with an adapted network, which the base model's
similarities here lack.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.cast.cast_matching import Cast, Character, lowest_similarity
from vcn_ray.cluster.cast.season_tracks import TitleCharacters, log_likelihood_ratio, positions, track_clarity
from vcn_ray.cluster.confidence import Reliance
from vcn_ray.cluster.evidence import Evidence, standardise

#: Tracks less clear than such a share of the season's median, or of their title's if that is lower, tell nobody who a
#: member is: at worst, members of blurs would draw the blurs of all.
_LEAST_CLARITY = 0.8

#: A track moves where the log odds for another member are so much better than for its own, and than nothing.
_LEAST_GAIN = 1.0

#: All tracks are weighed at once, then all move: so often, or until none does.
_ROUNDS = 5

#: A title's confidence counts between these.
_CONFIDENCE = 0.01, 0.995

#: Log odds against a member that are as good as none.
_NOTHING = 8.0

#: Tracks weighed at once: bounds the memory of seasons with many members.
_BLOCK_TRACKS = 512


@dataclass(frozen=True)
class Reassigned:
    """Whom a title's tracks show by the whole season; (n,) each, in the order of its `TitleCharacters`."""

    member: np.ndarray  # int64 of the cast
    moved: np.ndarray  # bool: another one than its title's character is
    confidence: np.ndarray  # float: probability of the member, NaN where not moved


def reassign_tracks(
    titles: Sequence[TitleCharacters],
    confidence: Sequence[np.ndarray],
    cast: Cast,
    calibration: Calibration | None,
    least_log_odds: float = 0.0,
    same: Iterable[Sequence[Character]] = (),
    apart: Iterable[tuple[Character, Character]] = (),
) -> list[Reassigned]:
    """Weigh the tracks of a season against the members of its cast, and move those that are clearly of another one.

    No track joins a member that has another track seen together with it.

    Args:
        titles: as `match_cast` was given them; the result does not depend on their order, nor on that of their tracks.
        confidence: of each title, (n,) probability of the tracks' characters; where it is NaN, not known, none moves.
        cast: what `match_cast` found.
        calibration: as for `match_cast`.
        least_log_odds: a track moves only for more than these.
        same: characters that people said to be one; their tracks stay.
        apart: characters that people said to be two; no track of one moves to the other's member.

    Returns:
        One for each title, in their order.
    """
    member_of = dict(zip(zip(cast.title, cast.cluster_id.tolist(), strict=True), cast.member.tolist(), strict=True))
    start = [
        np.array([member_of[title.title, cluster] for cluster in title.cluster_id.tolist()], np.int64)
        for title in titles
    ]
    if cast.evidence is None:
        return [Reassigned(own, np.zeros(len(own), bool), np.full(len(own), np.nan)) for own in start]
    settled = {character for group in same for character in group}
    closed: dict[Character, set[int]] = defaultdict(set)
    for one, other in apart:
        for a, b in ((one, other), (other, one)):
            if b in member_of:
                closed[a].add(member_of[b])
    # Everything by title and track, so that sums are in one order.
    by_title = sorted(range(len(titles)), key=lambda number: titles[number].title)
    by_track = [np.argsort(titles[number].track_id) for number in by_title]
    usual = float(np.median(np.concatenate([track_clarity(title, calibration) for title in titles])))
    tracks = []
    for n, by in zip(by_title, by_track, strict=True):
        title, clarity = titles[n], track_clarity(titles[n], calibration)[by]
        characters = [(title.title, cluster) for cluster in title.cluster_id[by].tolist()]
        sure = np.clip(confidence[n][by], *_CONFIDENCE)
        stays = np.isnan(sure) | np.array([character in settled for character in characters], bool)
        pairs = np.argsort(by)[np.stack(positions(title), axis=1)]
        rows = [(row, m) for row, who in enumerate(characters) for m in sorted(closed.get(who, ()))]
        own = _Tracks(
            vectors=title.embedding[by].astype(np.float64),
            clarity=clarity,
            feeds=clarity >= _LEAST_CLARITY * min(usual, float(np.median(clarity))) if len(by) else clarity > 0,
            start=start[n][by],
            said=np.where(stays, np.inf, np.log(sure / (1 - sure))),
            together=np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0),
            closed=np.array(rows, np.int64).reshape(-1, 2),
        )
        tracks.append(own)
    season = _Season(tracks, cast.evidence, least_log_odds)
    with threadpool_limits(1):
        now = [own.start for own in tracks]
        for _ in range(_ROUNDS):
            sums = season.sums(now)
            moved = [season.move(title, own, sums) for title, own in zip(tracks, now, strict=True)]
            after = _one_way(now, *zip(*moved, strict=True))
            if all(np.array_equal(a, b) for a, b in zip(now, after, strict=True)):
                break
            now = after
        found: dict[int, Reassigned] = {}
        sums = season.sums(now)
        for number, by, own, member in zip(by_title, by_track, tracks, now, strict=True):
            moved = member != own.start
            sure = np.full(len(member), np.nan)
            sure[moved] = season.probability(own, np.flatnonzero(moved), member, sums)
            back = np.argsort(by)
            found[number] = Reassigned(member[back], moved[back], sure[back])
        return [found[number] for number in range(len(titles))]


@dataclass(frozen=True)
class _Tracks:
    """The tracks of a title, by number; (n,) each."""

    vectors: np.ndarray  # (n, D) float64
    clarity: np.ndarray
    start: np.ndarray  # int64 member of the cast that its character is
    feeds: np.ndarray  # bool: clear enough to tell who its member is
    said: np.ndarray  # log odds that this is right, by the title itself; infinite: it stays
    together: np.ndarray  # (pairs, 2) int64 rows, both ways round, of tracks that are seen together
    closed: np.ndarray  # (k, 2) int64 rows, and members that they may not join


@dataclass(frozen=True)
class _Sums:
    """Of the clear tracks of each member: their vectors times clarity, their number, clarity, and its squares."""

    vectors: np.ndarray
    tracks: np.ndarray
    weight: np.ndarray
    squares: np.ndarray


class _Season:
    """What weighs the tracks of a season."""

    def __init__(self, titles: Sequence[_Tracks], evidence: Evidence, least_log_odds: float):
        self._titles, self._evidence = titles, evidence
        self._least = least_log_odds + _LEAST_GAIN
        self._members = 1 + max(int(title.start.max(initial=-1)) for title in titles)
        clarity = np.concatenate([title.clarity for title in titles])
        between = float(clarity.min()), float(clarity.max())
        self._lowest = lowest_similarity(evidence, min(least_log_odds, 0.0) - _NOTHING, between, len(clarity))

    def sums(self, member: Sequence[np.ndarray]) -> _Sums:
        """Of the members as they are."""
        vectors = np.zeros((self._members, self._titles[0].vectors.shape[1]))
        tracks, weight, squares = np.zeros((3, self._members))
        for title, of_title in zip(self._titles, member, strict=True):
            rows = title.feeds
            own, clarity = of_title[rows], title.clarity[rows]
            np.add.at(vectors, own, clarity[:, None] * title.vectors[rows])
            for total, of_track in ((tracks, np.ones(len(own))), (weight, clarity), (squares, clarity**2)):
                np.add.at(total, own, of_track)
        return _Sums(vectors, tracks, weight, squares)

    def move(self, title: _Tracks, member: np.ndarray, sums: _Sums) -> tuple[np.ndarray, np.ndarray]:
        """Members (n,) of a title's tracks after each has gone where it clearly belongs, all else staying; log odds."""
        after, value = member.copy(), np.zeros(len(member))
        for rows in _blocks(np.arange(len(member))):
            odds, _ = self._weigh(title, rows, member, sums)
            line = np.arange(len(rows))
            own = odds[line, member[rows]]
            odds[line, member[rows]] = -np.inf
            other = odds.argmax(axis=1)
            value[rows] = odds[line, other]
            goes = (value[rows] > self._least) & (value[rows] > own + _LEAST_GAIN)
            after[rows[goes]] = other[goes]
        # Of two that are seen together and would come to one member, the surer one goes.
        for a, b in title.together[np.argsort(-value[title.together[:, 0]], kind="stable")].tolist():
            if after[a] == after[b] and after[b] != member[b]:
                after[b] = member[b]
        return after, value

    def probability(self, title: _Tracks, rows: np.ndarray, member: np.ndarray, sums: _Sums) -> np.ndarray:
        """Probability that some of a title's tracks are of the members that they have."""
        found = [np.empty(0)]
        for part in _blocks(rows):
            odds, ratio = self._weigh(title, part, member, sums)
            own = np.arange(len(part)), member[part]
            posterior = softmax(np.concatenate([odds, np.zeros((len(part), 1))], axis=1), axis=1)[own]
            found.append(Reliance().probability(posterior, ratio[own], np.zeros(len(part), bool)))
        return np.concatenate(found)

    def _weigh(
        self, title: _Tracks, rows: np.ndarray, member: np.ndarray, sums: _Sums
    ) -> tuple[np.ndarray, np.ndarray]:
        """(r, members) log odds that tracks are of each member, and the log likelihood ratio of one such pair.

        As if a track were in none; -inf where it may not be. To be somebody of its own has even odds.
        """
        vectors, clarity, line = title.vectors[rows], title.clarity[rows], np.arange(len(rows))
        own = np.where(title.feeds[rows], clarity, 0.0)
        at = line, member[rows]
        total = vectors @ sums.vectors.T
        weight, squares, tracks = (np.tile(x, (len(rows), 1)) for x in (sums.weight, sums.squares, sums.tracks))
        total[at] -= own * (vectors**2).sum(axis=1)
        weight[at] -= own
        squares[at] -= own**2
        tracks[at] -= own > 0
        odds, ratio = np.full((2, *total.shape), -np.inf)
        near = total > self._lowest * weight  # of the rest nothing could come, and they are most
        # Of those whom this title alone has, its own clustering knew more.
        here = np.bincount(member[title.feeds], minlength=self._members)
        near &= sums.tracks - here > 0.5
        near[at] = True
        row, other = np.nonzero(near & (tracks > 0.5))
        of_other, square = weight[row, other], squares[row, other]
        of_pairs = np.sqrt(clarity[row] * square / of_other)
        similarity = total[row, other] / of_other
        value = standardise(similarity, of_pairs, self._evidence.calibration)
        odds[row, other] = self._evidence.log_odds(value, of_pairs, of_other**2 / square, tracks[row, other])
        ratio[row, other] = log_likelihood_ratio(self._evidence, similarity, of_pairs)
        odds[line, member[rows]] = np.where(tracks[at] > 0.5, odds[at], 0.0)  # alone there, it is that somebody
        odds[line, title.start[rows]] += title.said[rows]
        place = np.full(len(title.clarity), -1)
        place[rows] = line
        a, b = title.together.T
        apart = (place[a] >= 0) & (member[a] != member[b])
        odds[place[a[apart]], member[b[apart]]] = -np.inf
        a, other = title.closed[(place[title.closed[:, 0]] >= 0)].T
        odds[place[a], other] = np.where(member[a] == other, odds[place[a], other], -np.inf)
        return odds, ratio


def _one_way(now: Sequence[np.ndarray], after: Sequence[np.ndarray], value: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Members after a round in which no two exchange tracks: of both ways the one with more log odds is gone.

    Else two tracks of one person, found as two, would change places round after round.
    """
    gains: dict[tuple[int, int], float] = defaultdict(float)
    for of_now, of_after, of_value in zip(now, after, value, strict=True):
        for row in np.flatnonzero(of_now != of_after).tolist():
            gains[int(of_now[row]), int(of_after[row])] += float(of_value[row])
    back = {(a, b) for (a, b), gain in gains.items() if (gain, a) < (gains.get((b, a), -np.inf), b)}
    kept = []
    for of_now, of_after in zip(now, after, strict=True):
        stays = [pair in back for pair in zip(of_now.tolist(), of_after.tolist(), strict=True)]
        kept.append(np.where(stays, of_now, of_after))
    return kept


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + _BLOCK_TRACKS] for start in range(0, len(rows), _BLOCK_TRACKS)]
