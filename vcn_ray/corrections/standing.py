"""The tracks that stand for a whole person in a correction, so that the file stays readable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: A person's tracks that stand for them: so many a title.
_TRACKS_PER_TITLE = 3


def worth_as_anchor(confidence: np.ndarray, quality: np.ndarray, crops: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """(n,) how well tracks stand for their person: with a picture, sure to be theirs, seen well and for long.

    confidence, quality: (n,) 0..1, NaN where not known; crops: (n,) int64; seconds: (n,) on screen.
    """
    sure = np.nan_to_num(confidence, nan=0.5)
    clear = np.nan_to_num(quality, nan=0.3)
    return (crops > 0) + sure**4 * clear * np.log1p(seconds)


def standing_tracks(
    title: np.ndarray, worth: np.ndarray, rows: Sequence[int] | np.ndarray, besides: Sequence[int] = ()
) -> list[int]:
    """Of a person's tracks the few of each title that stand for them, best by `worth_as_anchor`, ascending.

    Args:
        title: (n,) title of every track of the season.
        worth: (n,) of every track.
        rows: the person's tracks.
        besides: those that the correction is about, which are left out, unless there are no others.
    """
    own = np.asarray(rows, np.int64)
    rest = own[~np.isin(own, np.asarray(besides, np.int64))]
    own = rest if len(rest) else own
    best_first = own[np.lexsort((own, -worth[own]))]
    chosen: list[int] = []
    for number in np.unique(title[own]):
        chosen += best_first[title[best_first] == number][:_TRACKS_PER_TITLE].tolist()
    return sorted(chosen)
