"""Somebody who knows the ground truth: whom the tracks of a season show, and how right a cast is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.errors import InputError
from vcn_ray.evaluate.ground_truth import match_tracks, read_ground_truth
from vcn_ray.evaluate.report import Scores, score_tracks


class TruthTeller:
    """What a ground truth says of n tracks.

    Args:
        places: where their faces are.
        count: n.
        ground_truth: path of the CSV, see `evaluate.ground_truth.read_ground_truth`.

    Raises `InputError` where the CSV is not as it should be, or is of other videos.
    """

    def __init__(self, places: TrackPlaces, count: int, ground_truth: str):
        truth = read_ground_truth(ground_truth)
        files, frames, boxes, rows = [], [np.empty(0, np.int64)], [np.empty((0, 4))], []
        for row in range(count):
            frame, _, box = places.faces(row)
            files += [places.file(row)] * len(frame)
            frames.append(frame)
            boxes.append(box)
            rows += [row] * len(frame)
        truth = truth.of_videos(set(files))
        if not len(truth):
            raise InputError(f"{ground_truth} labels no face of the videos of this season: give that of the same files")
        video = np.array(files, dtype=object)
        self._matches = match_tracks(video, np.concatenate(frames), np.concatenate(boxes), np.array(rows), truth)
        self._titles = dict.fromkeys(self._matches.video, "")
        self.identities = len(set(truth.identity))
        self.identity: list[str | None] = [None] * count
        for row, identity in zip(self._matches.track_id.tolist(), self._matches.identity, strict=True):
            self.identity[row] = identity

    def of(self, rows: Iterable[int]) -> str | None:
        """Whom most of these tracks show (of equals, the first met); None where nobody can tell of any."""
        counts = Counter(identity for row in rows if (identity := self.identity[row]) is not None)
        return counts.most_common(1)[0][0] if counts else None

    def scores(self, member: np.ndarray) -> Scores:
        """How right a cast is.

        member: (n,) whom each track was given to, as any number from 0; -1: Unknown. Identities count once a season.
        """
        own = member[self._matches.track_id]
        clusters = [None if label < 0 else label for label in own.tolist()]
        return score_tracks(self._matches, clusters, self._titles, self.identities)
