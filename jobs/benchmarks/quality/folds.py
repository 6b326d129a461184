"""Which seasons are left out together: a season and those that show the same people."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

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


def shared_folds(folds: Folds) -> list[str]:
    """Folds of more than one season, to be told."""
    return [", ".join(sorted(fold)) for fold in dict.fromkeys(folds.values()) if len(fold) > 1]
