"""All tracks of a season as clustering found them: what corrections are applied to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Rows = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class FoundTracks:
    """n tracks; a row is a track: titles in the season's order, each one's tracks by number."""

    titles: tuple[str, ...]
    title: np.ndarray  # (n,) int64 index into `titles`
    track_id: np.ndarray  # (n,) int64, unique in the title
    cluster: np.ndarray  # (n,) int64 character of the title as found; -1: Unknown
    member: np.ndarray  # (n,) int64 member of the cast as found; -1: Unknown
    together: np.ndarray  # (pairs, 2) int64 rows of two tracks that are seen at one time: two people

    def __len__(self) -> int:
        return len(self.track_id)

    def rows_of_title(self, number: int) -> slice:
        """The rows of the title of this index."""
        start, end = np.searchsorted(self.title, [number, number + 1])
        return slice(int(start), int(end))

    def row(self, title: int, track_id: int) -> int:
        """The row of a title's track, which must be there."""
        own = self.rows_of_title(title)
        return own.start + int(np.searchsorted(self.track_id[own], track_id))

    @cached_property
    def seen_with(self) -> SeenWith:
        """Whom each track is seen with."""
        return SeenWith(len(self), self.together)


class SeenWith:
    """Which tracks are seen at one time, by row.

    Args:
        count: tracks.
        pairs: (pairs, 2) rows, each pair once.
    """

    def __init__(self, count: int, pairs: np.ndarray):
        both = np.concatenate([pairs, pairs[:, ::-1]]).reshape(-1, 2)
        order = np.argsort(both[:, 0], kind="stable")
        self._others = both[order, 1]
        self._starts = np.searchsorted(both[order, 0], np.arange(count + 1))

    def of(self, rows: Iterable[int]) -> Iterator[tuple[int, int]]:
        """(row, other) for each of these rows and every track that is seen with it."""
        for row in rows:
            for other in self._others[self._starts[row] : self._starts[row + 1]].tolist():
                yield row, other

    def clash(self, rows: Rows, others: Rows | set[int]) -> tuple[int, int] | None:
        """The first of these rows that is seen with one of the others, and that one; None where none is."""
        known = others if isinstance(others, set) else set(np.asarray(others).tolist())
        return next((pair for pair in self.of(np.asarray(rows).tolist()) if pair[1] in known), None)
