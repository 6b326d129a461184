"""Corrections said of a finished season's tracks by title and number, as the Python interface has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from vcn_ray.corrections.correction import OTHERS_KEY, Correction, Kind, make_correction
from vcn_ray.corrections.correction_file import edit_corrections, read_corrections
from vcn_ray.corrections.standing import standing_tracks, worth_as_anchor
from vcn_ray.errors import InputError
from vcn_ray.pipeline.outputs.cast import stored_cast
from vcn_ray.pipeline.outputs.found import each, found_tracks, track_places
from vcn_ray.pipeline.outputs.season_outputs import finished_titles
from vcn_ray.storage.lock import user_name
from vcn_ray.storage.store import Store

TrackName = tuple[str, int]  # title, track_id

#: Kinds that are said of single tracks: all that are named are meant, not whom they stand for.
_OF_TRACKS = (Kind.SPLIT, Kind.NOT_A_FACE, Kind.NOBODY)

CORRECTIONS = pa.schema(
    [
        ("id", pa.string()),
        ("what", pa.string()),
        ("name", pa.string()),
        ("number", pa.int64()),
        ("confidence", pa.float64()),
        ("by", pa.string()),
        ("at", pa.string()),
        ("tracks", pa.int32()),  # how many it names
    ]
)


def say(
    out: Store,
    kind: str,
    tracks: Sequence[TrackName],
    others: Sequence[TrackName] = (),
    *,
    name: str | None = None,
    by: str | None = None,
) -> Correction:
    """Add a correction to a season's file; the tables follow when it is applied.

    Args:
        out: the season's folder.
        kind: of `Kind`, such as "merge".
        tracks: that it is of. Of many that are one person a few that stand for them are written down; where single
            tracks are meant (split, not-a-face, nobody) all of them.
        others: the tracks of the other side, of which a few that stand for them are written down.
        name: of a "name".
        by: who says it; None: the user of this machine.

    Raises:
        InputError: no such kind or track, or what is said is incomplete.
        OutputError: the file cannot be written.
    """
    if kind not in set(Kind) - {Kind.NUMBER, Kind.FORGET}:
        known = ", ".join(sorted(set(Kind) - {Kind.NUMBER, Kind.FORGET}))
        raise InputError(f"there is no correction {kind!r}; there are {known}")
    said = Kind(kind)
    titles = finished_titles(out)
    found = found_tracks(titles, stored_cast(out).characters)
    worth = np.concatenate([np.empty(0), *each(lambda title: _worth(title.results), titles)])
    rows_of = {(found.titles[found.title[row]], int(found.track_id[row])): row for row in range(len(found))}

    def rows(names: Sequence[TrackName]) -> list[int]:
        missing = [name for name in names if name not in rows_of]
        if missing:
            raise InputError(f"{out.url} has no track {missing[0][1]} of a title {missing[0][0]!r}")
        return [rows_of[name] for name in names]

    own, other = rows(tracks), rows(others)
    if said not in _OF_TRACKS and len(own) > 1 and said is not Kind.MOVE:
        own = standing_tracks(found.title, worth, own)
    if other:
        other = standing_tracks(found.title, worth, other, own if said in OTHERS_KEY else ())
    videos = track_places(titles, found)
    correction = make_correction(
        said, map(videos.anchor, own), map(videos.anchor, other), by=by or user_name(), name=name
    )
    edit_corrections(out, lambda all_: [*(one for one in all_ if one.id != correction.id), correction])
    return correction


def corrections_table(out: Store) -> pa.Table:
    """What people said of a season, a row a correction, in order (`CORRECTIONS`)."""
    rows = [
        {"id": c.id, "what": c.kind.value, "name": c.name, "number": c.number, "confidence": c.confidence}
        | {"by": c.by, "at": c.at, "tracks": len(c.tracks) + len(c.others)}
        for c in read_corrections(out)
    ]
    return pa.Table.from_pylist(rows, CORRECTIONS)


def take_back(out: Store, correction_id: str) -> None:
    """Take a correction out of a season's file; `InputError` where there is none of this id."""

    def without(corrections: list[Correction]) -> list[Correction]:
        return [one for one in corrections if one.id != correction_id]

    if len(without(read_corrections(out))) == len(read_corrections(out)):
        raise InputError(f"{out.url} has no correction {correction_id!r}")
    edit_corrections(out, without)


def _worth(results: Store) -> np.ndarray:
    columns = ["track_id", "confidence", "quality", "crops", "first_time_s", "last_time_s"]
    table = results.read_table("tracks.parquet", columns).sort_by("track_id")
    seconds = table["last_time_s"].to_numpy() - table["first_time_s"].to_numpy()
    sure, clear = (table[c].to_numpy().astype(np.float64) for c in ("confidence", "quality"))
    return worth_as_anchor(sure, clear, table["crops"].to_numpy(), seconds)
