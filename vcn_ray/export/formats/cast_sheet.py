"""CSV of the cast for spreadsheets: how long each character is seen, and in which titles."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pyarrow as pa

from vcn_ray.export.appearances import BYTE_ORDER_MARK, time_code
from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, videos_with_tracks
from vcn_ray.export.formats.presence import NOBODY, Presence, duration_s, presences_of
from vcn_ray.export.tables import to_csv


def write_cast_sheet(season: FinishedSeason, path: Path) -> list[str]:
    """Write a row a character, by screen time, longest first; Unknown tracks are left out.

    Columns: character; titles that it is in; appearances (shots that follow one another are one); seconds on screen;
    share of the length of all videos; title, video and time where it is first seen; then for each title, under its
    name, the seconds there, empty where it is not in it. Text that a spreadsheet would run as a formula is made
    harmless, see `tables`.
    """
    seen = defaultdict[str, list[tuple[VideoTracks, Presence]]](list)
    titles, length_s = dict[str, None](), 0.0
    for video in videos_with_tracks(season):
        titles[video.facts.title] = None
        length_s += duration_s(video)
        for one in presences_of(video):
            seen[one.who].append((video, one))
    rows = [_row(who, own, list(titles), length_s) for who, own in seen.items()]
    rows.sort(key=lambda row: -float(str(row["seconds"])))
    columns = {
        "character": pa.string(),
        "titles": pa.int64(),
        "appearances": pa.int64(),
        "seconds": pa.float64(),
        "share": pa.float64(),
        "first_title": pa.string(),
        "first_video": pa.string(),
        "first": pa.string(),
    }
    # A title may be called as a column is, or as a formula: columns go by place, heads are text as any other.
    arrays = [pa.array([row[name] for row in rows], kind) for name, kind in columns.items()]
    arrays += [pa.array([row[n] for row in rows], pa.float64()) for n in range(len(titles))]
    heads = [*columns, *titles]
    places = [str(n) for n in range(len(heads))]
    head = to_csv(pa.table([pa.array([name]) for name in heads], places), header=False)
    path.write_bytes(BYTE_ORDER_MARK + head + to_csv(pa.table(arrays, places), header=False))
    return [] if rows else [NOBODY]


def _row(
    who: str, own: list[tuple[VideoTracks, Presence]], titles: list[str], length_s: float
) -> dict[str | int, str | float | None]:
    """A character's row: columns by name, titles by number."""
    by_title = defaultdict[str, float](float)
    for video, one in own:
        by_title[video.facts.title] += one.end_s - one.start_s
    seconds = sum(by_title.values())
    video, first = own[0]
    row: dict[str | int, str | float | None] = {
        "character": who,
        "titles": len(by_title),
        "appearances": len(own),
        "seconds": round(seconds, 3),
        "share": round(seconds / length_s, 4),
        "first_title": video.facts.title,
        "first_video": video.facts.video,
        "first": time_code(round(1000 * first.start_s)),
    }
    return row | {n: round(by_title[title], 3) if title in by_title else None for n, title in enumerate(titles)}
