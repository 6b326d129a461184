"""Stringouts as OpenTimelineIO's own files and as Final Cut Pro 7 XML."""

from __future__ import annotations

from pathlib import Path

import opentimelineio as otio

from vcn_ray.export.editorial.stringouts import find_stringouts
from vcn_ray.export.editorial.timelines import timeline_of, together, write_fcp7
from vcn_ray.export.finished_season import FinishedSeason


def write_otio_stringouts(season: FinishedSeason, path: Path, handles_frames: int = 0) -> list[str]:
    """Write an OTIO file: a timeline of one character, or a collection of timelines; see `find_stringouts`."""
    stringouts, remarks = find_stringouts(season, handles_frames)
    timelines = [timeline_of(one, min(1, one.channels)) for one in stringouts]
    otio.adapters.write_to_file(together(timelines), str(path), adapter_name="otio_json")
    return remarks


def write_fcp7_stringouts(season: FinishedSeason, path: Path, handles_frames: int = 0) -> list[str]:
    """Write an FCP7 XML with a sequence a character, see `find_stringouts`."""
    stringouts, remarks = find_stringouts(season, handles_frames)
    write_fcp7([(timeline_of(one, one.channels), one) for one in stringouts], path)
    return remarks
