"""What the season and people's corrections change, brought into its titles' tables; others stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vcn_ray.cluster.characters import TrackLabels, title_tables
from vcn_ray.cluster.linkage import relabel
from vcn_ray.corrections.applying import Corrected, Naming, Problem, apply_corrections
from vcn_ray.corrections.correction import Correction
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.corrections.links import SaidOfTracks, said_of_tracks
from vcn_ray.export.tables import write_tables
from vcn_ray.pipeline.layout import CORRECTED_KEY
from vcn_ray.pipeline.outputs.cast import CastFound, CharacterKey, People, SaidOfCast
from vcn_ray.pipeline.outputs.found import FinishedTitle, each, found_tracks, read_found, track_places
from vcn_ray.pipeline.outputs.reassigned import reassigned_digest
from vcn_ray.pipeline.outputs.title_outputs import FACTS_KEY, show_title
from vcn_ray.pipeline.split_tables import read_tracks
from vcn_ray.storage.store import digest


@dataclass(frozen=True)
class CorrectedTitles:
    """The titles of a season with corrections in their tables."""

    people: People
    written: list[str]  # titles whose tables were written anew
    problems: list[Problem]


def said_of_cast(titles: Sequence[FinishedTitle], corrections: Sequence[Correction]) -> SaidOfCast:
    """What people's corrections say of the characters that were found, for matching them.

    Args:
        titles: in the season's order.
        corrections: of the season.
    """
    if not corrections:
        return SaidOfCast()
    found = found_tracks(titles, None)
    places = track_places(titles, found, _videos_of(corrections))
    said = said_of_tracks(len(found), places, found.seen_with, corrections)

    groups = {
        number: _characters_of(found, said, np.flatnonzero(said.together == number))
        for number in range(int(said.together.max(initial=-1)) + 1)
    }

    def meant(who: int) -> list[CharacterKey]:
        return groups[who] if who >= 0 else _characters_of(found, said, np.array([-1 - who]))

    # A track of no group goes by its row, negative: what is said of many tracks of two groups is said once.
    number = said.together[said.apart]
    who = np.unique(np.sort(np.where(number >= 0, number, -1 - said.apart), axis=1), axis=0)
    apart = {pair for one, other in who.tolist() for pair in _two_people(meant(one), meant(other))}
    return SaidOfCast([group for group in groups.values() if len(group) > 1], sorted(apart))


def _two_people(one: Sequence[CharacterKey], other: Sequence[CharacterKey]) -> list[tuple[CharacterKey, CharacterKey]]:
    """Pairs of characters that keep two people apart whose characters start as one each.

    One pair does that: a pair for all of both would be millions where hundreds have a name. A character that both are
    said to be is neither's.
    """
    shared = set(one) & set(other)
    sides = [[key for key in side if key not in shared] for side in (one, other)]
    pairs = [(sides[0][0], sides[1][0])] if all(sides) else []
    pairs += [(key, another) for key in shared for another in (*one, *other) if another != key]
    return [(min(pair), max(pair)) for pair in pairs]


def _characters_of(found: FoundTracks, said: SaidOfTracks, rows: np.ndarray) -> list[CharacterKey]:
    """The characters as found that tracks of one person stand for, sorted.

    A track that was moved here, or split off, stands for the character that it was found in only where most of that
    one's tracks were.
    """
    rows = rows[found.cluster[rows] >= 0]
    keys = []
    for title, cluster in np.unique(np.stack([found.title[rows], found.cluster[rows]], axis=1), axis=0).tolist():
        own = rows[(found.title[rows] == title) & (found.cluster[rows] == cluster)]
        tracks = int((found.cluster[found.rows_of_title(title)] == cluster).sum())
        if not said.one_by_one[own].all() or 2 * len(own) > tracks:
            keys.append((found.titles[title], cluster))
    return sorted(keys)


def correct_titles(
    titles: Sequence[FinishedTitle], cast: CastFound, corrections: Sequence[Correction]
) -> CorrectedTitles:
    """Write the tables and pages of titles that the season or corrections change, or changed before and do no longer.

    Args:
        titles: in the season's order.
        cast: as found.
        corrections: of the season, in order.
    """
    stored, reassigned = each(_stored_digest, titles), each(reassigned_digest, titles)
    if not corrections and all(one is None for one in (*stored, *reassigned)):
        return CorrectedTitles(People(cast.member_of), [], [])
    found = found_tracks(titles, cast.characters)
    corrected = apply_corrections(found, track_places(titles, found, _videos_of(corrections)), corrections)
    written = []
    person_of: dict[tuple[str, int], int] = {}
    for number, (title, before, in_season) in enumerate(zip(titles, stored, reassigned, strict=True)):
        own = found.rows_of_title(number)
        wanted = _digest(found, corrected, own)
        if in_season is not None:
            wanted = digest(in_season, wanted)
        if before != wanted:
            # No digest vouches for the tables while they are written.
            title.work.write_json(CORRECTED_KEY, {"digest": ""})
            _write_title(title, found, corrected, own)
            if wanted is None:
                title.work.delete(CORRECTED_KEY)
            else:
                title.work.write_json(CORRECTED_KEY, {"digest": wanted})
            written.append(title.id)
        tracks = title.results.read_table("tracks.parquet", ["track_id", "cluster_id"]).sort_by("track_id")
        for cluster, member in zip(tracks["cluster_id"].to_pylist(), corrected.member[own].tolist(), strict=True):
            if cluster is not None:
                person_of[title.id, cluster] = member
    return CorrectedTitles(People(person_of, corrected.names, corrected.numbers), written, corrected.problems)


def _videos_of(corrections: Sequence[Correction]) -> set[str]:
    """Fingerprints of the videos that corrections speak of."""
    return {anchor.video for correction in corrections for anchor in (*correction.tracks, *correction.others)}


def _stored_digest(title: FinishedTitle) -> str | None:
    """Of what a title's tables hold beyond what it found by itself; None: nothing; '': writing it was not finished."""
    return title.work.read_json(CORRECTED_KEY)["digest"] if title.work.exists(CORRECTED_KEY) else None


