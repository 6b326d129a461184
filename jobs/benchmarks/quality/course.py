"""How a title's loop went: what each iteration changed, which one was delivered, how long training took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Course:
    """A title's loop."""

    changed: tuple[int, ...]  # tracks that each adapted iteration moved; empty for the base model alone
    delivered: int | None  # which iteration's clusters count; None where there are none
    settled: bool | None  # whether it stopped by itself; None where nothing adapts
    train_s: float  # of the loop's wall time

    @classmethod
    def of_title(cls, iterations: pa.Table, max_iterations: int, train_s: float) -> Course:
        """That of a finished title.

        iterations: `schemas.ITERATIONS`; max_iterations: as many as it might have had.
        """
        rows = iterations.to_pylist()
        changed = tuple(row["changed_tracks"] or 0 for row in rows if row["iteration"])
        delivered = next((row["iteration"] for row in rows if row["delivered"]), None)
        settled = len(changed) < max_iterations or changed[-1] == 0 if changed else None
        return cls(changed, delivered, settled, train_s)


class Stopwatch:
    """Listens to `adapt_and_cluster` and tells its training from all else: loading, clustering, storing."""

    def __init__(self, clock_s: Callable[[], float] = time.perf_counter):
        self._clock_s = clock_s
        self._started = self._last = clock_s()
        self.train_s = 0.0

    @property
    def wall_s(self) -> float:
        """Since it was made."""
        return self._clock_s() - self._started

    def on_event(self, event: Mapping[str, Any]) -> None:
        """An event that follows upon an epoch ends a piece of training; any other one ends something else."""
        now = self._clock_s()
        if "epoch" in event:
            self.train_s += now - self._last
        self._last = now
