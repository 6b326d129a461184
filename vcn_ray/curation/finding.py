"""Where a person is seen in finished seasons: an exact search by pictures, with "nowhere" as an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.cluster.evidence import Evidence
from vcn_ray.curation.season_faces import SeasonFaces, groups_together, read_season_faces
from vcn_ray.errors import InputError, VcnError
from vcn_ray.export.appearances import time_code
from vcn_ray.export.finished_season import character_names
from vcn_ray.identify.gallery import Gallery, GalleryPicture, pictures_of_one
from vcn_ray.identify.references import References, embed_gallery
from vcn_ray.identify.search import PeopleIndex
from vcn_ray.models.loading import INSTALLED, FaceModels
from vcn_ray.schemas import SIGHTINGS
from vcn_ray.storage.store import Store

_PERSON = "the person"


@dataclass(frozen=True)
class PersonFound:
    """Where a person is seen."""

    sightings: pa.Table  # schemas.SIGHTINGS
    pictures: tuple[GalleryPicture, ...]  # that were searched by
    searched: tuple[str, ...]  # seasons
    nearest: tuple[tuple[str, str, float], ...]  # season, character, probability: of each season the most probable
    problems: tuple[str, ...]  # a sentence on each picture or season that could not be used

    @property
    def characters(self) -> list[tuple[str, str, list[dict[str, Any]]]]:
        """Season, character and sightings of each one found, the most probable first; an Unknown track by itself."""
        groups: dict[tuple[object, ...], list[dict[str, Any]]] = {}
        for row in self.sightings.to_pylist():
            by_itself = (row["title"], row["track_id"]) if row["cast_id"] is None else row["cast_id"]
            groups.setdefault((row["season"], by_itself), []).append(row)
        return [(rows[0]["season"], rows[0]["character"], rows) for rows in groups.values()]


def find_person(
    pictures: Sequence[str], seasons: Sequence[str], *, least: float = 0.5, models: FaceModels = INSTALLED
) -> PersonFound:
    """Search finished seasons for a person.

    Args:
        pictures: files that show the person and nobody else, folders of such, or ``s3://`` URLs.
        seasons: folders or URLs of results, as many as there are.
        least: characters are given whose probability to be the person is above this, 0 to 1.
        models: what the options' names of face models stand for.

    Raises:
        InputError: no picture can be used, or no season searched.
        ModelError: the face models of the only season are not installed.
    """
    if not 0 <= least < 1:
        raise InputError(f"--least {least:g}: give a probability from 0 to below 1")
    gallery = pictures_of_one(pictures, _PERSON)
    finder = _Finder(gallery, models)
    parts, nearest, searched, refused = [SIGHTINGS.empty_table()], [], [], list[VcnError]()
    for url in dict.fromkeys(seasons):
        try:
            season = read_season_faces(Store(url))
            found, best = finder.search(season, url, least)
        except VcnError as error:
            refused.append(error)
            continue
        searched.append(url)
        parts.append(found)
        nearest += best
    if not searched:
        raise refused[0] if refused else InputError("name at least one folder of results to search in")
    table = pa.concat_tables(parts)
    order = np.argsort(-table["probability"].to_numpy(), kind="stable")
    problems = [*finder.problems, *(f"not searched: {error}" for error in refused)]
    return PersonFound(
        table.take(pa.array(order)),
        gallery.pictures,
        tuple(searched),
        tuple(nearest),
        tuple(dict.fromkeys(problems)),
    )


class _Finder:
    """Searches seasons by the pictures of one person, embedded once by each network."""

    def __init__(self, gallery: Gallery, models: FaceModels):
        self._gallery, self._models = gallery, models
        self._embedded: dict[str, References] = {}
        self.problems: list[str] = []

    def search(self, season: SeasonFaces, url: str, least: float) -> tuple[pa.Table, list[tuple[str, str, float]]]:
        """As `schemas.SIGHTINGS`, by character and time; and the most probable character, where there is any."""
        people = _People(season)
        probability = np.zeros(len(people))
        for network in season.networks:
            if network.face_id not in self._embedded:
                self._embedded[network.face_id], problems = embed_gallery(self._gallery, network.options, self._models)
                self.problems += problems
            person = self._embedded[network.face_id]
            index = PeopleIndex(*network.means(people.of_row, len(people)), people.together, of=len(people))
            evidence: Evidence = season.evidence(network)
            probability = np.maximum(probability, index.find(person, evidence))
        if not len(people):
            return SIGHTINGS.empty_table(), []
        best = int(probability.argmax())
        nearest = [(url, people.name(best), float(probability[best]))] if probability[best] > 0 else []
        return people.sightings(url, probability, least), nearest


class _People:
    """The members of a season's cast as delivered, and each Unknown track as somebody by itself."""

    def __init__(self, season: SeasonFaces):
        self._season = season
        self._tracks = season.out.read_table("tracks.parquet")
        numbers = {title.id: number for number, title in enumerate(season.titles)}
        self._title = np.array([numbers[title] for title in self._tracks["title"].to_pylist()], np.int64)
        keys = zip(self._title.tolist(), self._tracks["track_id"].to_pylist(), strict=True)
        place = np.array([season.found.row(title, track) for title, track in keys], np.int64)
        cast = pc.fill_null(self._tracks["cast_id"], -1).to_numpy()
        # Their places and not their numbers, which may be any.
        known = np.unique(cast[cast >= 0])
        self._of_track = np.where(cast >= 0, np.searchsorted(known, cast), len(known) + np.cumsum(cast < 0) - 1)
        self.of_row = np.full(len(season.found), -1, np.int64)  # the person of each row of `season.found`
        self.of_row[place] = self._of_track

    def __len__(self) -> int:
        return int(self._of_track.max(initial=-1)) + 1

    @cached_property
    def together(self) -> np.ndarray:
        """(pairs, 2) of them that are seen at one time."""
        return groups_together(self.of_row, self._season.found.together)

    @cached_property
    def _names(self) -> list[str]:
        return character_names(self._tracks).to_pylist()

    def name(self, person: int) -> str:
        """A name, 'Cast 3', or 'Unknown'."""
        return self._names[int(np.flatnonzero(self._of_track == person)[0])]

    def sightings(self, url: str, probability: np.ndarray, least: float) -> pa.Table:
        """The tracks of those more probable than `least`, the most probable person first, in order of time."""
        own = probability[self._of_track]
        time = (self._tracks[name].to_numpy() for name in ("track_id", "first_time_s", "shot"))
        order = np.lexsort((*time, self._title, self._of_track, -own))  # shots are numbered through a title's videos
        rows = order[own[order] > least]
        table = self._tracks.take(pa.array(rows))

        def time_codes(seconds: pa.ChunkedArray) -> pa.Array:
            return pa.array([time_code(round(1000 * second)) for second in seconds.to_pylist()], pa.string())

        columns = {
            "season": pa.array([url] * len(rows), pa.string()),
            "character": pa.array([self._names[row] for row in rows], pa.string()),
            "probability": pa.array(own[rows]),
            "first": time_codes(table["first_time_s"]),
            "last": time_codes(table["last_time_s"]),
        }
        for name, column in columns.items():
            place = table.schema.get_field_index(name)
            table = table.append_column(name, column) if place < 0 else table.set_column(place, name, column)
        return table.select(SIGHTINGS.names).cast(SIGHTINGS)
