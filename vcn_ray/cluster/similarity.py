"""Similarities and distances between face tracks, from the embeddings and outputs of their crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

#: Rows of crops that are worked on at once: bounds the memory of long titles.
_BLOCK_ROWS = 8192

#: Numbers of a block of rows of a matrix of all pairs: 134 MB in float64. Matrices of up to 4,096 rows are one block.
_BLOCK_PAIRS = 4096**2


def row_blocks(count: int) -> Iterator[slice]:
    """Blocks of rows of a matrix (count, count) that are worked off one by one, so that few fit into memory at once."""
    rows = max(1, _BLOCK_PAIRS // max(count, 1))
    return (slice(start, min(start + rows, count)) for start in range(0, count, rows))


def unit(x: np.ndarray) -> np.ndarray:
    """Vectors (..., D) scaled to length one; a zero vector stays zero."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def track_means(
    values: np.ndarray,
    track_of_row: np.ndarray,
    n_tracks: int,
    of_rows: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Mean over the rows of each track.

    values: (rows, ...); track_of_row: (rows,) position of each row's track, 0..n_tracks-1; of_rows: what of the values
    the mean is of, (r, ...) float64 to (r, K), called block by block; None: of the values themselves, (rows, D). Gives
    (n_tracks, K) in float64; a track without rows is zero. Rows are summed in the order given, so equal input gives
    equal bytes.
    """

    def of(rows: np.ndarray) -> np.ndarray:
        return rows.astype(np.float64) if of_rows is None else of_rows(rows.astype(np.float64))

    sums = np.zeros((n_tracks, of(values[:1]).shape[1]))
    for start in range(0, len(values), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        np.add.at(sums, track_of_row[block], of(values[block]))
    return sums / np.maximum(np.bincount(track_of_row, minlength=n_tracks), 1)[:, None]


def mean_directions(embeddings: np.ndarray, track_of_row: np.ndarray, n_tracks: int) -> np.ndarray:
    """Mean direction (n_tracks, D) of each track's crops, length one, float64.

    Crops are normalised before they are averaged, so that a crop's norm does not decide what its track looks like.
    """
    return unit(track_means(embeddings, track_of_row, n_tracks, unit))


def directions_and_clarity(
    embeddings: np.ndarray, track_of_row: np.ndarray, n_tracks: int
) -> tuple[np.ndarray, np.ndarray]:
    """Direction (n_tracks, D), length one, and clarity (n_tracks,) > 0 of each track, from raw embeddings of its crops.

    A clear crop has a long embedding, and counts more in the direction. A track is as clear as its crops are on
    average, whatever directions they have.
    """

    def lengths(raw: np.ndarray) -> np.ndarray:
        return np.linalg.norm(raw, axis=1, keepdims=True)

    clarity = np.maximum(track_means(embeddings, track_of_row, n_tracks, lengths)[:, 0], 1e-12)
    return unit(track_means(embeddings, track_of_row, n_tracks)), clarity


def losses(teacher_means: np.ndarray, student_log_means: np.ndarray, rows: slice) -> np.ndarray:
    """The paper's distance of two tracks: L_ssl averaged over all pairs of their crops and both directions (P 3.7).

    teacher_means, student_log_means: (n, K), means over each track's crops of probabilities and of log probabilities.
    The mean of the cross-entropy over all pairs of two sets is the cross-entropy of the sets' means, so it is one
    product. A track's distance to itself is the mean over pairs of its own crops, each crop with itself included. Gives
    (r, n), these rows of a matrix that is symmetric, nats.
    """
    p, log_q = teacher_means, student_log_means
    return (-(p[rows] @ log_q.T) + -(p @ log_q[rows].T).T) / 2


def own_pair_losses(
    teacher_probabilities: np.ndarray, student_log_probabilities: np.ndarray, track_of_row: np.ndarray, n_tracks: int
) -> np.ndarray:
    """A track's threshold in the paper: the mean of L_ssl over pairs of its own, different crops (P 3.7).

    teacher_probabilities, student_log_probabilities: (rows, K); track_of_row: (rows,). Returns (n_tracks,), nats; a
    track with a single crop takes that crop's loss with itself, the only pair that it has.
    """
    count = np.bincount(track_of_row, minlength=n_tracks).astype(np.float64)
    p = track_means(teacher_probabilities, track_of_row, n_tracks)
    whole = -(p * track_means(student_log_probabilities, track_of_row, n_tracks)).sum(1) * count**2
    with_itself = -(teacher_probabilities.astype(np.float64) * student_log_probabilities).sum(1)
    itself = np.bincount(track_of_row, weights=with_itself, minlength=n_tracks)
    pairs = count * (count - 1)
    return np.where(pairs > 0, (whole - itself) / np.maximum(pairs, 1), itself / np.maximum(count, 1))
