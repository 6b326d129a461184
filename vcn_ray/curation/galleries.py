"""What a season is named by: a folder of reference pictures, or an earlier season's cast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vcn_ray.curation.applying import RECORD_KEY
from vcn_ray.curation.season_faces import NetworkTracks, SeasonFaces, read_season_faces
from vcn_ray.errors import InputError, ModelError
from vcn_ray.identify.gallery import Gallery, find_gallery
from vcn_ray.identify.references import References, embed_gallery
from vcn_ray.models.loading import INSTALLED, FaceModels
from vcn_ray.storage.store import Store


@dataclass(frozen=True)
class Person:
    """Somebody of a gallery."""

    name: str | None  # None: a member of a season's cast whom nobody has named
    number: int | None = None  # `cast_id` in the season that is the gallery


@dataclass(frozen=True)
class KnownPeople:
    """A gallery in the spaces of a season's networks."""

    people: tuple[Person, ...]
    by_network: dict[str, References]  # rows as `people`; one without a usable picture has none, which says nothing
    problems: tuple[str, ...]


def check_gallery(folder: str) -> None:
    """`InputError` where there is neither a picture nor a finished season: before a run of hours is for nothing."""
    if not Store(folder).exists(RECORD_KEY):
        find_gallery(folder)


def known_people(folder: str, season: SeasonFaces, models: FaceModels = INSTALLED) -> KnownPeople:
    """The people of a gallery, for naming this season.

    Args:
        folder: of pictures or of a season's results, or a URL of either.
        season: that is to be named.
        models: what the options' names of face models stand for.

    Raises:
        InputError: nothing in it can be used for this season.
        ModelError: none of the season's face models is installed.
    """
    store = Store(folder)
    if store.url == season.out.url:
        raise InputError(f"--gallery {folder}: this is the season itself; give pictures, or another season's results")
    if store.exists(RECORD_KEY):
        return _of_season(store, season)
    return _of_pictures(find_gallery(folder), season, models)


def _of_pictures(gallery: Gallery, season: SeasonFaces, models: FaceModels) -> KnownPeople:
    embedded: dict[str, References] = {}
    problems = list(gallery.problems)
    refused: list[InputError | ModelError] = []
    for network in season.networks:
        try:
            references, found = embed_gallery(gallery, network.options, models)
        except (InputError, ModelError) as error:
            refused.append(error)
            continue
        _require_network(network, models)
        embedded[network.face_id] = references
        problems += found
    if not embedded and refused:
        raise refused[0]
    problems += [f"titles made with other face models are not named: {error}" for error in refused]
    names = sorted({str(name) for references in embedded.values() for name in references.name})
    people = tuple(Person(name) for name in names)
    aligned = {face_id: _aligned(own, [own.index_of(name) for name in names]) for face_id, own in embedded.items()}
    return KnownPeople(people, aligned, tuple(dict.fromkeys(problems)))


def _require_network(network: NetworkTracks, models: FaceModels) -> None:
    """`ModelError` where the options' network is not the one that the title's tracks were embedded by."""
    if models.pack(network.options).face_id_digest != network.face_id:
        raise ModelError(
            f"the face-ID network of pack {network.options.models.pack!r} is not the one that the results were made "
            f"with (SHA-256 {network.face_id[:16]}…); install that one, or run the season again"
        )


def _aligned(references: References, places: Sequence[int | None]) -> References:
    """References in another order; None stands for somebody of whom there is nothing."""
    at = np.array([-1 if place is None else place for place in places], np.int64)
    here = at >= 0
    return References(
        tuple(None if place is None else references.name[place] for place in places),
        np.where(here[:, None], references.mean[at], 0.0),
        np.where(here, references.pictures[at], 0),
        np.where(here, references.clarity[at], np.nan),
    )


def _of_season(store: Store, season: SeasonFaces) -> KnownPeople:
    """The cast of a finished season, as delivered, by the networks that it shares with this one."""
    earlier = read_season_faces(store)
    tracks = store.read_table("tracks.parquet", ["title", "track_id", "cast_id"])
    cast = store.read_table("cast.parquet", ["cast_id", "character"]).sort_by("cast_id")
    number = cast["cast_id"].to_numpy()
    member = np.full(len(earlier.found), -1, np.int64)  # by its place in the cast: its number may be any
    titles = {title.id: place for place, title in enumerate(earlier.titles)}
    for title, track, cast_id in zip(*(tracks[name].to_pylist() for name in tracks.column_names), strict=True):
        if cast_id is not None:
            member[earlier.found.row(titles[title], track)] = np.searchsorted(number, cast_id)
    people = tuple(
        Person(name, cast_id) for cast_id, name in zip(number.tolist(), cast["character"].to_pylist(), strict=True)
    )
    wanted = {network.face_id for network in season.networks}
    by_network = {}
    for network in earlier.networks:
        if network.face_id in wanted:
            mean, size = network.means(member, len(people))
            names = tuple(person.name for person in people)
            by_network[network.face_id] = References(names, mean, size, np.full(len(people), np.nan))
    if not by_network:
        raise InputError(
            f"--gallery {store.url}: that season was made with another face-ID network, whose numbers cannot be "
            "compared with this one's; run both with the same face models (option `pack`), or give pictures"
        )
    problems = [
        f"titles made with the face-ID network {face_id[:16]}… are not named: {store.url} has none of that network"
        for face_id in sorted(wanted - set(by_network))
    ]
    return KnownPeople(people, by_network, tuple(problems))
