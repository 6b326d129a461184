"""What a review is of: a season's tracks, what is known of them, their pictures and films; whoever offers these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.corrections.standing import worth_as_anchor
from vcn_ray.review.film import Film
from vcn_ray.storage.store import Store


@dataclass(frozen=True)
class ReviewVideo:
    """A video of a title, as the page tells of it."""

    name: str
    duration_s: float
    fps: float
    width_px: int
    height_px: int


@dataclass(frozen=True)
class TrackFacts:
    """What is known of each of a season's n tracks; rows as in `FoundTracks`."""

    video: np.ndarray  # (n,) int64 index into its title's videos
    shot: np.ndarray  # (n,) int64
    first_frame: np.ndarray  # (n,) int64
    last_frame: np.ndarray  # (n,) int64
    first_time_s: np.ndarray  # (n,) float64
    last_time_s: np.ndarray  # (n,) float64
    faces: np.ndarray  # (n,) int64 frames with a face
    crops: np.ndarray  # (n,) int64
    seconds: np.ndarray  # (n,) float64 on screen: its faces' frames
    quality: np.ndarray  # (n,) float64, NaN where not measured
    confidence: np.ndarray  # (n,) float64 probability of its character as found; NaN where Unknown or not known
    reason: list[str | None]  # why Unknown as found

    @cached_property
    def worth(self) -> np.ndarray:
        """(n,) how well each track stands for its person, see `worth_as_anchor`."""
        return worth_as_anchor(self.confidence, self.quality, self.crops, self.seconds)


class CropPictures(Protocol):
    """The pictures of tracks. `OutputError` where they are gone."""

    def crop(self, row: int, nth: int) -> bytes | None:
        """The nth best crop of a track as JPEG; None where it has none."""

    def strip(self, row: int, count: int) -> bytes | None:
        """Up to so many crops of a track side by side, in time, as JPEG; None where it has none."""


class SeasonSource(Protocol):
    """A season to review."""

    name: str
    out: Store  # where corrections.yaml lies
    found: FoundTracks
    places: TrackPlaces
    facts: TrackFacts
    videos: list[list[ReviewVideo]]  # of each title
    embedding: np.ndarray  # (n, D) float32, length one by the base model; zeros where a track has none
    network: str  # SHA-256 of the face-ID network that these are of

    @property
    def pictures(self) -> CropPictures:
        """Of its tracks."""

    def film(self, title: int) -> Film:
        """The videos of a title."""

    def shot_frames(self, row: int) -> tuple[int, int]:
        """First and last frame of the shot that a track is in."""

    def version(self) -> str:
        """Another one once the season has been run anew: rows then are other tracks."""
