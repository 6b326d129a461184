"""When everybody is on screen, as a list for a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from vcn_ray.export.finished_season import FinishedSeason, character_names
from vcn_ray.export.tables import to_csv

_COLUMNS = ["title", "video", "name", "first_time_s", "last_time_s"]
#: By this mark Excel knows that a CSV is UTF-8; else it takes it for the encoding of its country.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def write_appearances(season: FinishedSeason, path: Path) -> None:
    """Write a CSV of one row per appearance, which is a track: title, video, character, first, last, seconds.

    `first` and `last` are the times of the first and the last frame, `seconds` lies between them. Videos come in the
    order of the season's table, the appearances of a video by time. Text that a spreadsheet would run as a formula is
    made harmless, see `tables`.
    """
    tracks = season.tracks
    rows = tracks.append_column("name", character_names(tracks)).select(_COLUMNS).to_pylist()
    places = {place: number for number, place in enumerate(dict.fromkeys((r["title"], r["video"]) for r in rows))}
    rows.sort(key=lambda r: (places[r["title"], r["video"]], r["first_time_s"], r["last_time_s"]))
    first, last = ([round(1000 * row[name]) for row in rows] for name in ("first_time_s", "last_time_s"))
    table = pa.table(
        {
            "title": pa.array([row["title"] for row in rows], pa.string()),
            "video": pa.array([row["video"] for row in rows], pa.string()),
            "character": pa.array([row["name"] for row in rows], pa.string()),
            "first": pa.array(map(time_code, first), pa.string()),
            "last": pa.array(map(time_code, last), pa.string()),
            "seconds": pa.array([(end - begin) / 1000 for begin, end in zip(first, last, strict=True)], pa.float64()),
        }
    )
    path.write_bytes(BYTE_ORDER_MARK + to_csv(table))


def time_code(milliseconds: int) -> str:
    """HH:MM:SS.mmm, the hours as many digits as they need."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{rest:03}"
