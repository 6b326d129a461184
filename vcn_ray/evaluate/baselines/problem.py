"""What every baseline gets and what it gives: one face-ID model's embeddings of one title's tracks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TrackFaces:
    """The tracks of a title, as the base model sees them.

    Crops are ordered by track, and by time within it; every track has at least one.
    """

    embeddings: np.ndarray  # (n, D) float32, one per crop, unnormalised
    track_of_crop: np.ndarray  # (n,) int64, 0..t-1
    cannot_link: np.ndarray  # (t, t) bool, symmetric: seen together, so two people

    @property
    def tracks(self) -> int:
        """Number of tracks, t."""
        return len(self.cannot_link)


#: Labels (t,) int64, 0.. in order of first appearance, of one setting; -1: no cluster (noise).
Cut = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Baseline:
    """A method to compare with.

    `prepare(faces, seed)` does what does not depend on the setting (training included) and returns the cut:
    `prepare(faces, seed)(**setting)` are the labels for one of `settings`. Among these a bench chooses on other titles.
    """

    name: str
    source: str  # the publication, and what had to be assumed
    prepare: Callable[[TrackFaces, int], Cut]
    settings: tuple[Mapping[str, float], ...] = ({},)
    seeded: bool = False  # whether the seed changes anything
    noise: bool = False  # whether labels may be -1
