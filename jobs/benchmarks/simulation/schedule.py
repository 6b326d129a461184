"""What a season takes where spreading its work costs nothing: bounds that no schedule beats, and a greedy schedule."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TitleSeconds:
    """Seconds of a title's pieces: shards, then chunks of views, each on one CPU; then its adaptation."""

    shards: tuple[float, ...]
    views: tuple[float, ...]
    adapt: float


@dataclass(frozen=True)
class Machine:
    """What there is. An adaptation holds `adapt_cpus` CPUs, and one GPU where there are any."""

    cpus: int
    gpus: int
    adapt_cpus: int = 1


@dataclass(frozen=True)
class Schedule:
    """When each title ends, seconds from the start, in the order of the titles; and when its adaptation began."""

    ends: tuple[float, ...]
    adapt_starts: tuple[float, ...]

    @property
    def wall_s(self) -> float:
        """When the last title ends."""
        return max(self.ends, default=0.0)


def draw_work(
    titles: int, shards: int, shard_s: float, views: int, view_s: float, adapt_s: float, *, spread: float, seed: int
) -> list[TitleSeconds]:
    """Seconds of every piece, log-normal around the means given; `spread` is the deviation of their logarithm.

    A title's seconds depend on the seed and its number alone.
    """

    def draw(rng: np.random.Generator, mean_s: float, size: int) -> tuple[float, ...]:
        return tuple((mean_s * rng.lognormal(-(spread**2) / 2, spread, size)).round(4).tolist())

    work = []
    for title in range(titles):
        rng = np.random.default_rng([seed, title])
        pieces, chunks = draw(rng, shard_s, shards), draw(rng, view_s, views)
        work.append(TitleSeconds(pieces, chunks, draw(rng, adapt_s, 1)[0]))
    return work


def lower_bounds(work: Sequence[TitleSeconds], machine: Machine) -> dict[str, float]:
    """Seconds that no schedule can go below, each with its reason; the largest one counts.

    "CPUs", "GPUs": all work of the kind, on all of them at once; for GPUs also what must come before the first can
    begin. "longest title": its longest shard, its longest chunk, its adaptation, one after the other.
    """
    if not work:
        return {"CPUs": 0.0, "GPUs": 0.0, "longest title": 0.0}
    cpu_s = sum(sum(title.shards) + sum(title.views) + title.adapt * machine.adapt_cpus for title in work)
    paths = [max(title.shards, default=0.0) + max(title.views, default=0.0) for title in work]
    before = min(
        max(path, (sum(title.shards) + sum(title.views)) / machine.cpus)
        for title, path in zip(work, paths, strict=True)
    )
    gpus_s = before + sum(title.adapt for title in work) / machine.gpus if machine.gpus else 0.0
    longest = max(path + title.adapt for title, path in zip(work, paths, strict=True))
    return {"CPUs": cpu_s / machine.cpus, "GPUs": gpus_s, "longest title": longest}


def list_schedule(work: Sequence[TitleSeconds], machine: Machine) -> Schedule:
    """The greedy schedule: whenever something is free, the first title's furthest piece that fits begins at once.

    Adaptations go before views, views before shards, and within each the titles in order.
    """
    shards = deque((number, s) for number, title in enumerate(work) for s in title.shards)
    views: list[tuple[int, float]] = []
    adapts: list[int] = []
    left = [len(title.shards) for title in work]
    chunks_left = [len(title.views) for title in work]
    ends, adapt_starts = [0.0] * len(work), [0.0] * len(work)
    cpus, gpus, now = machine.cpus, machine.gpus, 0.0
    running: list[tuple[float, str, int]] = []

    def ready_for_views(number: int) -> None:
        for seconds in work[number].views:
            heapq.heappush(views, (number, seconds))
        if not work[number].views:
            heapq.heappush(adapts, number)

    for number, count in enumerate(left):
        if count == 0:
            ready_for_views(number)
    while True:
        while adapts and cpus >= machine.adapt_cpus and (gpus or not machine.gpus):
            number = heapq.heappop(adapts)
            cpus, gpus = cpus - machine.adapt_cpus, gpus - bool(machine.gpus)
            adapt_starts[number] = now
            heapq.heappush(running, (now + work[number].adapt, "adapt", number))
        while cpus and (views or shards):
            kind = "view" if views else "shard"
            number, seconds = heapq.heappop(views) if views else shards.popleft()
            cpus -= 1
            heapq.heappush(running, (now + seconds, kind, number))
        if not running:
            return Schedule(tuple(ends), tuple(adapt_starts))
        now, kind, number = heapq.heappop(running)
        if kind == "adapt":
            cpus, gpus = cpus + machine.adapt_cpus, gpus + bool(machine.gpus)
            ends[number] = now
            continue
        cpus += 1
        if kind == "shard":
            left[number] -= 1
            if left[number] == 0:
                ready_for_views(number)
        else:
            chunks_left[number] -= 1
            if chunks_left[number] == 0:
                heapq.heappush(adapts, number)


def covered(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The union of spans of time, as spans that do not meet, in order."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def both_s(first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]]) -> float:
    """Seconds in which at least one span of each kind was under way."""
    return sum(
        max(0.0, min(a_end, b_end) - max(a_start, b_start))
        for a_start, a_end in covered(first)
        for b_start, b_end in covered(second)
    )
