"""Which seasons are left out together: a season and those that show the same people."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

from vcn_ray.errors import OptionError

#: By season, the seasons that nothing about it may be learnt from: itself, and those of its people.
Folds = Mapping[str, frozenset[str]]


def make_folds(seasons: Sequence[str], same_people: Sequence[str] = ()) -> Folds:
    """The folds of these seasons.

    Args:
        seasons: their names.
        same_people: names of seasons that show the same people, separated by commas; groups that share one are one.
            Behind a colon may stand who alone is in all of them.

    Raises `OptionError` for a name that is no season's.
    """
    folds = {season: frozenset([season]) for season in seasons}
    for group in same_people:
        names = find_seasons(_group(group)[0], folds, f"--same-people {group}")
        together = frozenset[str]().union(*(folds[name] for name in names))
        folds |= dict.fromkeys(together, together)
    return folds


def find_seasons(text: str, known: Collection[str], what: str) -> list[str]:
    """The seasons that a text names, separated by commas, each once; `OptionError` for one that there is not.

    what: the option, for the message.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise OptionError(f"{what}: no season is called {name!r}; {hint}")
    return names


def with_joined(folds: Folds, joins: Mapping[str, Sequence[str]]) -> Folds:
    """The folds of joined seasons as well: nothing about one may be learnt from a season in it, nor from its people.

    joins: seasons by the name of what they are joined to. No other season's fold changes: nobody learns from a join.
    """
    return {**folds, **{name: frozenset([name]).union(*(folds[part] for part in of)) for name, of in joins.items()}}


def people_of(
    folds: Folds, same_people: Sequence[str], identities: Mapping[str, Collection[str]]
) -> dict[str, dict[str, str]]:
    """By season, who each of its labels is among all seasons.

    Two seasons have nobody in common, whatever their labels say, but where they are of one fold: there a name is one
    person, unless every group of the fold says who it shares: then those alone are.

    Args:
        folds: of all seasons.
        same_people: as in `make_folds`.
        identities: names that the labels of each season have.
    """
    shared: dict[str, frozenset[str] | None] = dict.fromkeys(folds, frozenset())
    for group in same_people:
        names, people = _group(group)
        for season in frozenset[str]().union(*(folds[name] for name in find_seasons(names, folds, "--same-people"))):
            before = shared[season]
            shared[season] = None if people is None or before is None else before | people

    def person(season: str, identity: str) -> str:
        own = shared[season]
        return f"{min(folds[season]) if own is None or identity in own else season}: {identity}"

    return {season: {identity: person(season, identity) for identity in own} for season, own in identities.items()}


def _group(text: str) -> tuple[str, frozenset[str] | None]:
    """Names of seasons, and the people that they share; None: all."""
    seasons, colon, people = text.partition(":")
    return seasons, frozenset(name.strip() for name in people.split(",") if name.strip()) if colon else None


def folds_note(folds: Folds) -> str:
    """Which seasons are left out together, and which are taken for different people's; "" where there is one."""
    groups = [", ".join(sorted(fold)) for fold in dict.fromkeys(folds.values())]
    notes = [f"Of the same people, left out together: {group}." for group in groups if "," in group]
    if len(groups) > 1:
        notes.append(f"Taken for different people, learning from one another: {'; '.join(groups)}.")
    return " ".join(notes)


def folds_hints(folds: Folds, identities: Mapping[str, Collection[str]]) -> list[str]:
    """A sentence for any two seasons whose labels name the same people, but that are not left out together.

    identities: names that the labels of each season have.
    """
    return [
        f"{a} and {b} have labels of the same names; where these are the same people, give --same-people {a},{b}"
        for a, b in combinations(identities, 2)
        if b not in folds[a] and set(identities[a]) == set(identities[b])
    ]
