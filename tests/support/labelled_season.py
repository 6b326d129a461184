"""The ground truth of `correctable_season`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from support.correctable_season import FACE_PX, FRAMES_PER_TRACK, TITLES, Seen


def write_labels(path: Path, titles: Mapping[str, Sequence[Seen]] = TITLES, unlabelled: Sequence[int] = ()) -> str:
    """A CSV of who is seen in every frame, but for these people; its path."""
    rows = [
        {
            "video": f"{title}.mp4",
            "frame": track.shot * FRAMES_PER_TRACK + nth,
            "x": 100.0 + 300 * track.place + nth,
            "y": 80.0,
            "w": float(FACE_PX),
            "h": float(FACE_PX),
            "identity": f"person {track.person}",
            "shot": track.shot,
        }
        for title, tracks in titles.items()
        for track in tracks
        for nth in np.arange(FRAMES_PER_TRACK).tolist()
        if track.person not in unlabelled
    ]
    pacsv.write_csv(pa.Table.from_pylist(rows), str(path))
    return str(path)
