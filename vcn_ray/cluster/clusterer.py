"""What finds the characters of a title: the one seam for the product's methods, the field's, and whatever comes next.

A method gets all that the networks say of a title's tracks and says which tracks are one character. A new one is a
class with `cluster`, and a line in `clusterers.table.CLUSTERERS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.character_confidence import CharacterConfidence
from vcn_ray.cluster.links import Links
from vcn_ray.config import ClusterOptions

#: What the dense way takes for each of a title's tracks x tracks at its peak, measured on 4,000 tracks.
BYTES_PER_PAIR = 106


def fitting_tracks(memory_mb: int) -> int:
    """Tracks of the largest title whose matrices of all pairs fit into such memory."""
    return math.isqrt(memory_mb * 10**6 // BYTES_PER_PAIR)


@dataclass(frozen=True)
class CropOutputs:
    """What base and adapted network say of a title's n crops; `views` in k views of each."""

    track_of_crop: np.ndarray  # (n,) position of the crop's track
    base: np.ndarray  # (n, D) raw embedding by the base model, whose length tells how clear the face is
    adapted: np.ndarray  # (n, D) student output; the base model's own before any adaptation
    stochastic: np.ndarray  # (n, m, D) student outputs of m passes with dropout
    views: np.ndarray  # (n, k, D) student outputs of the crop's views; k = 0 where nothing asks for them
    target_log_probabilities: np.ndarray  # (n, D) log softmax((e - c) / teacher_temperature)
    log_probabilities: np.ndarray  # (n, D) log softmax(e / student_temperature)


@dataclass(frozen=True)
class TitleFaces:
    """The tracks of a title as a clusterer gets them; every track has at least one crop."""

    outputs: CropOutputs
    kept: np.ndarray  # (tracks,) bool: passed the quality filter, not left out; others make no character of their own
    cannot_link: np.ndarray  # (pairs, 2) int64 positions of tracks that are seen together, so two people
    calibration: Calibration | None  # the base model's; None where it is not known
    options: ClusterOptions
    adapted: bool  # whether the student has been trained at all
    seed: int = 0  # of whatever is drawn
    links: Links | None = None  # what people said of the tracks; None: nothing
    earlier: tuple[np.ndarray, ...] = ()  # of each adapted iteration before, (tracks, D) the student's mean directions
    threads: int = 1  # that a method may use; its labels do not depend on it

    @property
    def said(self) -> Links:
        """What people said of the tracks."""
        return self.links or Links.none(len(self.kept))

    @property
    def two_people(self) -> np.ndarray:
        """(tracks, tracks) bool: pairs that were seen together or are said to be two people, for whole groups."""
        return self.said.over_groups(self.cannot_link)

    @property
    def pairs_fit(self) -> bool:
        """Whether matrices of all pairs of tracks fit into the memory that the options give clustering."""
        return len(self.kept) <= fitting_tracks(self.options.memory_mb)

    def kept_crops(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the kept tracks' crops, (k,), and the position of each one's track among the kept ones, (k,)."""
        rows = np.flatnonzero(self.kept[self.outputs.track_of_crop])
        return rows, (np.cumsum(self.kept) - 1)[self.outputs.track_of_crop[rows]]

    def clusters_of_kept(self, labels: np.ndarray) -> Clusters:
        """The clusters where the kept tracks alone have labels, (kept tracks,) 0.. or -1, and confidence is unknown."""
        whole = np.full(len(self.kept), -1, np.int64)
        whole[self.kept] = labels
        return Clusters(whole, np.full(len(self.kept), np.nan))


@dataclass(frozen=True)
class Clusters:
    """What a clusterer found."""

    labels: np.ndarray  # (tracks,) int64: 0.. without a gap, -1 for tracks of no cluster
    confidence: np.ndarray  # (tracks,) probability of the label; NaN where it has none, and for methods that know none
    left_out: str = "in no cluster of the method that `merging` names"  # why a kept track has no label
    #: (tracks,) bool: clear enough to say what its character looks like, so that others train with it; None: all kept.
    speaking: np.ndarray | None = None
    characters: CharacterConfidence | None = None  # of each track's cluster; None: the method knows none


class Clusterer(Protocol):
    """A way to find a title's characters.

    It may make use of what people said (`TitleFaces.links`); whatever it finds is held to that afterwards.
    """

    def cluster(self, title: TitleFaces) -> Clusters:
        """Which tracks are one character; the same input gives the same labels."""
