"""The cast of a season: read from its titles' results, matched, written beside the season's tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any

import numpy as np
import pyarrow as pa

from vcn_ray.cluster.cast_matching import TitleCharacters, match_cast
from vcn_ray.config import ClusterOptions
from vcn_ray.export.tables import to_csv
from vcn_ray.models.catalogue import known_calibration
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY, RESULTS
from vcn_ray.pipeline.track_splits import read_cannot_link
from vcn_ray.schemas import CAST, CAST_CHARACTERS
from vcn_ray.storage.store import Store, digest

#: Raise it when the same titles give another cast: a stored one is then redone.
_VERSION = 2

_STEP = "cast"
_CHARACTERS_KEY = "cast_characters.parquet"
_READS_AT_ONCE = 8


@dataclass(frozen=True)
class SeasonCast:
    """The cast of a season."""

    members: pa.Table  # schemas.CAST, by cast_id
    characters: pa.Table  # schemas.CAST_CHARACTERS, by title in the season's order and cluster_id
    networks: int  # face-ID networks that the titles were made with

    @cached_property
    def member_of(self) -> dict[tuple[str, int], int]:
        """The member of the cast that each character is: (title, cluster_id) -> cast_id."""
        title, cluster, cast = (self.characters[name].to_pylist() for name in CAST_CHARACTERS.names)
        return dict(zip(zip(title, cluster, strict=True), cast, strict=True))

    def of_title(self, title: str) -> dict[int, int]:
        """The member of the cast that each of a title's characters is: cluster_id -> cast_id."""
        return {cluster: cast for (name, cluster), cast in self.member_of.items() if name == title}

    @property
    def warnings(self) -> list[str]:
        """What people should know of it."""
        if self.networks < 2:
            return []
        return [
            f"The titles were made with {self.networks} face-ID networks: characters are matched among titles of one "
            "network alone. For one cast, run all titles with the same face models."
        ]


def make_cast(out: Store, titles: Sequence[tuple[str, Store]], options: ClusterOptions | None = None) -> SeasonCast:
    """Match the characters of a season's finished titles; write ``cast`` and ``cast_characters``.

    Nothing is matched again while the titles and their results are the same. Titles of different face-ID networks
    share no space: their characters stay apart.

    Args:
        out: the season's store.
        titles: id and store of each finished title, in the season's order.
        options: of the season: calibration and cost of a wrong merge; None: the defaults.
    """
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:  # in an object store each look takes a while
        digests = list(pool.map(_results_digest, titles))
    given = options or ClusterOptions()
    own = given.calibration
    cost = given.false_merge_cost
    inputs = digest(_VERSION, [title for title, _ in titles], digests, own.model_dump() if own else None, cost)
    done = out.done_info(_STEP, inputs)
    if done is not None:
        return SeasonCast(out.read_table("cast.parquet"), out.read_table(_CHARACTERS_KEY), done["networks"])
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        read = list(pool.map(_read_title, titles))
    rows = [row for one in read for row in one.clusters]
    by_network: dict[str, list[TitleCharacters]] = defaultdict(list)
    for one in read:
        if one.characters is not None:
            by_network[one.network].append(one.characters)
    group: dict[tuple[str, int], tuple[str, int]] = {}
    for network in sorted(by_network):
        cast = match_cast(by_network[network], own or known_calibration(network), least_log_odds=log(cost))
        for title, cluster, member in zip(cast.title, cast.cluster_id.tolist(), cast.member.tolist(), strict=True):
            group[title, cluster] = network, member
    made = _number(rows, [group[row["title"], row["cluster_id"]] for row in rows], len(by_network))
    out.begin(_STEP)
    out.write_table("cast.parquet", made.members, CAST)
    out.write_bytes("cast.csv", to_csv(made.members))
    out.write_table(_CHARACTERS_KEY, made.characters, CAST_CHARACTERS)
    out.mark_done(_STEP, inputs, members=len(made.members), networks=made.networks)
    return made


@dataclass(frozen=True)
class _TitleRead:
    clusters: list[dict[str, Any]]  # rows of its clusters table
    characters: TitleCharacters | None  # None where it has none
    network: str


def _results_digest(title: tuple[str, Store]) -> str:
    """What the title's results depend on."""
    return title[1].child("work").read_json(f"{RESULTS}.done.json")["digest"]


def _read_title(title: tuple[str, Store]) -> _TitleRead:
    """What matching needs of a title."""
    name, store = title
    clusters = store.read_table("clusters.parquet").to_pylist()
    if not clusters:
        return _TitleRead([], None, "")
    tracks = store.read_table("tracks.parquet", ["track_id", "cluster_id"])
    tracks = tracks.filter(tracks["cluster_id"].is_valid())
    track_id = tracks["track_id"].to_numpy()
    work = store.child("work")
    embeddings = work.read_table(EMBEDDINGS_KEY)
    known = embeddings["track_id"].to_numpy()
    vectors = np.array(embeddings["embedding"].to_pylist(), np.float32)
    pairs = read_cannot_link(work)
    characters = TitleCharacters(
        title=name,
        track_id=track_id,
        cluster_id=tracks["cluster_id"].to_numpy(),
        embedding=vectors[np.searchsorted(known, track_id)],
        cannot_link=np.stack([pairs["track_a"].to_numpy(), pairs["track_b"].to_numpy()], axis=1),
    )
    return _TitleRead(clusters, characters, embeddings["face_id"][0].as_py())


def _number(rows: list[dict[str, Any]], group: list[tuple[str, int]], networks: int) -> SeasonCast:
    """The cast from the titles' characters (rows of their clusters tables, in order) and the group of each.

    Members are numbered by screen time, longest first; ties by the title's id and the cluster's number. Two characters
    that are one never share a frame, so their screen times add up.
    """
    of_group: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row, key in zip(rows, group, strict=True):
        of_group[key].append(row)

    def rank(own: list[dict[str, Any]]) -> tuple[float, str, int]:
        # Rounded, so that the order in which times are added up does not decide which of two equal ones is longer.
        return (-round(_total(own, "screen_time_s"), 6), *min((row["title"], row["cluster_id"]) for row in own))

    keys = sorted(of_group, key=lambda key: rank(of_group[key]))
    number = {key: cast_id for cast_id, key in enumerate(keys)}
    members = []
    for key in keys:
        own = of_group[key]
        longest = sorted(own, key=lambda row: (-row["screen_time_s"], row["title"], row["cluster_id"]))
        best = next((row for row in longest if row["best_track_id"] is not None), longest[0])
        members.append(
            {
                "cast_id": number[key],
                "character": next((row["character"] for row in longest if row["character"]), None),
                "titles": len({row["title"] for row in own}),
                "characters": len(own),
                "tracks": _total(own, "tracks"),
                "faces": _total(own, "faces"),
                "screen_time_s": _total(own, "screen_time_s"),
                "first_title": own[0]["title"],
                "best_title": best["title"],
                "best_track_id": best["best_track_id"],
                "best_frame": best["best_frame"],
            }
        )
    characters = [
        {"title": row["title"], "cluster_id": row["cluster_id"], "cast_id": number[key]}
        for row, key in zip(rows, group, strict=True)
    ]
    return SeasonCast(pa.Table.from_pylist(members, CAST), pa.Table.from_pylist(characters, CAST_CHARACTERS), networks)


def _total(rows: list[dict[str, Any]], column: str) -> Any:
    """Sum over a member's characters, by title and number: the same bits in any order of the season."""
    return sum(row[column] for row in sorted(rows, key=lambda row: (row["title"], row["cluster_id"])))
