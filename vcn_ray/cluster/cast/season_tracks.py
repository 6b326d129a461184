"""A season's tracks by the base model, the one space of all its titles, and what a similarity is worth there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.evidence import Evidence, guess_calibration, standardise

#: Bins of similarity, from -1 to 1; a tenth of a bin's width is far below what the evidence can tell apart.
_BINS = 4096

#: Tracks are counted by clarity in steps of this factor; what the evidence makes of a pair changes little within one.
_CLARITY_STEP = 1.1

#: Rows of a block of similarities.
_BLOCK_ROWS = 512


@dataclass(frozen=True)
class TitleCharacters:
    """The tracks of one title that are in a character (n), and which of them are seen together."""

    title: str
    track_id: np.ndarray  # (n,) int64
    cluster_id: np.ndarray  # (n,) int64 character of each track, unique in the title
    embedding: np.ndarray  # (n, D) mean unit vector of the track's crops by the base model, scaled to length one
    cannot_link: np.ndarray  # (pairs, 2) int64 track_ids of two people; of tracks that are not listed, without effect
    clarity: np.ndarray | None = None  # (n,) how clear each track is, above 0; None: not known, all are typical


def season_evidence(
    titles: Sequence[TitleCharacters], calibration: Calibration | None, fit: Callable[..., Evidence]
) -> Evidence | None:
    """What similarities are worth in this season, from its pairs of tracks that may be one character.

    calibration: of the base model, None where unknown. fit: the evidence from similarities, arguments as for
    `fit_evidence`. Returns None where there is no such pair.
    """
    similarity, clarity, counts, n_tracks = _count_pairs(titles, calibration)
    if not counts.sum():
        return None
    known = calibration or guess_calibration(similarity, counts)
    if calibration is None:  # nothing is known of what clarity does
        clarity = np.full(len(counts), known.typical_clarity)
    return fit(standardise(similarity, clarity, known), clarity, n_tracks, known, counts)


def track_clarity(title: TitleCharacters, calibration: Calibration | None) -> np.ndarray:
    """(n,) clarity of a title's tracks; typical where that, or what it means, is not known."""
    if title.clarity is None or calibration is None:
        return np.full(len(title.track_id), (calibration or Calibration()).typical_clarity)
    return title.clarity.astype(np.float64)


def positions(title: TitleCharacters) -> tuple[np.ndarray, np.ndarray]:
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
    similarity, _, counts, tracks = _count_pairs(titles, None, most_tracks)
    return similarity, counts, tracks


def _count_pairs(
    titles: Sequence[TitleCharacters], calibration: Calibration | None, most_tracks: int = 10_000
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """As `season_similarities`, by the pairs' clarity as well: similarity, clarity and count of each bin."""
    sizes = [len(title.track_id) for title in titles]
    total = sum(sizes)
    chosen = np.arange(total)
    if total > most_tracks:
        chosen = np.sort(np.random.default_rng(0).choice(total, most_tracks, replace=False))
    starts = np.cumsum([0, *sizes])
    vectors, clarities, forbidden = [], [], []
    for start, title in zip(starts, titles, strict=False):
        order = np.argsort(title.track_id)
        rank = np.argsort(order)
        own = chosen[(chosen >= start) & (chosen < start + len(order))] - start
        vectors.append(title.embedding[order[own]].astype(np.float64))
        clarities.append(track_clarity(title, calibration)[order[own]])
        pairs = np.sort(np.stack([rank[rows] for rows in positions(title)], axis=1), axis=1) + start
        forbidden.append(np.searchsorted(chosen, pairs[np.isin(pairs, chosen).all(axis=1)]))
    vector, step = np.concatenate(vectors), np.log(np.concatenate(clarities)) / np.log(_CLARITY_STEP)
    # Logarithms of clarity in whole steps from the dimmest: those of a pair add up, as its clarity is their mean.
    dimmest = float(step.min())
    level = np.rint(step - dimmest).astype(np.int64)
    levels = 2 * int(level.max()) + 1
    first, second = np.concatenate(forbidden).T
    counts = np.zeros(levels * _BINS + 1, np.int64)
    for start in range(0, len(vector), _BLOCK_ROWS):
        block = vector[start : start + _BLOCK_ROWS] @ vector[start:].T
        bins = np.clip((block + 1) * (_BINS / 2), 0, _BINS - 1).astype(np.int64)
        bins += _BINS * (level[start : start + _BLOCK_ROWS, None] + level[None, start:])
        bins[np.tri(*bins.shape, dtype=np.bool_)] = levels * _BINS  # itself, and each pair the other way round
        here = (first >= start) & (first < start + len(block))
        bins[first[here] - start, second[here] - start] = levels * _BINS
        counts += np.bincount(bins.ravel(), minlength=len(counts))
    middles = (np.arange(_BINS) + 0.5) * (2 / _BINS) - 1
    clarity = _CLARITY_STEP ** (dimmest + np.arange(levels) / 2)
    counts = counts[:-1]
    if levels == 1:
        return middles, np.repeat(clarity, _BINS), counts, len(vector)
    found = np.flatnonzero(counts)
    return middles[found % _BINS], clarity[found // _BINS], counts[found], len(vector)


def log_likelihood_ratio(
    evidence: Evidence, similarity: np.ndarray | float, clarity: np.ndarray | float | None = None
) -> np.ndarray:
    """The evidence's verdict on cosines of tracks at such clarity; None: all are typical."""
    if clarity is None:
        clarity = evidence.calibration.typical_clarity
    return evidence.log_likelihood_ratio(standardise(similarity, clarity, evidence.calibration), clarity)
