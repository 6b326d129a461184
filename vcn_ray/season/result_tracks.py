"""Tracks of a finished run as objects, with their faces and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np

from vcn_ray.errors import OutputError
from vcn_ray.export.charts import chance_text, clock
from vcn_ray.export.notebook import Picture, card, picture_of
from vcn_ray.export.pictures import SAMPLE, THUMB, decode_crop
from vcn_ray.export.render import several
from vcn_ray.schemas import FACES
from vcn_ray.season.result_tables import ResultStore, Row, Rows


@dataclass(frozen=True)
class Face:
    """A face in a frame, as a row of `schemas.SEASON_FACES`; a title's own tables know no `cast_id`."""

    title: str
    video: str
    frame: int
    time_s: float
    shot: int
    x: float  # box in pixels of the frame, from the top-left corner
    y: float
    w: float
    h: float
    score: float | None  # the detector's; None where the box was interpolated
    track_id: int | None
    cluster_id: int | None = None
    character: str | None = None
    quality: float | None = None
    cast_id: int | None = None


class Appearance(NamedTuple):
    """Somebody on screen through a shot, or a part of it. ``pandas.DataFrame`` takes a list of these."""

    title: str
    video: str
    shot: int
    first_frame: int
    last_frame: int
    start_s: float
    end_s: float
    confidence: float | None  # probability that it is this character
    track: Track


