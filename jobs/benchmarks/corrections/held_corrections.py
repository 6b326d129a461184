"""Which corrections hold in a season, read off its people; other than `corrections.applying`, track by track."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.benchmarks.corrections.truth_teller import TruthTeller
from vcn_ray.corrections.applying import apply_corrections
from vcn_ray.corrections.correction import Correction, Kind, TrackAnchor
from vcn_ray.review.stored_season import StoredSeason


@dataclass(frozen=True)
class Held:
    """What became of a correction."""

    correction: Correction
    gone: int  # anchors at which there is no track
    astray: int  # anchors at which another identity is found than was meant
    by_itself: bool | None  # what was clustered says so already; None: it says nothing of names
    holds: bool  # with corrections applied
    problem: str | None  # what applying says of it


def meant_by(season: StoredSeason, truth: TruthTeller, corrections: Sequence[Correction]) -> dict[object, str | None]:
    """Whom the tracks of corrections show, by their anchors' keys, in the season that they were made for."""
    return {anchor.key: truth.of(season.places.rows(anchor)) for anchor in _anchors(corrections)}


def held_corrections(
    season: StoredSeason, truth: TruthTeller, corrections: Sequence[Correction], meant: Mapping[object, str | None]
) -> list[Held]:
    """Of each correction whether it holds.

    Args:
        season: perhaps another run's than the one that the corrections were made for.
        truth: of its tracks.
        corrections: in order.
        meant: see `meant_by`.
    """
    corrected = apply_corrections(season.found, season.places, corrections)
    problems = {problem.correction.id: problem.sentence for problem in corrected.problems}
    names = {member: naming.name for member, naming in corrected.names.items()}
    held = []
    for correction in corrections:
        anchors = _anchors([correction])
        rows = [season.places.rows(anchor) for anchor in anchors]
        shown = [truth.of(found) for found in rows]
        astray = [
            1 for anchor, found, who in zip(anchors, rows, shown, strict=True) if found and who != meant[anchor.key]
        ]
        held.append(
            Held(
                correction,
                gone=sum(not found for found in rows),
                astray=len(astray),
                by_itself=None
                if correction.kind in (Kind.NAME, Kind.UNNAME)
                else _holds(season, correction, season.found.member, {}),
                holds=_holds(season, correction, corrected.member, names),
                problem=problems.get(correction.id),
            )
        )
    return held


def found_so(held: Sequence[Held]) -> str:
    """How many of those that clustering can say by itself it does say."""
    said = [one.by_itself for one in held if one.by_itself is not None]
    return f"{sum(said)} of {len(said)}"


def print_failing(held: Sequence[Held]) -> None:
    """A line for each correction that does not hold, or whose tracks are others now."""
    for one in held:
        if one.holds and not one.astray and not one.problem:
            continue
        said, places = one.correction, [*one.correction.tracks, *one.correction.others]
        name = "" if said.name is None else f" {said.name!r}"
        print(
            f"  {said.kind}{name} {said.id} ({places[0].file} at {places[0].time_s:.1f} s): "
            f"{'holds' if one.holds else 'does not hold'}; {one.gone} of {len(places)} tracks gone, {one.astray} show "
            f"somebody else; {one.problem or 'no problem told'}"
        )


def _anchors(corrections: Sequence[Correction]) -> list[TrackAnchor]:
    return [anchor for correction in corrections for anchor in (*correction.tracks, *correction.others)]


def _holds(season: StoredSeason, correction: Correction, member: np.ndarray, names: Mapping[int, str]) -> bool:
    """Whether what a correction says is so.

    A side that stands for a person is whom most of its tracks are given to; tracks that are meant one by one are looked
    at one by one.
    """
    tracks, others = (
        [row for anchor in side for row in season.places.rows(anchor)]
        for side in (correction.tracks, correction.others)
    )
    if not tracks or (correction.others and not others):
        return False
    own, person, other = member[tracks], _person(member[tracks]), _person(member[others])
    match correction.kind:
        case Kind.MERGE:
            return person >= 0 and person == other
        case Kind.MOVE:
            return other >= 0 and bool((own == other).all())
        case Kind.SPLIT:
            return len(set(own[own >= 0].tolist())) < 2 and (other < 0 or bool((own != other).all()))
        case Kind.DIFFERENT:
            return other < 0 or bool((own != other).all())
        case Kind.NOT_A_FACE | Kind.NOBODY | Kind.FORGET:
            return bool((own < 0).all())
        case Kind.NAME:
            return person >= 0 and names.get(person) == correction.name
        case Kind.UNNAME:
            return person not in names
        case _:
            return True


def _person(members: np.ndarray) -> int:
    """Whom most of these tracks are given to; -1 where all are Unknown."""
    counts = Counter(label for label in members.tolist() if label >= 0)
    return counts.most_common(1)[0][0] if counts else -1
