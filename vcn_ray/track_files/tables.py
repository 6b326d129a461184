"""Tracks as a table, CSV or Parquet: our own faces, ground truth, or anybody's with the same columns."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from vcn_ray.errors import InputError
from vcn_ray.track_files.content import LARGEST_FRAME, TrackFile, check_boxes, faces_table

_NEEDED = ("frame", "x", "y", "w", "h")
#: What a track's column may be called.
_TRACK = ("track_id", "track")
_NUMBERS = {name: pa.float64() for name in (*_NEEDED, "score", "time_s")}
_TEXTS = {name: pa.string() for name in ("video", "identity", "shot", "landmarks", *_TRACK)}


def read_csv_table(source: str, content: bytes) -> TrackFile:
    """The tracks of a CSV with a line of column names; `InputError` says what is wrong with it."""
    try:
        table = pacsv.read_csv(
            io.BytesIO(content),
            convert_options=pacsv.ConvertOptions(
                column_types=_NUMBERS | _TEXTS, strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{source} is not a CSV file of tracks: {str(error).splitlines()[0]}") from None
    return tracks_of_table(source, table, first_row=2)


def read_parquet_table(source: str, content: bytes) -> TrackFile:
    """The tracks of a Parquet file; `InputError` says what is wrong with it."""
    try:
        table = pq.read_table(io.BytesIO(content))
    except pa.ArrowException as error:
        raise InputError(f"{source} is a damaged Parquet file ({str(error).splitlines()[0]})") from None
    return tracks_of_table(source, table, first_row=1)


def tracks_of_table(source: str, table: pa.Table, first_row: int) -> TrackFile:
    """The tracks of a table.

    It has frame, x, y, w, h and a track (track_id, or track); or, without tracks, identity and shot, whose person in a
    shot is one track. It may have video, score, time_s, landmarks (ten numbers), and identity, character or cast_id.

    Args:
        source: its file, for messages.
        table: as read.
        first_row: what the file's first row is called.
    """
    columns = set(table.column_names)
    if len(columns) < len(table.column_names):
        twice = next(name for name in table.column_names if table.column_names.count(name) > 1)
        raise InputError(f"{source} has the column {twice} more than once: leave one of them out")
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        hint = "; a table of tracks alone has no boxes: give the table of faces" if "first_frame" in columns else ""
        raise InputError(
            f"{source} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}: tracks need frame, x, y, w, h "
            f"and track, separated by commas; found: {', '.join(table.column_names)}{hint}"
        )
    track = next((name for name in _TRACK if name in columns), None)
    if track is None and not {"identity", "shot"} <= columns:
        raise InputError(
            f"{source} does not say which boxes are one track: add a column track, or identity and shot, whose person "
            "in a shot is then one track"
        )
    if not table.num_rows:
        raise InputError(f"{source} has column names but no rows: give it one row per box")
    read = {name: _numbers(source, table, name, first_row) for name in _NEEDED}
    frames = read.pop("frame")
    whole = (frames == np.round(frames)) & (np.abs(frames) < LARGEST_FRAME)
    if not whole.all():
        row = int(np.flatnonzero(~whole)[0])
        raise InputError(f"{source}, row {row + first_row}: the frame {frames[row]} is no whole number")
    rows = np.arange(first_row, first_row + len(frames))
    check_boxes(source, np.stack(list(read.values()), axis=1), frames.astype(np.int64), "row", rows)
    made: dict[str, Any] = dict(read) | {"frame": frames.astype(np.int64)}
    made |= {name: _column(source, table, name, pa.string()) for name in ("video", "shot") if name in columns}
    made |= {name: _finite(source, table, name, first_row) for name in ("score", "time_s") if name in columns}
    if "score" in made:
        _check_scores(source, made["score"], first_row)
        if made["score"].null_count == len(table):
            del made["score"]
    identity = _identities(source, table)
    if identity is not None:
        made["identity"] = identity
    if track is not None:
        made["track"] = _column(source, table, track, pa.string())
    else:
        made["track"] = pc.binary_join_element_wise(made["identity"], made["shot"], " in shot ")
    if "landmarks" in columns:
        made["landmarks"] = _landmarks(source, table["landmarks"], first_row)
    faces = faces_table(made)
    return TrackFile(source, faces.filter(faces["track"].is_valid()))  # a detection that no track took


def _numbers(source: str, table: pa.Table, name: str, first_row: int) -> np.ndarray:
    numbers = _column(source, table, name, pa.float64())
    if numbers.null_count:
        row = int(np.flatnonzero(numbers.is_null().to_numpy())[0])
        raise InputError(f"{source}, row {row + first_row}: {name} is empty; every box needs it")
    return numbers.to_numpy()


def _finite(source: str, table: pa.Table, name: str, first_row: int) -> pa.ChunkedArray:
    """A column of numbers that may be left out."""
    numbers = _column(source, table, name, pa.float64())
    bad = ~np.isfinite(pc.fill_null(numbers, 0.0).to_numpy())
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{source}, row {row + first_row}: {name} is {numbers[row]}: write a number, or leave it empty"
        )
    return numbers


def _check_scores(source: str, scores: pa.ChunkedArray, first_row: int) -> None:
    known = pc.fill_null(scores, 1.0).to_numpy()
    bad = (known < 0) | (known > 1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{source}, row {row + first_row}: the score {known[row]:g} is not from 0 to 1; bring it there, or leave "
            "the column out"
        )


def _column(source: str, table: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    try:
        return table[name].cast(kind)
    except pa.ArrowException:
        wanted = "text" if pa.types.is_string(kind) else "numbers"
        raise InputError(f"{source}: {name} holds {table[name].type}, not {wanted}") from None


def _identities(source: str, table: pa.Table) -> pa.ChunkedArray | None:
    """Who each box shows: `identity`, else what our own tables call the character; None where nothing tells."""
    names = table.column_names
    if "identity" in names:
        identity = _column(source, table, "identity", pa.string())
        return pc.if_else(pc.equal(identity, ""), pa.scalar(None, pa.string()), identity)
    number = next((name for name in ("cast_id", "cluster_id") if name in names), None)
    if number is None:
        return _column(source, table, "character", pa.string()) if "character" in names else None
    word = "Cast " if number == "cast_id" else "Character "
    if number == "cluster_id" and "title" in names:
        head = pc.binary_join_element_wise(_column(source, table, "title", pa.string()), f": {word}", "")
    else:
        head = pa.scalar(word)
    given = _column(source, table, number, pa.int64())
    told = pc.if_else(pc.less(given, 0), pa.scalar(None, pa.int64()), given)
    numbered = pc.binary_join_element_wise(head, told.cast(pa.string()), "")
    if "character" not in names:
        return numbered
    return pc.coalesce(_column(source, table, "character", pa.string()), numbered)


def _landmarks(source: str, column: pa.ChunkedArray, first_row: int) -> list[list[float] | None]:
    """Ten numbers a row, as a list or as text with spaces between; None where there are none."""
    read: list[list[float] | None] = []
    for n, value in enumerate(column.to_pylist()):
        if value is None:
            read.append(None)
            continue
        try:
            numbers = [float(one) for one in (value.split() if isinstance(value, str) else value)]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) != 10 or not np.isfinite(numbers).all():
            raise InputError(
                f"{source}, row {n + first_row}: landmarks are ten numbers (x and y of eyes, nose, mouth corners, "
                f"image left first), not {value!r}"
            )
        read.append(numbers)
    return read
