"""The tracks of a finished season with what the base networks make of them: what names and searches work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from pydantic import ValidationError

from vcn_ray.cluster.cast.season_tracks import TitleCharacters, season_similarities
from vcn_ray.cluster.evidence import Evidence, guess_calibration
from vcn_ray.cluster.similarity import track_means
from vcn_ray.config import Options
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.curation.applying import RECORD_KEY
from vcn_ray.errors import InputError, OutputError
from vcn_ray.models.catalogue import known_calibration
from vcn_ray.models.user_network import stored_in
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY
from vcn_ray.pipeline.outputs.cast import stored_cast
from vcn_ray.pipeline.outputs.found import FinishedTitle, each, found_tracks
from vcn_ray.pipeline.outputs.season_outputs import finished_titles
from vcn_ray.pipeline.outputs.title_outputs import FACTS_KEY
from vcn_ray.storage.store import Store


@dataclass(frozen=True)
class NetworkTracks:
    """The tracks of titles that were made with one face-ID network: one space."""

    face_id: str  # SHA-256 of the network
    options: Options  # of the first of these titles
    row: np.ndarray  # (n,) int64 of the season's tracks, those that have an embedding
    embedding: np.ndarray  # (n, D) float32 mean direction of each, length one

    def means(self, group_of_row: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean (groups, D) of the unit vectors of each group's tracks, and how many they are, (groups,).

        group_of_row: (tracks of the season,) int64; -1: in no group.
        """
        group = group_of_row[self.row]
        known = group >= 0
        return track_means(self.embedding[known], group[known], groups), np.bincount(group[known], minlength=groups)


@dataclass(frozen=True)
class SeasonFaces:
    """A finished season; rows are those of `found`."""

    out: Store
    titles: list[FinishedTitle]  # that are done, in order
    found: FoundTracks
    networks: tuple[NetworkTracks, ...]

    def evidence(self, network: NetworkTracks) -> Evidence:
        """What similarities by a network are worth: its calibration, or where nobody knows one, a guess from these.

        The guess needs tracks most pairs of which are strangers (`cluster.evidence.guess_calibration`).
        """
        known = network.options.cluster.calibration or known_calibration(network.face_id)
        if known is None:
            place = np.full(len(self.found), -1, np.int64)
            place[network.row] = number = np.arange(len(network.row))
            pairs = groups_together(place, self.found.together)
            values, counts, _ = season_similarities([TitleCharacters("", number, number, network.embedding, pairs)])
            known = guess_calibration(values, counts)
        return Evidence(known)


def groups_together(group_of_row: np.ndarray, together: np.ndarray) -> np.ndarray:
    """(pairs, 2) int64 groups of which two tracks are seen at one time; group_of_row: -1: in no group."""
    pairs = np.sort(group_of_row[together], axis=1)
    return np.unique(pairs[(pairs[:, 0] >= 0) & (pairs[:, 0] != pairs[:, 1])], axis=0)


def read_season_faces(out: Store) -> SeasonFaces:
    """Read a finished season.

    Raises:
        InputError: no finished run is there, or one of an earlier version.
        OutputError: what is stored is damaged.
    """
    if not out.exists(RECORD_KEY):
        raise InputError(
            f"{out.url}: no finished run is there ({RECORD_KEY} is missing); give the folder named by --out"
        )
    titles = finished_titles(out)
    found = found_tracks(titles, stored_cast(out).characters)
    by_network: dict[str, list[tuple[Options, np.ndarray, np.ndarray]]] = {}
    for number, one in enumerate(each(lambda title: _read_embeddings(title, out), titles)):
        if one is not None:
            own = found.rows_of_title(number)
            known = np.isin(one.track_id, found.track_id[own])
            row = own.start + np.searchsorted(found.track_id[own], one.track_id[known])
            by_network.setdefault(one.face_id, []).append((one.options, row, one.embedding[known]))
    networks = [
        NetworkTracks(face_id, own[0][0], *(np.concatenate([part[k] for part in own]) for k in (1, 2)))
        for face_id, own in by_network.items()
    ]
    return SeasonFaces(out, titles, found, tuple(networks))


@dataclass(frozen=True)
class _TitleEmbeddings:
    options: Options
    face_id: str
    track_id: np.ndarray  # (n,)
    embedding: np.ndarray  # (n, D) float32


def _read_embeddings(title: FinishedTitle, out: Store) -> _TitleEmbeddings | None:
    """What the base network makes of a title's tracks; None where it has none."""
    work = title.work
    try:
        options = Options.model_validate(work.read_json(FACTS_KEY)["options"])
    except (KeyError, ValidationError):
        raise OutputError(
            f"{work.where(FACTS_KEY)} is of another version of vcn-ray; run the same `vcn-ray run` command again"
        ) from None
    if not work.exists(EMBEDDINGS_KEY):
        return None
    table = work.read_table(EMBEDDINGS_KEY)
    if not table.num_rows:
        return None
    return _TitleEmbeddings(
        options.model_copy(update={"models": stored_in(options.models, out)}),
        table["face_id"][0].as_py(),
        table["track_id"].to_numpy(),
        pc.list_flatten(table["embedding"]).to_numpy().reshape(table.num_rows, -1),
    )
