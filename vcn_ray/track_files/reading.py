"""Reads whatever holds tracks: a file of any format, told by its content, a folder of such, a finished season."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

import pyarrow as pa

from vcn_ray.errors import InputError
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.sources import list_sources, open_source, source_name
from vcn_ray.storage.store import Store
from vcn_ray.track_files.content import TrackFile
from vcn_ray.track_files.finished_season import read_finished_season
from vcn_ray.track_files.matlab import read_matlab
from vcn_ray.track_files.mot import GT_KEY, read_mot, read_mot_sequence
from vcn_ray.track_files.tables import read_csv_table, read_parquet_table
from vcn_ray.track_files.track_lists import is_track_list, read_single_track, read_track_lists

#: Files of a folder that may hold tracks.
_ENDINGS = (".parquet", ".csv", ".txt", ".mat")
KINDS = (
    "track lists, MOT challenge text, CSV or Parquet with frame, x, y, w, h and track, a .mat with FaceTracks, "
    "a folder of these, or a finished season's folder"
)


def read_track_file(url: str) -> TrackFile:
    """The tracks of a file, of a folder of files, or of a finished season, on this machine or at an ``s3://`` URL.

    Raises `InputError` with the file, the line and the remedy.
    """
    below = _files_below(url)
    if below is None:
        return _read_one(url, read_bytes(url))
    if any(relative == "season.json" for relative in below):
        return read_finished_season(Store(url))
    for own in (f"{url.rstrip('/')}/{name}" for name in ("faces.parquet", "faces.csv") if name in below):
        return _read_one(own, read_bytes(own))  # of a title's folder; its other tables have no boxes
    return _read_folder(url, below)


def read_bytes(url: str, *, may_be_empty: bool = False) -> bytes:
    """A file's content; `InputError` where it cannot be read, or is empty and may not be."""
    try:
        with open_source(url) as file:
            content = file.read()
    except OSError as error:
        raise InputError(f"{url}: cannot be read ({error.strerror}); check the path") from None
    if not (content.strip() or may_be_empty):
        raise InputError(f"{url} is empty; tracks are given as {KINDS}")
    return content


def text_of(url: str, content: bytes) -> str:
    """The content as text; `InputError` where it is none."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{url}: it is not UTF-8 text (save it as that); tracks are given as {KINDS}") from None
    if "\0" in text:
        raise InputError(f"{url}: it is binary; tracks are given as {KINDS}")
    return text


def is_rttm(text: str) -> bool:
    """Whether a text is RTTM: turns of speakers, without boxes."""
    lines = (line.split(maxsplit=1) for line in text.splitlines())
    first = next((fields[0] for fields in lines if fields and not fields[0].startswith(";;")), "")
    return first in ("SPEAKER", "SPKR-INFO")


def is_csv_of_labels(content: bytes) -> bool:
    """Whether a file's content may be a CSV with a line of column names, or text that is nothing else either."""
    if content[:4] == b"PAR1" or content[:6] == b"MATLAB":
        return False
    text = content.decode("utf-8-sig", "replace")
    if is_rttm(text) or is_track_list(text) or _numbers_in_first_line(text) >= 5:
        return False
    head = text.lstrip().splitlines()[0] if text.strip() else ""
    return not {"track_id", "cast_id"} & {name.strip().strip('"') for name in head.split(",")}


def _read_one(url: str, content: bytes) -> TrackFile:
    if content[:4] == b"PAR1":
        return read_parquet_table(url, content)
    if content[:6] == b"MATLAB":
        return read_matlab(url, content)
    text = text_of(url, content)
    if is_rttm(text):
        raise InputError(f"{url}: RTTM says who is there when, not where in the picture; tracks need boxes: {KINDS}")
    if is_track_list(text):
        return read_track_lists(url, text)
    fields = _numbers_in_first_line(text)
    if fields == 5:
        return read_single_track(url, text, posixpath.splitext(source_name(url))[0])
    if fields >= 6:
        return read_mot(url, text)
    return read_csv_table(url, content)


def _numbers_in_first_line(text: str) -> int:
    """How many numbers the first line holds that is no comment; 0 where it holds anything else."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            fields = re.split(r"[,;\s]+", line.strip().strip(",;"))
            number = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan", re.IGNORECASE)
            return len(fields) if all(number.fullmatch(one) for one in fields) else 0
    return 0


def _files_below(url: str) -> list[str] | None:
    """Files below a folder or prefix, relative to it; None where it is a file. `InputError` where nothing is there."""
    if is_object_url(url):
        found = list_sources(url)
        if found == [url.rstrip("/")]:
            return None
        return [name[len(url.rstrip("/")) + 1 :] for name in found]
    path = Path(url)
    if not path.exists():
        raise InputError(f"{url}: no such file or folder; tracks are given as {KINDS}")
    if not path.is_dir():
        return None
    if (path / "season.json").exists():  # its many files are of no interest
        return ["season.json"]
    return sorted(
        posixpath.join(Path(folder).relative_to(path).as_posix(), name).removeprefix("./")
        for folder, _, names in os.walk(path)
        for name in names
    )


def _read_folder(url: str, below: list[str]) -> TrackFile:
    """All files of a folder, a video each where they do not name theirs; one track a file counts by its folder."""
    root = url.rstrip("/")
    parts = []
    for gt in (one for one in below if one == GT_KEY or one.endswith(f"/{GT_KEY}")):
        sequence = gt.removesuffix(GT_KEY).rstrip("/")
        base = f"{root}/{sequence}".rstrip("/")

        def companion(name: str, base: str = base, sequence: str = sequence) -> str | None:
            inside = f"{sequence}/{name}".lstrip("/")
            url = f"{base}/{name}"
            return text_of(url, read_bytes(url, may_be_empty=True)) if inside in below else None

        text = text_of(f"{base}/{GT_KEY}", read_bytes(f"{base}/{GT_KEY}"))
        name = source_name(base) if sequence else None
        parts.append(read_mot_sequence(f"{base}/{GT_KEY}", text, name, companion))
    if not parts:
        stems: dict[str, str] = {}
        for ending in _ENDINGS:  # a table that is there as Parquet and as CSV counts once
            for one in below:
                if one.endswith(ending) and not source_name(one).startswith("."):
                    stems.setdefault(posixpath.splitext(one)[0], one)
        parts = [_of_folder(_read_one(f"{root}/{one}", read_bytes(f"{root}/{one}")), one) for one in stems.values()]
    if not parts:
        raise InputError(f"{url}: no file in it holds tracks; they are given as {KINDS}")
    rates = {video: rate for part in parts for video, rate in part.rates.items()}
    sizes = {video: size for part in parts for video, size in part.sizes.items()}
    return TrackFile(url, pa.concat_tables([part.faces for part in parts]).combine_chunks(), rates, sizes)


def _of_folder(part: TrackFile, relative: str) -> TrackFile:
    """A file that names no video is of the one it is called as; one track alone, of the one its folder is called as."""
    stem, folder = posixpath.splitext(source_name(relative))[0], posixpath.dirname(relative)
    if part.faces["track"].unique().to_pylist() == [stem]:
        return part.named(source_name(folder)) if folder else part
    return part.named(stem)
