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

    Raises `OptionError` for a name that is no season's.
    """
    folds = {season: frozenset([season]) for season in seasons}
    for group in same_people:
        names = [name.strip() for name in group.split(",") if name.strip()]
        for name in names:
            if name not in folds:
                near = difflib.get_close_matches(name, folds, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(folds)}"
                raise OptionError(f"--same-people {group}: no season is called {name!r}; {hint}")
        together = frozenset[str]().union(*(folds[name] for name in names))
        folds |= dict.fromkeys(together, together)
    return folds


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
