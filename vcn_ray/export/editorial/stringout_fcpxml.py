"""Stringouts as FCPXML, for Final Cut Pro and DaVinci Resolve."""

from __future__ import annotations

from pathlib import Path

from vcn_ray.export.editorial.fcpxml import Document, project_of
from vcn_ray.export.editorial.stringouts import find_stringouts
from vcn_ray.export.finished_season import FinishedSeason


def write_fcpxml_stringouts(season: FinishedSeason, path: Path, handles_frames: int = 0) -> list[str]:
    """Write an FCPXML with a project a character, see `stringouts.find_stringouts`."""
    stringouts, remarks = find_stringouts(season, handles_frames)
    document = Document("Stringouts")
    for stringout in stringouts:
        document.event.append(project_of(stringout, document.resources))
    document.write(path)
    return remarks
