"""A search's answer as a file: CSV for programs and spreadsheets, HTML for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vcn_ray.curation.finding import PersonFound
from vcn_ray.errors import OptionError, OutputError
from vcn_ray.export.exporters import place_and_name
from vcn_ray.export.found_page import FoundCharacter, found_page, picture_uri
from vcn_ray.export.pictures import THUMB, Pictures, pick_spread
from vcn_ray.export.tables import to_csv
from vcn_ray.pipeline.outputs.season_outputs import finished_titles
from vcn_ray.pipeline.split_tables import read_crops
from vcn_ray.storage.store import Store

_PICTURES = 6  # of a character
_CHARACTERS_WITH_PICTURES = 100
_BUDGET_BYTES = 20_000  # of a picture
_CROP_COLUMNS = ["track_id", "frame", "score", "sharpness", "jpeg"]


def write_found(found: PersonFound, path: str) -> str:
    """Write a search's answer; path or URL of what was written.

    Args:
        found: the answer.
        path: of the file, ending in .csv or .html; replaced if it is there; or an ``s3://`` URL.

    Raises:
        OptionError: another ending.
        OutputError: it cannot be written.
    """
    check_ending(path)
    place, name = place_and_name(path, path)
    place.write_bytes(name, to_csv(found.sightings) if path.lower().endswith(".csv") else _page(found))
    return place.where(name)


def check_ending(path: str) -> None:
    """`OptionError` where a file's ending does not say what to write into it."""
    if not path.lower().endswith((".csv", ".html")):
        raise OptionError(f"--out {path}: name a file that ends in .csv or .html")


def _page(found: PersonFound) -> bytes:
    works = {season: _works(season) for season, *_ in found.characters}
    characters = []
    for number, (season, name, rows) in enumerate(found.characters):
        pictures = _pictures(rows, works[season]) if number < _CHARACTERS_WITH_PICTURES else []
        characters.append(FoundCharacter(season, name, rows[0]["probability"], pictures, rows))
    searched_by = [uri for picture in found.pictures if (uri := picture_uri(picture.read())) is not None]
    return found_page(characters, found.searched, searched_by, found.nearest, found.problems)


def _works(season: str) -> dict[str, Store]:
    """The working store of each of a season's titles."""
    return {title.id: title.work for title in finished_titles(Store(season))}


def _pictures(rows: Sequence[Mapping[str, Any]], works: Mapping[str, Store]) -> list[str]:
    """Faces of some of these sightings, spread over them; without those that are gone."""
    length = np.array([row["last_frame"] - row["first_frame"] for row in rows])
    shown = []
    for number in pick_spread(list(range(len(rows))), length, _PICTURES):
        track = rows[number]["track_id"]
        try:
            crops = read_crops(works[rows[number]["title"]], _CROP_COLUMNS, track)
        except OutputError:
            continue
        shown.append(Pictures(crops, _BUDGET_BYTES).best(track, THUMB))
    return [picture for picture in shown if picture is not None]
