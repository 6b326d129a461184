"""What the commands print about people: names with their probability, and where somebody is seen."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table

from vcn_ray.cli.printing import add_row, complain, out_console, print_applied, say

if TYPE_CHECKING:
    from vcn_ray.curation.finding import PersonFound
    from vcn_ray.curation.naming import SeasonNames

#: Times at which a character is seen that are printed; files have all.
_TIMES_SHOWN = 5

#: Alternatives of less probability are left to the table.
_LEAST_TOLD = 0.01


def print_names(names: SeasonNames) -> None:
    """A line a member of the cast: who it is by the gallery, and who else it may be."""
    from vcn_ray.export.charts import chance_text

    for problem in names.problems:
        complain(problem)
    table = Table("cast", "is called", "by the gallery", "probability", "or else", title="Names", title_justify="left")
    rows = names.names.to_pylist()
    for cast_id, group in groupby(rows, key=lambda row: row["cast_id"]):
        first, *others = group
        worth_telling = [row for row in others if row["probability"] >= _LEAST_TOLD]
        or_else = ", ".join(f"{_who(row)} {chance_text(row['probability'])}" for row in worth_telling)
        cells = (first["character"] or "", _who(first), chance_text(first["probability"]), or_else)
        add_row(table, f"Cast {cast_id}", *cells)
    out_console.print(table)
    members = len({row["cast_id"] for row in rows})
    print_applied(names.applied)
    say(f"{names.named.num_rows} of {members} members of the cast named by a gallery of {names.people}")


def _who(row: Mapping[str, Any]) -> str:
    if row["name"] is not None:
        return str(row["name"])
    return "nobody of it" if row["gallery_cast_id"] is None else f"its Cast {row['gallery_cast_id']}"


def print_found(found: PersonFound) -> None:
    """A line a character: how probable it is the person, and when it is seen."""
    from vcn_ray.export.charts import chance_text

    for problem in found.problems:
        complain(problem)
    if not found.characters:
        say(f"not found in {', '.join(found.searched)}")
        for season, character, probability in found.nearest:
            say(f"nearest in {season}: {character}, {chance_text(probability)}")
        return
    table = Table("season", "character", "probability", "seen", "at", title="Found", title_justify="left")
    for season, character, rows in found.characters:
        times = ", ".join(f"{row['title']} {row['first']}" for row in rows[:_TIMES_SHOWN])
        more = f" and {len(rows) - _TIMES_SHOWN} more" if len(rows) > _TIMES_SHOWN else ""
        seen = "once" if len(rows) == 1 else f"{len(rows)} times"
        add_row(table, season, character, chance_text(rows[0]["probability"]), seen, times + more)
    out_console.print(table)
