"""What each kind of correction does to a season. What cannot be done is named as a problem, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vcn_ray.corrections.corrected_season import CorrectedSeason, Naming, Problem, weight
from vcn_ray.corrections.correction import Correction, Kind
from vcn_ray.export.finished_season import NOT_A_FACE


def _settled(state: CorrectedSeason, correction: Correction, rows: Sequence[int]) -> int:
    """The member that holds most of these tracks; where all are Unknown they become one."""
    member = state.member_at(rows)
    if member is None:
        member = state.new_member()
        for row in rows:
            state.put(row, state.character_of_member(member, int(state.found.title[row]), rows), correction.by)
    return member


def _is_two(state: CorrectedSeason, correction: Correction, rows: list[int]) -> bool:
    """Whether tracks that are Unknown cannot become one person; then says so."""
    return state.member_at(rows) is None and state.seen_together(correction, rows, rows)


def _name(state: CorrectedSeason, correction: Correction, tracks: list[int], others: list[int]) -> None:
    name = Naming(str(correction.name), correction.confidence, correction.by)
    member, guessed = state.member_at(tracks), name.confidence is not None
    if guessed and (member is None or weight(state.names.get(member, name)) >= 2):
        return  # nobody is there, or a person has said who it is, or that it is to have no name
    if _is_two(state, correction, tracks):
        return
    same = next((m for m, held in state.names.items() if held and held.name == name.name and m != member), None)
    if same is not None and member is not None and guessed and state.said_to_be_two(same, member):
        return
    if same is not None and not guessed and weight(state.names[same]) < 2:
        seen_with, whole = state.found.seen_with, state.meant(tracks)
        if seen_with.clash(whole, state.rows_of(same)) is not None:
            del state.names[same]  # a gallery's guess gives way
            same = None
    if same is not None and state.seen_together(correction, state.meant(tracks), state.rows_of(same)):
        return
    member = _settled(state, correction, tracks)
    if same is not None:
        state.join(same, member)
        member = same
    state.names[member] = name
    state.unite(member)


def _unname(state: CorrectedSeason, correction: Correction, tracks: list[int], others: list[int]) -> None:
    member = state.member_at(tracks)
    if member is not None:
        state.names[member] = None


def _number(state: CorrectedSeason, correction: Correction, tracks: list[int], others: list[int]) -> None:
    member = state.member_at(tracks)
    if member is None:
        return
    same = next((m for m, number in state.numbers.items() if number == correction.number and m != member), None)
    if same is not None:
        if not correction.is_said_by_a_person and state.said_to_be_two(same, member):
            return
        names = [state.names.get(one) for one in (same, member)]
        if not correction.is_said_by_a_person and all(name and weight(name) > 2 for name in names):
            return  # people called them by two names
        if state.seen_together(correction, state.rows_of(member), state.rows_of(same)):
            return
        state.join(same, member)
        member = same
    state.numbers[member] = int(correction.number or 0)


def _merge(state: CorrectedSeason, correction: Correction, tracks: list[int], others: list[int]) -> None:
    if _is_two(state, correction, tracks) or _is_two(state, correction, others):
        return
    one, other = state.member_at(tracks), state.member_at(others)
    if (one is None or one != other) and state.seen_together(correction, state.meant(tracks), state.meant(others)):
        return
    member = _settled(state, correction, tracks)
    other = _settled(state, correction, others)
    if other != member:
        state.join(member, other)
    else:
        state.unite(member)
    # Those that a later run has put elsewhere: whoever merged had seen them as this person's.
    astray = [row for row in [*tracks, *others] if state.member[row] != member]
    _put_each(state, correction, astray, member, [*tracks, *others])


def _put_each(state: CorrectedSeason, correction: Correction, rows: list[int], member: int, near: list[int]) -> None:
    """Put tracks into a member's characters, but for those that are seen with it."""
    own = set(state.rows_of(member).tolist())
    for row in rows:
        if not state.seen_together(correction, [row], own):
            state.put(row, state.character_of_member(member, int(state.found.title[row]), near), correction.by)
            own.add(row)


def _split(state: CorrectedSeason, correction: Correction, tracks: list[int], others: list[int]) -> None:
    if state.seen_together(correction, tracks, tracks):
        return
    state.are_two(tracks, others)
    # A later run has been held to it: then the person may have been found elsewhere, too.
    now = state.member.copy()
    there = set(now[others].tolist())
    alone = [row for row in tracks if now[row] >= 0 and now[row] not in there]
    member = state.member_at(alone)
    if member is None or 2 * int((now[alone] == member).sum()) <= len(tracks):
        member = state.new_member()
    _put_each(state, correction, tracks, member, [row for row in tracks if now[row] == member])


def _move(state: CorrectedSeason, correction: Correction, tracks: list[int], others: list[int]) -> None:
    rest = [row for row in others if row not in tracks] or others
    if _is_two(state, correction, rest):
        return
    member = _settled(state, correction, rest)
    _put_each(state, correction, tracks, member, rest)


def _different(state: CorrectedSeason, correction: Correction, tracks: list[int], others: list[int]) -> None:
    state.are_two(tracks, others)
    member = state.member_at(others)
    if member is None:
        return
    who = f"not {state.label(member)}, says {correction.by}"
    apart: int | None = None
    for row in tracks:
        character = int(state.character[row])
        if character < 0 or state.member_of[character] != member:
            continue
        if character == state.character_at(others, int(state.found.title[row])):
            state.take_out(row, who, correction.by)
        else:  # a character of a title that was matched to them: it stays one, and is somebody else
            apart = state.new_member() if apart is None else apart
            state.belongs(character, apart)


def _out(reason: str) -> Callable[[CorrectedSeason, Correction, list[int], list[int]], None]:
    def take_out(state: CorrectedSeason, correction: Correction, tracks: list[int], others: list[int]) -> None:
        for row in tracks:
            state.take_out(row, f"{reason}, says {correction.by}", correction.by)

    return take_out


def _forget(state: CorrectedSeason, correction: Correction, tracks: list[int], others: list[int]) -> None:
    for row in tracks:
        state.take_out(row, "to be forgotten", correction.by)
    state.problems.append(
        Problem(correction, "somebody who is to be forgotten is still there; run `vcn-ray forget DIR` to remove them")
    )


#: By kind: changes the season as a correction says, given the rows of its tracks and others.
RULES: dict[Kind, Callable[[CorrectedSeason, Correction, list[int], list[int]], None]] = {
    Kind.NAME: _name,
    Kind.UNNAME: _unname,
    Kind.NUMBER: _number,
    Kind.MERGE: _merge,
    Kind.SPLIT: _split,
    Kind.MOVE: _move,
    Kind.DIFFERENT: _different,
    Kind.NOT_A_FACE: _out(NOT_A_FACE),
    Kind.NOBODY: _out("nobody in particular"),
    Kind.FORGET: _forget,
}