def _digest(found: FoundTracks, corrected: Corrected, own: slice) -> str | None:
    """Of all that corrections make of a title's tables; None where that is nothing."""
    rows = range(own.start, own.stop)
    said = [
        (row - own.start, corrected.said_by[row], corrected.reason.get(row)) for row in rows if row in corrected.said_by
    ]
    names = sorted(
        (int(np.flatnonzero(corrected.member[own] == member)[0]), naming.name, naming.confidence)
        for member, naming in corrected.names.items()
        if (corrected.member[own] == member).any()
    )
    labels, before = relabel(corrected.character[own]), relabel(found.cluster[own])
    if not said and not names and np.array_equal(labels, before):
        return None
    return digest(labels.tolist(), said, names)


def _write_title(title: FinishedTitle, found: FoundTracks, corrected: Corrected, own: slice) -> None:
    """Write a title's tables and page with corrections."""
    table = read_found(title)
    stage1 = read_tracks(title.work)
    facts = title.work.read_json(FACTS_KEY)
    rows = list(range(own.start, own.stop))
    character = corrected.character[own]
    as_found = {
        row: (reason, sure)
        for row, reason, sure in zip(rows, *map(_list, (table["reason"], table["confidence"])), strict=True)
    }

    def of_row(column: str) -> list[tuple[int, float | None]]:
        return list(zip(rows, _list(table[column]), strict=True))

    by_people = [member for member, naming in corrected.names.items() if naming.confidence is None]
    named = set((own.start + np.flatnonzero(np.isin(corrected.member[own], by_people))).tolist())
    labels = TrackLabels(
        found.track_id[own],
        character,
        table["quality"].cast(pa.float64()).fill_null(np.nan).to_numpy(),
        [corrected.reason.get(row) or as_found[row][0] for row in rows],
        [
            None if label < 0 else 1.0 if row in corrected.said_by else as_found[row][1]
            for row, label in zip(rows, character.tolist(), strict=True)
        ],
        [1.0 if row in corrected.said_by else known for row, known in of_row("one_person")],
        [1.0 if row in corrected.said_by or row in named else known for row, known in of_row("is_person")],
    )
    frame_s = {video["name"]: 1 / video["fps"] for video in facts["videos"]}
    tables = title_tables(title.id, stage1.faces, stage1.tracks, stage1.crops, frame_s, labels, stage1.split_from)
    row_of = dict(zip(found.track_id[own].tolist(), rows, strict=True))
    member_of = {
        cluster: int(corrected.member[row_of[track]])
        for track, cluster in zip(*map(_list, (tables.tracks["track_id"], tables.tracks["cluster_id"])), strict=True)
        if cluster is not None
    }
    names = {cluster: corrected.names[member] for cluster, member in member_of.items() if member in corrected.names}
    by = [corrected.said_by.get(row_of[track]) for track in _list(tables.tracks["track_id"])]
    write_tables(
        title.results,
        {
            "faces": _with_names(tables.faces, names),
            "tracks": _with(_with_names(tables.tracks, names), "corrected_by", by),
            "clusters": _with(
                _with_names(tables.clusters, names),
                "name_confidence",
                [names[c].confidence if c in names else None for c in _list(tables.clusters["cluster_id"])],
            ),
        },
    )
    show_title(title.results, title.work)


def _list(column: pa.ChunkedArray) -> list:
    return column.to_pylist()


def _with_names(table: pa.Table, names: dict[int, Naming]) -> pa.Table:
    """A table with the names of its clusters."""
    cluster = table["cluster_id"].fill_null(-1).to_numpy()
    known = np.full(max([*names, -1]) + 2, None, dtype=object)
    for number, naming in names.items():
        known[number] = naming.name
    return _with(table, "character", known[np.where(cluster < len(known) - 1, cluster, -1)])


def _with(table: pa.Table, column: str, values: Sequence[object] | np.ndarray) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