@dataclass(frozen=True)
class Crop:
    """A face cut out and aligned, 112 x 112 pixels. A notebook shows it; ``numpy.asarray`` gives its pixels."""

    title: str
    video: str
    frame: int
    track_id: int
    score: float | None
    sharpness: float | None
    jpeg: bytes

    @property
    def pixels(self) -> np.ndarray:
        """(112, 112, 3) uint8 RGB."""
        return np.ascontiguousarray(decode_crop(self.jpeg)[:, :, ::-1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.pixels if dtype is None else self.pixels.astype(dtype)

    def __repr__(self) -> str:
        return f"Crop({self.title!r}, {self.video!r}, frame={self.frame}, track_id={self.track_id})"

    def _repr_jpeg_(self) -> bytes:
        return self.jpeg


class Crops(Sequence[Crop]):
    """Crops in the order of choice, best first; a notebook shows them side by side."""

    def __init__(self, crops: Sequence[Crop]):
        self._crops = list(crops)

    def __len__(self) -> int:
        return len(self._crops)

    @overload
    def __getitem__(self, key: int) -> Crop: ...
    @overload
    def __getitem__(self, key: slice) -> Crops: ...
    def __getitem__(self, key: int | slice) -> Crop | Crops:
        return Crops(self._crops[key]) if isinstance(key, slice) else self._crops[key]

    def __repr__(self) -> str:
        return f"<{several(len(self), 'crop')}>"

    def _repr_html_(self) -> str:
        pictures = [
            picture_of(c.jpeg, f"{c.title}, {c.video}, frame {c.frame}, track {c.track_id}", SAMPLE) for c in self
        ]
        return card("", pictures=pictures)


class Track:
    """One face through one shot: where and when, who it is and how sure that is, or why it is Unknown.

    Its title is ``season.titles[track.title]``, its character there ``.character(track.cluster_id)``, who it is in the
    season ``season.cast[track.cast_id]``.
    """

    def __init__(self, store: ResultStore, row: Row):
        """Take a row of `schemas.SEASON_TRACKS`."""
        self.store = store
        self.row = row
        self.title: str = row["title"]
        self.track_id: int = row["track_id"]  # unique in the title
        self.video: str = row["video"]
        self.shot: int = row["shot"]
        self.first_frame: int = row["first_frame"]
        self.last_frame: int = row["last_frame"]
        self.start_s: float = row["first_time_s"]
        self.end_s: float = row["last_time_s"]
        self.face_count: int = row["faces"]
        self.crop_count: int = row["crops"]
        self.split_from: int | None = row["split_from"]
        self.quality: float | None = row["quality"]
        self.confidence: float | None = row["confidence"]
        self.reason: str | None = row["reason"]  # why it is Unknown
        self.cluster_id: int | None = row["cluster_id"]
        self.cast_id: int | None = row["cast_id"]

    @property
    def label(self) -> str:
        """Who it is: the name, or "Character 3" as the title's page says, or "Unknown"."""
        return "Unknown" if self.cluster_id is None else self.row["character"] or f"Character {self.cluster_id}"

    @property
    def folder(self) -> str:
        """Of its title, below ``titles/``."""
        return self.store.folders[self.title]

    @property
    def faces(self) -> Rows[Face]:
        """Its faces, a row a frame."""
        faces = Rows(self.store.title_table(self.folder, "faces", FACES), lambda row: Face(**row), "face")
        return faces.where(track_id=self.track_id)

    def crops(self, n: int = 12) -> Crops:
        """Up to `n` of its pictures: the best first, then spread over its length. `OutputError` where they are gone."""
        return choose_crops([self], n)

    @property
    def appearance(self) -> Appearance:
        """Where and when, as a plain row."""
        return Appearance(
            self.title,
            self.video,
            self.shot,
            self.first_frame,
            self.last_frame,
            self.start_s,
            self.end_s,
            self.confidence,
            self,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Track) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str, int]:
        return self.store.out, self.title, self.track_id

    def __repr__(self) -> str:
        span = f"{clock(self.start_s)}-{clock(self.end_s)}"
        return f"Track({self.track_id}, {self.title!r}, {self.video!r}, {span}, {self.label!r})"

    def _repr_html_(self) -> str:
        who = self.label if self.cluster_id is not None else f"Unknown: {self.reason}"
        if self.confidence is not None:
            who += f", {chance_text(self.confidence)}"
        return card(
            f"Track {self.track_id} of {self.title}",
            [
                who,
                f"{self.video}, shot {self.shot}, frames {self.first_frame}\u2013{self.last_frame}, "
                f"{clock(self.start_s)}\u2013{clock(self.end_s)}, {several(self.face_count, 'face')}",
            ],
            pictures=pictures_of([self], 6),
        )


def choose_crops(tracks: Sequence[Track], n: int, best: tuple[str, int | None, int | None] | None = None) -> Crops:
    """Up to `n` crops of tracks of one season: the best first, then different tracks spread over time, as on the pages.

    Args:
        tracks: in order of time.
        n: how many at most.
        best: title, track and frame of the best crop, where it is known.

    Raises:
        OutputError: the pictures are gone or damaged.
    """
    if not tracks:
        return Crops([])
    store = tracks[0].store
    keys = [(track.folder, track.track_id) for track in tracks]
    index, rows = store.crop_index(keys)
    best_track = best_frame = None
    if best is not None and best[1] is not None:
        key = store.folders[best[0]], best[1]
        best_track, best_frame = (keys.index(key), best[2]) if key in keys else (None, None)
    title_of = {track.folder: track.title for track in tracks}
    ids = list(range(len(keys)))
    # The pages may show a crop of few tracks twice: here each comes once, and the rest in turn from each track.
    more = sorted((nth, place) for track in ids for nth, place in enumerate(index.varied(track, n)))
    places = dict.fromkeys([*index.samples(ids, best_track, best_frame, n), *(place for _, place in more)])
    chosen = []
    for folder, row in (rows[place] for place in list(places)[: max(n, 0)]):
        crop = store.crops(folder).slice(row, 1).to_pylist()[0]
        chosen.append(Crop(title=title_of[folder], **crop, jpeg=store.jpeg(folder, row)))
    return Crops(chosen)


def pictures_of(
    tracks: Sequence[Track],
    n: int,
    best: tuple[str, int | None, int | None] | None = None,
    size: tuple[int, int] = THUMB,
) -> list[Picture]:
    """The same for a card, which goes without where the pictures are gone."""
    try:
        return [
            picture_of(crop.jpeg, f"{crop.video}, frame {crop.frame}, track {crop.track_id}", size)
            for crop in choose_crops(tracks, n, best)
        ]
    except OutputError:
        return []
