"""Videos by path or ``s3://`` URL: what there is, and reading it."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, NamedTuple, cast

from vcn_ray.errors import InputError
from vcn_ray.storage import objectstore
from vcn_ray.storage.objectstore import Location
from vcn_ray.storage.ranged_file import RangedFile


class SourceStat(NamedTuple):
    """What one cheap look at a video's file tells; `version` changes when the file does."""

    url: str
    size_bytes: int
    version: str


def stat_source(url: str) -> SourceStat:
    """Look at a file; `InputError` where it is not there or may not be read."""
    if objectstore.is_object_url(url):
        with objectstore.explained(url, "read", InputError):
            found = objectstore.look(objectstore.parse_url(url))
        if found is None:
            raise InputError(f"{url}: there is no such object; check the name")
        return SourceStat(url, found.size_bytes, found.etag)
    try:
        status = os.stat(url)
    except OSError as error:
        raise InputError(f"{url}: cannot be read ({error.strerror}); check the path") from None
    return SourceStat(os.path.abspath(url), status.st_size, str(status.st_mtime_ns))


def list_sources(url: str) -> list[str]:
    """URLs of the object of this name, or else of all below it, sorted; `InputError` where there is none."""
    at = objectstore.parse_url(url)
    with objectstore.explained(url, "read", InputError):
        if at.key and objectstore.look(at) is not None:
            return [at.url]
        keys = list(objectstore.list_keys(Location(at.bucket, f"{at.key}/" if at.key else "")))
    if not keys:
        raise InputError(f"{url}: there is no such object, nor any below it; check the name")
    return [Location(at.bucket, key).url for key in keys]


def open_source(url: str, version: str = "") -> BinaryIO:
    """The file for reading, seekable; `InputError` for an object that cannot be read, `OSError` for a local file.

    An object that no longer has this version, where one is given, cannot be read.
    """
    if objectstore.is_object_url(url):
        ranged = RangedFile(objectstore.parse_url(url), version=version)
        return cast(BinaryIO, io.BufferedReader(ranged, 1 << 16))
    return open(url, "rb")


def media_source(url: str, version: str = "") -> str | RangedFile:
    """What PyAV opens: a local file by its path, an object, of this version, as a file that is read in ranges."""
    return RangedFile(objectstore.parse_url(url), version=version) if objectstore.is_object_url(url) else url


def source_name(url: str) -> str:
    """The file's name: the last part of the path or URL."""
    return url.rstrip("/").rsplit("/", 1)[-1]
