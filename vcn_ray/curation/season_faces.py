"""The tracks of a finished season with what the base networks make of them: what names and searches work on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from vcn_ray.cluster.cast_matching import TitleCharacters, season_similarities
from vcn_ray.cluster.evidence import Evidence, guess_calibration
from vcn_ray.cluster.similarity import track_means
from vcn_ray.config import Options
from vcn_ray.errors import InputError, OutputError
from vcn_ray.models.catalogue import known_calibration
from vcn_ray.models.user_network import stored_in
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY
from vcn_ray.pipeline.title_outputs import FACTS_KEY
from vcn_ray.pipeline.track_splits import read_cannot_link
from vcn_ray.schemas import EMBEDDINGS
from vcn_ray.storage.store import Store

_READS_AT_ONCE = 8


@dataclass(frozen=True)
class NetworkTracks:
    """The tracks of titles that were made with one face-ID network: one space."""

    face_id: str  # SHA-256 of the network
    options: Options  # of the first of these titles
    row: np.ndarray  # (n,) int64 rows of the season's tracks, those that have an embedding
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
    """A finished season as delivered; rows are of its tracks table."""

    out: Store
    folders: dict[str, str]  # of each finished title below titles/, by id, in order
    tracks: pa.Table  # schemas.SEASON_TRACKS, as far as the run wrote its columns
    networks: tuple[NetworkTracks, ...]
    together: np.ndarray  # (pairs, 2) int64 rows of tracks that are seen at one time: two people

    @cached_property
    def member(self) -> np.ndarray:
        """(tracks,) int64: `cast_id` of each track, -1 where Unknown."""
        return pc.fill_null(self.tracks["cast_id"], -1).to_numpy()

    def evidence(self, network: NetworkTracks) -> Evidence:
        """What similarities by a network are worth: its calibration, or where nobody knows one, a guess from these.

        The guess needs tracks most pairs of which are strangers (`cluster.evidence.guess_calibration`).
        """
        known = network.options.cluster.calibration or known_calibration(network.face_id)
        if known is None:
            n = len(network.row)
            at = np.full(self.tracks.num_rows, -1, np.int64)
            at[network.row] = np.arange(n)
            pairs = at[self.together]
            all_tracks = TitleCharacters(
                "", np.arange(n), np.zeros(n, np.int64), network.embedding, pairs[(pairs >= 0).all(axis=1)]
            )
            values, counts, _ = season_similarities([all_tracks])
            known = guess_calibration(values, counts)
        return Evidence(known)


def read_season_faces(out: Store) -> SeasonFaces:
    """Read a finished season.

    Raises:
        InputError: no finished run is there.
        OutputError: what is stored is damaged, or of an older version than can be read.
    """
    if not out.exists("season.json"):
        raise InputError(
            f"{out.url}: no finished run is there (season.json is missing); give the folder named by --out"
        )
    try:
        folders = {t["id"]: t["slug"] for t in out.read_json("season.json")["titles"] if t["error"] is None}
    except (KeyError, TypeError):
        raise OutputError(f"{out.where('season.json')} is not what a run wrote; run again to write it anew") from None
    if not folders:
        raise InputError(f"{out.url}: all titles of this run failed, so nobody is there to be named or found")
    tracks = out.read_table("tracks.parquet")
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:  # in an object store each read takes a while
        read = list(pool.map(lambda slug: _read_title(out, slug), folders.values()))
    keys = zip(tracks["title"].to_pylist(), tracks["track_id"].to_pylist(), strict=True)
    row_of = {key: row for row, key in enumerate(keys)}
    together: list[tuple[int, int]] = []
    by_network: dict[str, list[tuple[_TitleRead, np.ndarray]]] = {}
    for title, one in zip(folders, read, strict=True):
        pairs = ((row_of.get((title, a), -1), row_of.get((title, b), -1)) for a, b in one.together)
        together += [pair for pair in pairs if min(pair) >= 0]
        if one.face_id is not None:
            row = np.array([row_of.get((title, track), -1) for track in one.track_id], np.int64)
            by_network.setdefault(one.face_id, []).append((one, row))
    networks = []
    for face_id, titles in by_network.items():
        row = np.concatenate([row for _, row in titles])
        vectors = np.concatenate([one.embedding for one, _ in titles])
        networks.append(NetworkTracks(face_id, titles[0][0].options, row[row >= 0], vectors[row >= 0]))
    return SeasonFaces(out, folders, tracks, tuple(networks), np.array(together, np.int64).reshape(-1, 2))


@dataclass(frozen=True)
class _TitleRead:
    options: Options
    face_id: str | None  # None: no track has an embedding
    track_id: list[int]
    embedding: np.ndarray
    together: list[tuple[int, int]]  # track_ids


def _read_title(out: Store, slug: str) -> _TitleRead:
    work = out.child("titles", slug, "work")
    try:
        options = Options.model_validate(work.read_json(FACTS_KEY)["options"])
    except (KeyError, ValidationError):
        raise OutputError(
            f"{work.where(FACTS_KEY)} is of another version of vcn-ray; run the same command again to write it anew"
        ) from None
    options = options.model_copy(update={"models": stored_in(options.models, out)})
    table = work.read_table(EMBEDDINGS_KEY) if work.exists(EMBEDDINGS_KEY) else EMBEDDINGS.empty_table()
    if not table.num_rows:
        return _TitleRead(options, None, [], np.empty((0, 1), np.float32), [])
    pairs = read_cannot_link(work)
    return _TitleRead(
        options,
        table["face_id"][0].as_py(),
        table["track_id"].to_pylist(),
        np.array(table["embedding"].to_pylist(), np.float32),
        list(zip(pairs["track_a"].to_pylist(), pairs["track_b"].to_pylist(), strict=True)),
    )
