"""An invented season to review: as many people and tracks as are asked for, without a film, a network or a run.

Each person has a direction in the space of embeddings and a colour in the pictures; tracks lie around the direction.
Clustering has made mistakes: some people are found as two, some tracks are at the wrong person, some are Unknown.
"""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
import pyarrow as pa

from vcn_ray.corrections.anchoring import TitlePlaces, TrackPlaces
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.review.film import Film
from vcn_ray.review.pictures import strip_of
from vcn_ray.review.source import CropPictures, ReviewVideo, TrackFacts
from vcn_ray.storage.store import Store

_FPS = 25.0
_WIDTH_PX, _HEIGHT_PX = 1280, 720
_DIMENSIONS = 128
_CROPS = 6
_SHOT_TRACKS = 2  # are seen together
_UNKNOWN_SHARE, _WRONG_SHARE, _HALVED_SHARE = 0.05, 0.02, 0.2

#: How far a track lies from its person's direction: two of one person are as alike as SFace finds them.
_SPREAD = 1.0


class SyntheticSeason:
    """See `vcn_ray.review.source.SeasonSource`; `truth` (tracks,) is who each track shows.

    Args:
        out: where corrections.yaml goes.
        people, tracks, titles: how many.
        name: of the season.
        seed: the same for the same season.
    """

    def __init__(self, out: Store, people: int, tracks: int, titles: int = 1, name: str = "synthetic", seed: int = 0):
        random = np.random.default_rng(seed)
        self.out, self.name, self.network = out, name, ""
        share = 1 / np.arange(1, people + 1) ** 0.7  # few leads, many extras
        self.truth = np.concatenate([np.arange(people), random.choice(people, tracks - people, p=share / share.sum())])
        title = np.sort(np.arange(tracks) % titles)
        random.shuffle(self.truth)
        shot = np.arange(tracks) // _SHOT_TRACKS
        pair = np.flatnonzero((np.diff(shot) == 0) & (np.diff(title) == 0) & (np.diff(self.truth) != 0))
        track_id = np.arange(tracks) - np.searchsorted(title, title)
        cluster = self._clusters(random, people)
        first_frame = (shot - shot[np.searchsorted(title, title)]) * 60
        faces = random.integers(12, 55, tracks)
        self.found = FoundTracks(
            tuple(f"s01e{number + 1:02}" for number in range(titles)),
            title,
            track_id,
            cluster,
            cluster.copy(),
            np.stack([pair, pair + 1], axis=1),
        )
        unknown, sure = cluster < 0, random.beta(60, 1, tracks)
        self.facts = TrackFacts(
            video=np.zeros(tracks, np.int64),
            shot=shot,
            first_frame=first_frame,
            last_frame=first_frame + faces - 1,
            first_time_s=first_frame / _FPS,
            last_time_s=(first_frame + faces - 1) / _FPS,
            faces=faces,
            crops=np.full(tracks, _CROPS),
            seconds=faces / _FPS,
            quality=random.uniform(0.5, 1, tracks),
            confidence=np.where(unknown, np.nan, np.where(self._is_wrong, random.beta(4, 2, tracks), sure)),
            reason=["low quality: its faces are recognised too unsteadily" if one else None for one in unknown],
        )
        length_s = float(self.facts.last_time_s.max()) + 1
        self.videos = [[ReviewVideo(f"{one}.mp4", length_s, _FPS, _WIDTH_PX, _HEIGHT_PX)] for one in self.found.titles]
        self.embedding = self._embeddings(random, people)
        self.places = TrackPlaces([self._places(number, random) for number in range(titles)])
        self._pictures = _DrawnPictures(self.truth)
        self._films = [Film(out.child("none"), [{"video": v.name} for v in videos]) for videos in self.videos]

    @property
    def pictures(self) -> CropPictures:
        """Drawn when asked for."""
        return self._pictures

    def film(self, title: int) -> Film:
        """There is none, as the page will say."""
        return self._films[title]

    def shot_frames(self, row: int) -> tuple[int, int]:
        """First and last frame of the shot that a track is in."""
        first = int(self.facts.first_frame[row])
        return first, first + 59

    def version(self) -> str:
        """Nobody runs it anew."""
        return ""

    def _clusters(self, random: np.random.Generator, people: int) -> np.ndarray:
        """The truth with mistakes."""
        cluster = self.truth.copy()
        halved = random.choice(people, int(people * _HALVED_SHARE), replace=False)
        other_half = np.isin(cluster, halved) & (random.random(len(cluster)) < 0.4)
        cluster[other_half] += people
        self._is_wrong = random.random(len(cluster)) < _WRONG_SHARE
        cluster[self._is_wrong] = random.integers(0, people, self._is_wrong.sum())
        cluster[random.random(len(cluster)) < _UNKNOWN_SHARE] = -1
        known = cluster >= 0
        cluster[known] = np.unique(cluster[known], return_inverse=True)[1]
        return cluster

    def _embeddings(self, random: np.random.Generator, people: int) -> np.ndarray:
        directions = random.normal(size=(people, _DIMENSIONS))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        noise = random.normal(size=(len(self.truth), _DIMENSIONS)) * (_SPREAD / np.sqrt(_DIMENSIONS))
        vectors = directions[self.truth] + noise
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def _places(self, number: int, random: np.random.Generator) -> TitlePlaces:
        own = self.found.rows_of_title(number)
        rows = np.arange(own.start, own.stop)
        faces = self.facts.faces[rows]
        row = np.repeat(rows, faces)
        within = np.arange(len(row)) - np.repeat(np.cumsum(faces) - faces, faces)
        frame = self.facts.first_frame[row] + within
        left = np.where(row % _SHOT_TRACKS == 0, 200.0, 800.0)  # two who are seen together are side by side
        table = pa.table(
            {
                "video": pa.array([self.videos[number][0].name] * len(row)),
                "frame": frame,
                "time_s": frame / _FPS,
                "track_id": self.found.track_id[row],
                "x": left + within,
                "y": np.full(len(row), 150.0),
                "w": np.full(len(row), 180.0),
                "h": np.full(len(row), 220.0),
            }
        )
        return TitlePlaces({self.videos[number][0].name: f"{number:032}"}, table, self.found.track_id[own])


class _DrawnPictures:
    """A face of a colour for each person, a shade for each crop."""

    def __init__(self, truth: np.ndarray):
        self._truth = truth

    def crop(self, row: int, nth: int) -> bytes | None:
        """The nth best crop of a track as JPEG; None where it has none."""
        return self._draw(row, nth) if nth < _CROPS else None

    def strip(self, row: int, count: int) -> bytes | None:
        """Up to so many crops of a track side by side as JPEG."""
        return strip_of([self._draw(row, nth) for nth in range(min(count, _CROPS))])

    def _draw(self, row: int, nth: int) -> bytes:
        person = int(self._truth[row])
        red, green, blue = colorsys.hsv_to_rgb(person * 0.618 % 1, 0.4 + 0.5 * (person % 3) / 3, 0.95)
        picture = np.full((112, 112, 3), 40 + 15 * nth, np.uint8)
        colour = (255 * blue, 255 * green, 255 * red)
        cv2.ellipse(picture, (56, 58), (34, 44), 0, 0, 360, colour, -1)
        for x in (43, 69):
            cv2.circle(picture, (x + nth - 3, 48), 5, (30, 30, 30), -1)
        cv2.ellipse(picture, (56 + nth - 3, 78), (14, 6), 0, 0, 180, (30, 30, 30), 2)
        cv2.putText(picture, str(person), (4, 108), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
        return cv2.imencode(".jpg", picture)[1].tobytes()
