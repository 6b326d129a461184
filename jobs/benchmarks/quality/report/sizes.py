"""Titles by size: what can be known of a title depends on how many tracks it has."""

from __future__ import annotations

from jobs.benchmarks.quality.model_selection import Row

#: True tracks of a small title at most, and of a middle one.
SMALL_TRACKS, MIDDLE_TRACKS = 40, 500

#: From small to large.
SIZES = ("small", "middle", "long")


def true_tracks(row: Row) -> int:
    """Tracks of whom a label says who they are: those that nobody could name make no title larger."""
    return row["tracks"] - row["false_tracks"]


def size_of(row: Row) -> str:
    """Which of `SIZES` the row's title has."""
    tracks = true_tracks(row)
    return SIZES[(tracks > SMALL_TRACKS) + (tracks > MIDDLE_TRACKS)]
