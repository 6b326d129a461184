"""The cast of a season: characters of its titles that are one person, found, and delivered with names."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log
from typing import Any

import numpy as np
import pyarrow as pa

from vcn_ray.cluster.cast.cast_matching import match_cast
from vcn_ray.cluster.cast.reassignment import Reassigned, reassign_tracks
from vcn_ray.cluster.cast.season_tracks import TitleCharacters
from vcn_ray.config import ClusterOptions
from vcn_ray.corrections.applying import Naming
from vcn_ray.errors import InputError
from vcn_ray.export.tables import to_csv
from vcn_ray.models.catalogue import known_calibration
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY, REASSIGNED_KEY, RESULTS
from vcn_ray.pipeline.outputs.found import CAST_FOUND_KEY, FinishedTitle, each, read_found
from vcn_ray.pipeline.outputs.reassigned import put_reassigned
from vcn_ray.pipeline.split_tables import read_cannot_link
from vcn_ray.schemas import CAST, CAST_CHARACTERS, CAST_FOUND
from vcn_ray.storage.store import Store, digest

#: Raise it when the same titles give another cast: a stored one is then redone.
_VERSION = 4

_STEP = "work/cast"
_CHARACTERS_KEY = "cast_characters.parquet"

CharacterKey = tuple[str, int]  # title, cluster_id


@dataclass(frozen=True)
class SaidOfCast:
    """What people said of the characters that were found."""

    same: Sequence[Sequence[CharacterKey]] = ()  # groups of characters that are one person each
    apart: Sequence[tuple[CharacterKey, CharacterKey]] = ()  # two people


@dataclass(frozen=True)
class CastFound:
    """Which characters were found to be one person, before corrections."""

    characters: pa.Table  # schemas.CAST_FOUND
    networks: int  # face-ID networks that the titles were made with

    @cached_property
    def member_of(self) -> dict[CharacterKey, int]:
        """The member that each character is."""
        title, cluster, member = (self.characters[name].to_pylist() for name in CAST_FOUND.names)
        return dict(zip(zip(title, cluster, strict=True), member, strict=True))


@dataclass(frozen=True)
class People:
    """Who the delivered characters are: a number for a person, the same for all characters of one."""

    person_of: Mapping[CharacterKey, int]
    names: Mapping[int, Naming] = field(default_factory=dict)
    numbers: Mapping[int, int] = field(default_factory=dict)  # cast_id, as in an earlier season


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


def find_cast(
    out: Store, titles: Sequence[FinishedTitle], options: ClusterOptions, said: SaidOfCast | None = None
) -> CastFound:
    """Match the characters that were found in a season's finished titles, and store it.

    Tracks that the season then shows to be somebody else move (`cluster.cast.reassignment`); what each title found is
    kept beside it. Nothing is matched again while the titles and their results are the same. Titles of different
    face-ID networks share no space: their characters stay apart.

    Args:
        out: the season's store.
        titles: in the season's order.
        options: of the season: calibration and cost of a wrong merge.
        said: what people said of these characters.
    """
    said = said or SaidOfCast()
    own, cost = options.calibration, options.false_merge_cost
    inputs = digest(
        _VERSION,
        [title.id for title in titles],
        each(_results_digest, titles),
        own.model_dump() if own else None,
        cost,
        *([said.same, said.apart] if said.same or said.apart else []),
    )
    done = out.done_info(_STEP, inputs)
    if done is not None and all(title.work.exists(REASSIGNED_KEY) for title in titles if title.id in done["moved"]):
        return CastFound(out.read_table(CAST_FOUND_KEY), done["networks"])
    read = each(_read_title, titles)
    by_network: dict[str, list[_TitleRead]] = defaultdict(list)
    for one in read:
        if one.characters is not None:
            by_network[one.network].append(one)
    now: dict[str, Reassigned] = {}  # by title
    for network in sorted(by_network):
        group, calibration, least = by_network[network], own or known_calibration(network), log(cost)
        characters = [one.characters for one in group if one.characters is not None]
        cast = match_cast(characters, calibration, least_log_odds=least, same=said.same, apart=said.apart)
        of_titles = reassign_tracks(
            characters, [one.confidence for one in group], cast, calibration, least, said.same, said.apart
        )
        now |= {one.title: of_title for one, of_title in zip(characters, of_titles, strict=True)}
    out.begin(_STEP)
    keys: list[tuple[str, int, str, int]] = []
    for title, one in zip(titles, read, strict=True):
        if one.characters is None:
            title.work.delete(REASSIGNED_KEY)
            continue
        member_of = put_reassigned(title, one.found, one.rows, now[title.id])
        keys += [(title.id, cluster, one.network, member_of[cluster]) for cluster in sorted(member_of)]
    number: dict[tuple[str, int], int] = {}
    rows = [
        {"title": title, "cluster_id": cluster, "member": number.setdefault((network, member), len(number))}
        for title, cluster, network, member in keys
    ]
    found = CastFound(pa.Table.from_pylist(rows, CAST_FOUND), len(by_network))
    out.write_table(CAST_FOUND_KEY, found.characters, CAST_FOUND)
    moved = sorted(title for title, of_title in now.items() if of_title.moved.any())
    out.mark_done(_STEP, inputs, networks=found.networks, moved=moved)
    return found


def stored_cast(out: Store) -> CastFound:
    """What `find_cast` stored last; `InputError` where it has not."""
    if not out.exists(CAST_FOUND_KEY):
        raise InputError(
            f"{out.url} holds no finished season of this version; run the same `vcn-ray run` command again"
        )
    return CastFound(out.read_table(CAST_FOUND_KEY), out.read_json(f"{_STEP}.done.json")["networks"])


def cast_version(out: Store) -> str:
    """Of what `find_cast` stored last: another one where titles, their results or what is said of them are others."""
    key = f"{_STEP}.done.json"
    return out.read_json(key)["digest"] if out.exists(key) else ""


def deliver_cast(out: Store, titles: Sequence[FinishedTitle], people: People, networks: int) -> SeasonCast:
    """Number the season's cast and write its tables.

    Args:
        out: the season's store.
        titles: in the season's order; their ``clusters`` are delivered.
        people: who each of these characters is.
        networks: as `CastFound` has it.
    """
    tables = each(lambda title: title.results.read_table("clusters.parquet"), titles)
    rows = [row for table in tables for row in table.to_pylist()]
    made = _number(rows, people, networks)
    out.delete("cast.done.json")  # an earlier version's
    out.write_table("cast.parquet", made.members, CAST)
    out.write_bytes("cast.csv", to_csv(made.members))
    out.write_table(_CHARACTERS_KEY, made.characters, CAST_CHARACTERS)
    return made


@dataclass(frozen=True)
class _TitleRead:
    found: pa.Table  # its tracks as it found them by itself
    rows: np.ndarray  # of these, the ones that are in a character
    characters: TitleCharacters | None = None  # None where it has none
    confidence: np.ndarray = field(default_factory=lambda: np.empty(0))  # of each of the rows, NaN where not known
    network: str = ""


def _results_digest(title: FinishedTitle) -> str:
    """What the title's results depend on."""
    return title.work.read_json(f"{RESULTS}.done.json")["digest"]


