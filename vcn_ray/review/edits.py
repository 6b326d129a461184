"""What a click on the page means: the corrections that it becomes, and how it is put in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vcn_ray.corrections.correction import OTHERS_KEY, Correction, Kind, TrackAnchor, make_correction
from vcn_ray.corrections.standing import standing_tracks
from vcn_ray.errors import InputError
from vcn_ray.export.render import several
from vcn_ray.review.moment import Moment
from vcn_ray.review.people import Person

#: What the page may say. Numbers come from galleries, and who is forgotten from `vcn-ray forget`.
KINDS = (
    Kind.NAME,
    Kind.UNNAME,
    Kind.MERGE,
    Kind.SPLIT,
    Kind.MOVE,
    Kind.DIFFERENT,
    Kind.NOT_A_FACE,
    Kind.NOBODY,
)
_OF_TRACKS = (Kind.SPLIT, Kind.MOVE, Kind.NOT_A_FACE, Kind.NOBODY)


@dataclass(frozen=True)
class Request:
    """What the page asks for: a kind, and two sides, each of tracks (rows) or of whole people."""

    kind: Kind
    tracks: tuple[int, ...] = ()
    people: tuple[Person, ...] = ()
    others: tuple[int, ...] = ()
    other_people: tuple[Person, ...] = ()
    name: str | None = None


@dataclass(frozen=True)
class Edit:
    """One step of undo."""

    corrections: tuple[Correction, ...]
    said: str  # "Anna and Cast 4 are one person"
    noun: str  # "merge of Anna and Cast 4"
    ids: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", frozenset(correction.id for correction in self.corrections))


def edit_of(moment: Moment, request: Request, by: str) -> Edit:
    """The corrections of a request. `InputError` where it says nothing, or what cannot be."""
    kind = request.kind
    if kind is Kind.MERGE:
        return _merge(moment, request, by)
    rows = list(request.tracks)
    for person in request.people:
        rows += person.rows.tolist() if kind in _OF_TRACKS else _stand_ins(moment, person)
    rows = list(dict.fromkeys(rows))
    others = list(request.others)
    for person in request.other_people:
        others += _stand_ins(moment, person, rows)
    if kind is Kind.SPLIT and not others:
        others = _rest(moment, rows)
        if not others and rows:
            return _new_person(moment, rows, by)
    if kind is not Kind.MOVE:
        others = [row for row in others if row not in set(rows)]
    if kind in OTHERS_KEY and not others:
        raise InputError("Nobody else is left on the other side: choose some of the tracks, not all.")
    correction = make_correction(
        kind,
        _anchors(moment, rows),
        _anchors(moment, others) if kind in OTHERS_KEY else (),
        by=by,
        name=request.name if kind is Kind.NAME else None,
    )
    return Edit((correction,), *_words(moment, kind, request, rows, others, correction.name))


def _merge(moment: Moment, request: Request, by: str) -> Edit:
    """Of several people: each with the first, who is the one that has a name, or is seen longest."""
    sides: list[list[int]] = []
    labels: list[str] = []
    people = list(dict.fromkeys([*request.people, *request.other_people]))
    people.sort(key=lambda person: (person.naming is None, -person.seconds, person.member))
    for person in people:
        sides.append(_stand_ins(moment, person))
        labels.append(person.label)
    for rows in (request.tracks, request.others):
        if rows:
            sides.append(list(rows))
            labels.append(_whose(moment, rows))
    if len(sides) < 2:
        raise InputError("Choose two people to merge, or more.")
    first, *rest = (_anchors(moment, rows) for rows in sides)
    corrections = [make_correction(Kind.MERGE, first, other, by=by) for other in rest]
    everybody = _listed(labels)
    return Edit(tuple(corrections), f"{everybody} are one person", f"merge of {everybody}")


def _new_person(moment: Moment, rows: Sequence[int], by: str) -> Edit:
    """Unknown tracks that are one person, and nobody who is there."""
    if any(moment.owner(row) for row in rows):
        raise InputError("These are all tracks of that person: there is nobody to split them from.")
    if len(rows) < 2:
        raise InputError("A single Unknown track becomes a person by a name: give it one.")
    if moment.source.found.seen_with.clash(rows, rows):
        raise InputError("That cannot be: some of these tracks are seen together, so they are two people.")
    first, *rest = _anchors(moment, rows)
    tracks = several(len(rows), "track")
    correction = make_correction(Kind.MERGE, [first], rest, by=by)
    return Edit((correction,), f"{tracks} are a person of their own", f"new person of {tracks}")


def _stand_ins(moment: Moment, person: Person, besides: Sequence[int] = ()) -> list[int]:
    return standing_tracks(moment.source.found.title, moment.source.facts.worth, person.rows, besides)


def _anchors(moment: Moment, rows: Sequence[int]) -> list[TrackAnchor]:
    return [moment.source.places.anchor(row) for row in rows]


def _rest(moment: Moment, rows: Sequence[int]) -> list[int]:
    """The anchors of the person whom most of these tracks are of, without them."""
    person = moment.owner_of_most(rows)
    if person is None:
        return []
    chosen = _stand_ins(moment, person, rows)
    return [row for row in chosen if row not in set(rows)]


def _words(
    moment: Moment, kind: Kind, request: Request, rows: Sequence[int], others: Sequence[int], name: str | None
) -> tuple[str, str]:
    """The edit as a sentence, and as what undo would take back."""
    tracks = several(len(rows), "track")
    who = _listed([person.label for person in request.people]) if request.people else _whose(moment, rows)
    other = _listed([p.label for p in request.other_people]) if request.other_people else _whose(moment, others)
    shows, is_ = ("shows", "is") if len(rows) == 1 else ("show", "are")
    match kind:
        case Kind.NAME:
            return f"{who} is called {name}", f"name {name}"
        case Kind.UNNAME:
            return f"{who} has no name any more", f"removed name of {who}"
        case Kind.SPLIT:
            return f"{tracks} {is_} not {other}, but somebody else", f"split of {tracks} from {other}"
        case Kind.MOVE:
            return f"{tracks} {shows} {other}", f"move of {tracks} to {other}"
        case Kind.DIFFERENT:
            whole = who if request.people else tracks
            return f"{whole} {'is' if request.people else is_} not {other}", f"{whole}: not {other}"
        case Kind.NOT_A_FACE:
            return f"{tracks} {shows} no face", f"{tracks}: not a face"
        case _:
            return f"{tracks} {is_} nobody in particular", f"{tracks}: nobody in particular"


def _whose(moment: Moment, rows: Sequence[int]) -> str:
    """What the person is called whom most of these tracks are of."""
    labels = [person.label for row in rows if (person := moment.owner(row)) is not None]
    return max(labels, key=labels.count) if labels else several(len(rows), "track")


def _listed(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) < 2 else f"{', '.join(labels[:-1])} and {labels[-1]}"
