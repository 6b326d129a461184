"""The similarity of any two of a title's tracks without a matrix of all, and vectors whose products it is.

Similarity is linear in the cosines of the base model and of the students, but for what clarity does to the former: a
pair's cosine is counted in spreads of strangers at the pair's clarity (`evidence.standardise`). That is a function of
two numbers, smooth but for a few kinks, so few products of functions of one number each give it: its eigenfunctions,
weighted by how many tracks have which clarity. Each track's direction, multiplied by each of them, makes one long
vector, and the average similarity over all pairs of two clusters is a product of the clusters' mean vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.evidence import pair_clarity, standardise, strangers

#: Rows of a block of vectors, and pairs of a block of similarities.
BLOCK_ROWS, _BLOCK_PAIRS = 4096, 1 << 16

#: Clarities at which the eigenfunctions are known; between them they are interpolated.
_QUANTILES, _EVEN = 49, 17

#: Eigenfunctions that multiply directions, and those that are added. With four, similarities of pairs are off by
#: .015 spreads (root of the mean square, clarities as in footage), averages by less.
_FACTORS, _OFFSETS = 4, 16

#: Directions in which nearest vectors are looked for, and vectors that tell which.
_DIRECTIONS, _SAMPLE = 256, 4096


def blocks(count: int, rows: int = BLOCK_ROWS) -> Iterator[slice]:
    """Slices of so many rows that cover 0..count."""
    return (slice(start, min(start + rows, count)) for start in range(0, count, rows))


@dataclass(frozen=True)
class PairSpace:
    """Similarity: of_base x (base cosine, standardised) + of_student x (cosine by students) + constant."""

    direction: np.ndarray  # (n, D) float32, length one, by the base model
    clarity: np.ndarray  # (n,) above 0
    student: np.ndarray  # (n, S) float32 whose products are the mean cosine by the students; S = 0: there are none
    calibration: Calibration  # of the base model
    of_base: float = 1.0
    of_student: float = 0.0
    constant: float = 0.0

    def similarity(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Similarity (m,) of the pairs of tracks a and b, (m,) each."""
        found = np.empty(len(a))
        for part in blocks(len(a), _BLOCK_PAIRS):
            one, other = a[part], b[part]
            cosine, student = (np.einsum("nd,nd->n", x[one], x[other]) for x in (self.direction, self.student))
            clarity = pair_clarity(self.clarity[one], self.clarity[other])
            found[part] = self._weigh(cosine.astype(np.float64), student.astype(np.float64), clarity)
        return found

    def matrix(self, tracks: np.ndarray) -> np.ndarray:
        """Similarity (m, m) of these tracks, (m,)."""
        direction, student = (x[tracks].astype(np.float64) for x in (self.direction, self.student))
        clarity = self.clarity[tracks]
        return self._weigh(direction @ direction.T, student @ student.T, pair_clarity(clarity[:, None], clarity[None]))

    def _weigh(self, cosine: np.ndarray, student: np.ndarray, clarity: np.ndarray) -> np.ndarray:
        base = standardise(cosine, clarity, self.calibration)
        return self.of_base * base + self.of_student * student + self.constant

    def vectors(self, tracks: np.ndarray) -> np.ndarray:
        """(m, dims) float32: similarity of i and j is about (vector of i) @ (`signs` x vector of j)."""
        clarity, direction = self.clarity[tracks], self.direction[tracks]
        factors, offsets = (terms.at(clarity) for terms in (self._factors, self._offsets))
        parts = [factors[:, k, None] * direction for k in range(factors.shape[1])]
        student = np.sqrt(np.abs(self.of_student)) * self.student[tracks]
        return np.concatenate([*parts, offsets, student], axis=1).astype(np.float32)

    @cached_property
    def signs(self) -> np.ndarray:
        """(dims,) float32, 1 or -1."""
        factors, offsets = np.repeat(self._factors.signs, self.direction.shape[1]), self._offsets.signs
        students = np.full(self.student.shape[1], np.sign(self.of_student))
        return np.concatenate([factors, offsets, students]).astype(np.float32)

    @cached_property
    def _nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Clarities, ascending, and what share of the tracks is nearest to each."""
        quantiles = np.quantile(self.clarity, np.linspace(0, 1, _QUANTILES))
        nodes = np.unique(np.r_[quantiles, np.linspace(quantiles[0], quantiles[-1], _EVEN)])
        nearest = np.searchsorted((nodes[1:] + nodes[:-1]) / 2, self.clarity)
        share = np.bincount(nearest, minlength=len(nodes)) / len(self.clarity)
        return nodes, share

    @cached_property
    def _factors(self) -> _Terms:
        nodes, share = self._nodes
        _, std = strangers(pair_clarity(nodes[:, None], nodes[None]), self.calibration)
        return _Terms.of(nodes, share, self.of_base / std, _FACTORS)

    @cached_property
    def _offsets(self) -> _Terms:
        nodes, share = self._nodes
        mean, std = strangers(pair_clarity(nodes[:, None], nodes[None]), self.calibration)
        return _Terms.of(nodes, share, self.constant - self.of_base * mean / std, _OFFSETS)


@dataclass(frozen=True)
class _Terms:
    """A symmetric function of two clarities as a sum of products: f(a, b) = sum of sign x value(a) x value(b)."""

    nodes: np.ndarray  # (m,) clarities
    values: np.ndarray  # (m, terms)
    signs: np.ndarray  # (terms,)

    @classmethod
    def of(cls, nodes: np.ndarray, share: np.ndarray, matrix: np.ndarray, terms: int) -> _Terms:
        """The terms that matter most to pairs of tracks; matrix: (m, m) the function at the nodes."""
        root = np.sqrt(share + 0.1 / len(share))  # rare clarities count a little, too
        strength, vector = np.linalg.eigh(matrix * root[:, None] * root)
        largest = np.argsort(-np.abs(strength), kind="stable")[:terms]
        largest = largest[np.abs(strength[largest]) > 1e-6 * np.abs(strength).max()]
        values = vector[:, largest] * np.sqrt(np.abs(strength[largest])) / root[:, None]
        return cls(nodes, values, np.sign(strength[largest]))

    def at(self, clarity: np.ndarray) -> np.ndarray:
        """Values (n, terms) at these clarities, (n,)."""
        return np.stack([np.interp(clarity, self.nodes, column) for column in self.values.T], axis=1)


def main_directions(space: PairSpace) -> np.ndarray:
    """(dims, d) float32: orthonormal directions that hold most of the tracks' vectors.

    Neighbours are looked for by products in these alone, which is several times faster, and then valued by all.
    """
    n = len(space.clarity)
    few = space.vectors(np.arange(0, n, max(1, n // _SAMPLE))).astype(np.float64)
    _, found = np.linalg.eigh(few.T @ few)
    return np.ascontiguousarray(found[:, ::-1][:, :_DIRECTIONS], np.float32)
