"""A season's cast named by a gallery: the names become corrections, and so reach tables, pages and exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.applying import Corrected, apply_corrections
from vcn_ray.corrections.correction import Correction, Kind, make_correction
from vcn_ray.corrections.correction_file import edit_corrections, read_corrections
from vcn_ray.curation.applying import Applied, apply_to_season
from vcn_ray.curation.galleries import KnownPeople, Person, known_people
from vcn_ray.curation.season_faces import SeasonFaces, groups_together, read_season_faces
from vcn_ray.errors import InputError
from vcn_ray.export.tables import to_csv
from vcn_ray.identify.naming import Posterior, Verdict, decide, log_ratios, posterior
from vcn_ray.models.loading import INSTALLED, FaceModels
from vcn_ray.pipeline.outputs.found import each, read_found, track_places
from vcn_ray.schemas import NAMES
from vcn_ray.storage.store import Store

#: Tracks of each title by which a correction knows a member: one that is gone after a re-run does not take it along.
_ANCHORS_PER_TITLE = 3


@dataclass(frozen=True)
class SeasonNames:
    """How a gallery named a season."""

    names: pa.Table  # schemas.NAMES, by cast_id and rank
    people: int  # of the gallery
    share: float  # of the cast that is in the gallery, as it was found
    problems: tuple[str, ...]  # a sentence on each picture that could not be used
    applied: Applied  # what bringing the names into the tables came to

    @property
    def named(self) -> pa.Table:
        """The rows of those that got a name or number."""
        return self.names.filter(self.names["given"])


def name_season(
    out: Store,
    gallery: str,
    *,
    least: float = 0.5,
    models: FaceModels = INSTALLED,
    say: Callable[[str], None] = lambda sentence: None,
) -> SeasonNames:
    """Name the cast of a finished season by a gallery, and write it into the season's tables and pages.

    Names that a gallery gave before are replaced; what a person said stays, and goes before. ``names.parquet`` and
    ``names.csv`` in the season's folder tell the probabilities of each member's alternatives.

    Args:
        out: the season's folder.
        gallery: folder or URL of pictures (Name/picture.jpg or Name.jpg), or of another season's results.
        least: a name is given where its probability is above this, 0.5 to 1.
        models: what the options' names of face models stand for.
        say: told why it waits.

    Raises:
        InputError: no finished season, or nothing in the gallery can be used for it.
        ModelError: none of the season's face models is installed.
        OutputError: a run is writing there, or it cannot be written.
    """
    if not 0.5 <= least < 1:
        raise InputError(f"--least {least:g}: give a probability from 0.5 (more probable than not) to below 1")
    season = read_season_faces(out)
    known = known_people(gallery, season, models)
    places = track_places(season.titles, season.found)
    said = [correction for correction in read_corrections(out) if correction.is_said_by_a_person]
    corrected = apply_corrections(season.found, places, said)
    members = np.unique(corrected.member[corrected.member >= 0])
    group = np.where(corrected.member >= 0, np.searchsorted(members, corrected.member), -1)
    fixed = {int(np.searchsorted(members, m)): naming.name for m, naming in corrected.names.items() if m in members}
    found = weigh(season, known, group, len(members), fixed)
    together = groups_together(group, season.found.together)
    verdicts = decide(found.probability, together, least)
    anchors = _anchor_rows(season, places, group, len(members))
    new = _corrections(verdicts, known.people, anchors, places, set(fixed), f"gallery {Store(gallery).name}")
    edit_corrections(out, lambda present: _replaced(present, new))
    applied = apply_to_season(out, say)
    names = _table(out, season, verdicts, known.people, anchors, corrected)
    out.write_table("names.parquet", names, NAMES)
    out.write_bytes("names.csv", to_csv(names))
    return SeasonNames(names, len(known.people), found.share, known.problems, applied)


def weigh(season: SeasonFaces, known: KnownPeople, group: np.ndarray, members: int, fixed: dict[int, str]) -> Posterior:
    """How probable it is that each member is each of the people, or nobody of them.

    Args:
        season: what is known of the tracks.
        known: the people.
        group: (tracks,) int64 member of each track, 0..; -1: none.
        members: how many there are.
        fixed: names of members that people gave.
    """
    ratio = np.zeros((members, len(known.people)))
    for network in season.networks:
        references = known.by_network.get(network.face_id)
        if references is not None:
            mean, tracks = network.means(group, members)
            ratio += log_ratios(mean, tracks, references, season.evidence(network))
    for member, name in fixed.items():
        ratio[member] = [np.inf if person.name == name else -np.inf for person in known.people]
    return posterior(ratio, groups_together(group, season.found.together))


def _anchor_rows(season: SeasonFaces, places: TrackPlaces, group: np.ndarray, members: int) -> list[list[int]]:
    """Of each member the rows of its surest long tracks, some of each title."""
    tables = each(read_found, season.titles)
    sure = [np.empty(0), *(table["confidence"].cast(pa.float64()).fill_null(1.0).to_numpy() for table in tables)]
    confidence = np.concatenate(sure)
    length = np.array([len(places.faces(row)[0]) for row in range(len(season.found))])
    worth = confidence * length
    chosen: list[list[int]] = [[] for _ in range(members)]
    taken: dict[tuple[int, int], int] = {}
    for row in np.lexsort((np.arange(len(worth)), -worth)).tolist():
        key = int(group[row]), int(season.found.title[row])
        if key[0] >= 0 and length[row] and taken.get(key, 0) < _ANCHORS_PER_TITLE:
            taken[key] = taken.get(key, 0) + 1
            chosen[key[0]].append(row)
    return chosen


def _corrections(
    verdicts: Sequence[Verdict],
    people: Sequence[Person],
    anchors: Sequence[list[int]],
    places: TrackPlaces,
    named_by_people: set[int],
    by: str,
) -> list[Correction]:
    """What the verdicts say, the surest first."""
    new = []
    for member in sorted(range(len(verdicts)), key=lambda m: (-verdicts[m].confidence, m)):
        verdict = verdicts[member]
        if verdict.reference is None or not anchors[member]:
            continue
        person = people[verdict.reference]
        tracks = [places.anchor(row) for row in anchors[member]]
        confidence = round(verdict.confidence, 6)
        if person.name is not None and member not in named_by_people:
            new.append(make_correction(Kind.NAME, tracks, by=by, name=person.name, confidence=confidence))
        if person.number is not None:
            new.append(make_correction(Kind.NUMBER, tracks, by=by, number=person.number, confidence=confidence))
    return new


def _replaced(present: Sequence[Correction], new: Sequence[Correction]) -> list[Correction]:
    """The corrections with a gallery's new ones in the place of those that galleries gave before.

    One that says the same again stays as it is, so that the file does not change for nothing.
    """
    before = {_content(one): one for one in present if not one.is_said_by_a_person}
    people = [one for one in present if one.is_said_by_a_person]
    return [*people, *(before.get(_content(one), one) for one in new)]


def _content(correction: Correction) -> Correction:
    return replace(correction, id="", at="")


def _table(
    out: Store,
    season: SeasonFaces,
    verdicts: Sequence[Verdict],
    people: Sequence[Person],
    anchors: Sequence[list[int]],
    corrected: Corrected,
) -> pa.Table:
    """As `schemas.NAMES`, by the numbers that the cast has now; members that became one by a name are one."""
    tracks = out.read_table("tracks.parquet", ["title", "track_id", "cast_id"])
    keys = zip(tracks["title"].to_pylist(), tracks["track_id"].to_pylist(), strict=True)
    cast_of = dict(zip(keys, tracks["cast_id"].to_pylist(), strict=True))
    cast = out.read_table("cast.parquet", ["cast_id", "character"])
    called = dict(zip(cast["cast_id"].to_pylist(), cast["character"].to_pylist(), strict=True))
    rows: dict[int, list[dict[str, Any]]] = {}
    sizes = np.bincount(np.unique(corrected.member[corrected.member >= 0], return_inverse=True)[1])
    for member in np.argsort(-sizes, kind="stable").tolist():
        if not anchors[member]:
            continue
        row = anchors[member][0]
        cast_id = cast_of[season.found.titles[season.found.title[row]], int(season.found.track_id[row])]
        if cast_id is None or cast_id in rows:
            continue
        verdict = verdicts[member]
        ranked = sorted([(verdict.reference, verdict.confidence), *verdict.alternatives], key=lambda one: -one[1])
        rows[cast_id] = [
            {
                "cast_id": cast_id,
                "character": called.get(cast_id),
                "rank": rank,
                "name": None if reference is None else people[reference].name,
                "gallery_cast_id": None if reference is None else people[reference].number,
                "probability": probability,
                "given": reference is not None
                and reference == verdict.reference
                and people[reference].name in (None, called.get(cast_id)),
            }
            for rank, (reference, probability) in enumerate(ranked, 1)
        ]
    return pa.Table.from_pylist([row for cast_id in sorted(rows) for row in rows[cast_id]], NAMES)