def _read_title(title: FinishedTitle) -> _TitleRead:
    """What matching needs of a title."""
    found = read_found(title, by_itself=True)
    rows = np.flatnonzero(found["cluster_id"].is_valid().to_numpy())
    tracks = found.take(rows)
    if not len(rows):
        return _TitleRead(found, rows)
    track_id = tracks["track_id"].to_numpy()
    embeddings = title.work.read_table(EMBEDDINGS_KEY)
    embeddings = embeddings.take(np.searchsorted(embeddings["track_id"].to_numpy(), track_id))
    pairs = read_cannot_link(title.work)
    characters = TitleCharacters(
        title=title.id,
        track_id=track_id,
        cluster_id=tracks["cluster_id"].to_numpy(),
        embedding=np.array(embeddings["embedding"].to_pylist(), np.float32),
        cannot_link=np.stack([pairs["track_a"].to_numpy(), pairs["track_b"].to_numpy()], axis=1),
        clarity=None if embeddings["clarity"].null_count else embeddings["clarity"].to_numpy(),
    )
    confidence = tracks["confidence"].cast(pa.float64()).fill_null(np.nan).to_numpy()
    return _TitleRead(found, rows, characters, confidence, embeddings["face_id"][0].as_py())


def _number(rows: list[dict[str, Any]], people: People, networks: int) -> SeasonCast:
    """The cast from the titles' characters (rows of their clusters tables, in order) and who each of them is.

    Members come by screen time, longest first; ties by the title's id and the cluster's number. That is their number,
    too, but for those that have one from an earlier season: then others are numbered after the highest of these. Two
    characters that are one never share a frame, so their screen times add up.
    """
    persons = [people.person_of[row["title"], row["cluster_id"]] for row in rows]
    of_person: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row, person in zip(rows, persons, strict=True):
        of_person[person].append(row)

    def rank(own: list[dict[str, Any]]) -> tuple[float, str, int]:
        # Rounded, so that the order in which times are added up does not decide which of two equal ones is longer.
        return (-round(_total(own, "screen_time_s"), 6), *min((row["title"], row["cluster_id"]) for row in own))

    keys = sorted(of_person, key=lambda person: rank(of_person[person]))
    given = {person: number for person, number in people.numbers.items() if person in of_person}
    fresh = itertools.count(max(given.values(), default=-1) + 1)
    number = {person: given[person] if person in given else next(fresh) for person in keys}
    members = []
    for person in keys:
        own, name = of_person[person], people.names.get(person)
        longest = sorted(own, key=lambda row: (-row["screen_time_s"], row["title"], row["cluster_id"]))
        best = next((row for row in longest if row["best_track_id"] is not None), longest[0])
        members.append(
            {
                "cast_id": number[person],
                "character": None if name is None else name.name,
                "name_confidence": None if name is None else name.confidence,
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
        {"title": row["title"], "cluster_id": row["cluster_id"], "cast_id": number[person]}
        for row, person in zip(rows, persons, strict=True)
    ]
    return SeasonCast(pa.Table.from_pylist(members, CAST), pa.Table.from_pylist(characters, CAST_CHARACTERS), networks)


def _total(rows: list[dict[str, Any]], column: str) -> Any:
    """Sum over a member's characters, by title and number: the same bits in any order of the season."""
    return sum(row[column] for row in sorted(rows, key=lambda row: (row["title"], row["cluster_id"])))
