"""What a person leaves in a season's files: what a search for them goes by."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.calibration import Calibration
from vcn_ray.models.catalogue import known_calibration
from vcn_ray.pipeline.forgotten_tracks import REMOVAL_KEY, places_of
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY
from vcn_ray.pipeline.outputs.found import FinishedTitle

#: A picture inside a page is made of a stored one where both, made this many pixels wide and grey, differ by no more
#: levels of 255 on average: they were scaled and compressed once more.
_LOOK_PX, _SAME_LOOK = 16, 4.0

_PLACE_COLUMNS = ["video", "frame", "x", "y", "w", "h", "track_id"]


@dataclass(frozen=True)
class Likeness:
    """How a person's tracks look to one face-ID network."""

    vectors: np.ndarray  # (tracks, D) unit
    least: float | None  # a track that is on average as alike to these may be theirs; None: nobody knows from where on

    def are_alike(self, vectors: np.ndarray) -> np.ndarray:
        """Which of these tracks, (n, D), may be the person's, (n,) bool."""
        if self.least is None or not len(vectors):
            return np.zeros(len(vectors), bool)
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return unit @ self.vectors.mean(axis=0) >= self.least


@dataclass(frozen=True)
class Traces:
    """What a person's data is known by; titles go by their folder."""

    names: tuple[str, ...]
    titles: Mapping[str, str]  # folder -> id, of the titles that they are seen in
    tracks: Mapping[str, frozenset[int]]  # folder -> numbers
    places: Mapping[str, pa.Table]  # folder -> `forgotten_tracks.PLACES` of all its tracks
    pictures: frozenset[bytes]  # digests of their crops
    looks: np.ndarray  # (n, pixels) float32 their crops, small and grey
    likeness: Mapping[str, Likeness]  # face-ID network -> what it makes of them

    @property
    def of_titles(self) -> dict[str, frozenset[int]]:
        """Numbers of their tracks, by the title's id."""
        return {self.titles[slug]: numbers for slug, numbers in self.tracks.items()}

    def shows_them(self, jpeg: bytes) -> bool:
        """Whether a picture is one of theirs, or was made of one."""
        if digest_of(jpeg) in self.pictures:
            return True
        look = look_of(jpeg)
        return (
            look is not None
            and len(self.looks) > 0
            and bool(np.abs(self.looks - look).mean(axis=1).min() <= _SAME_LOOK)
        )


def traces_of(
    titles: Sequence[FinishedTitle],
    tracks: Mapping[str, Iterable[int]],
    names: Iterable[str],
    own_calibration: Calibration | None,
) -> Traces:
    """What these tracks of a season are known by, as long as they are there.

    Args:
        titles: of the season.
        tracks: numbers, by the folder of their title.
        names: of the person.
        own_calibration: of the season's options, if any.
    """
    of_slug = {title.results.name: title for title in titles}
    numbers = {slug: frozenset(own) for slug, own in tracks.items()}
    places: dict[str, pa.Table] = {}
    pictures: set[bytes] = set()
    looks: list[np.ndarray] = []
    vectors: dict[str, list[np.ndarray]] = {}
    for slug, own in numbers.items():
        results, work = of_slug[slug].results, of_slug[slug].work
        if work.exists(REMOVAL_KEY):  # half-way
            places[slug] = work.read_table(REMOVAL_KEY)
        else:
            faces = results.read_table("faces.parquet", _PLACE_COLUMNS)
            places[slug] = places_of(faces, np.isin(faces["track_id"].to_numpy(), list(own)))
        crops = results.read_table("crops.parquet", ["track_id", "jpeg"])
        for jpeg in _of_tracks(crops, own)["jpeg"].to_pylist():
            pictures.add(digest_of(jpeg))
            look = look_of(jpeg)
            if look is not None:
                looks.append(look)
        embeddings = _of_tracks(work.read_table(EMBEDDINGS_KEY), own)
        for network, vector in zip(embeddings["face_id"].to_pylist(), embeddings["embedding"].to_pylist(), strict=True):
            vectors.setdefault(network, []).append(np.array(vector, np.float32))
    return Traces(
        names=tuple(names),
        titles={slug: of_slug[slug].id for slug in numbers},
        tracks=numbers,
        places=places,
        pictures=frozenset(pictures),
        looks=np.stack(looks) if looks else np.empty((0, _LOOK_PX**2), np.float32),
        likeness={
            network: _likeness(np.stack(own), own_calibration or known_calibration(network))
            for network, own in vectors.items()
        },
    )


def digest_of(jpeg: bytes) -> bytes:
    """What makes two pictures the same."""
    return hashlib.sha256(jpeg).digest()


def look_of(jpeg: bytes) -> np.ndarray | None:
    """A picture small and grey, (pixels,) float32; None where it is none."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE) if jpeg else None
    if image is None:
        return None
    small = cv2.resize(image, (_LOOK_PX, _LOOK_PX), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32).ravel()


def pictures_in(text: bytes) -> list[bytes]:
    """The pictures inside a page or a JSON file."""
    return [base64.b64decode(found) for found in re.findall(rb"data:image/[a-z]+;base64,([A-Za-z0-9+/]+=*)", text)]


def name_pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """What finds names in a text, however a file's format spells them; as words of their own, in capitals or not."""
    spelled = {form for name in names if name for form in _spellings(name)}
    if not spelled:
        return None
    longest_first = sorted(map(re.escape, spelled), key=lambda form: (-len(form), form))
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", re.IGNORECASE)


def _spellings(name: str) -> set[str]:
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")} | {name}
    spelled = set(forms)
    for form in forms:
        escaped = {html.escape(form, quote=False), html.escape(form), form.replace('"', '""'), form.replace("'", "''")}
        escaped |= {html.escape(form).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")}
        for ascii_only in (True, False):
            as_json = json.dumps(form, ensure_ascii=ascii_only)[1:-1]
            # Inside a page's script as well.
            in_page = as_json.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
            escaped |= {as_json, in_page, in_page.replace("'", "\\u0027")}
        escaped |= {quote(form), quote(form, safe="")}
        spelled |= escaped
    return spelled


def _of_tracks(table: pa.Table, numbers: Iterable[int]) -> pa.Table:
    return table.filter(pc.is_in(table["track_id"], pa.array(sorted(numbers), pa.int64())))


def _likeness(vectors: np.ndarray, calibration: Calibration | None) -> Likeness:
    """From where on a track may be the person's: five of six pairs of one person's tracks are more alike."""
    if calibration is not None:
        return Likeness(vectors, calibration.same_mean - calibration.same_std)
    if len(vectors) < 2:
        return Likeness(vectors, None)
    pairs = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return Likeness(vectors, float(pairs.mean() - pairs.std()))
