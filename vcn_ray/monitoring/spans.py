"""Time that work took when several pieces of it were under way at once."""

from __future__ import annotations

from collections.abc import Iterable


def covered_s(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of intervals (start, end), s: the time during which at least one piece was under way."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
