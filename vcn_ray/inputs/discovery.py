"""From a path, pattern or URL to the videos that it names, and names to tell them apart."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from vcn_ray.errors import InputError
from vcn_ray.inputs.titles import require_utf8
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.sources import list_sources, source_name

#: File name endings that are taken for videos when a folder is given; a file given by its own name may have any.
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)


def expand(given: str) -> list[str]:
    """Videos of a file, folder, pattern or URL, absolute and in order; `InputError` where there is none."""
    require_utf8(given)
    videos = _expand(given)
    for video in videos:
        require_utf8(video)
    return videos


def _expand(given: str) -> list[str]:
    endings = " ".join(sorted(VIDEO_SUFFIXES))
    if is_object_url(given):
        found = list_sources(given)
        if found == [given.rstrip("/")]:
            return found
        below = [url for url in found if _is_video(url)]
        if not below:
            raise InputError(f"{given}: no object below it is a video ({endings}); name the objects themselves")
        return below
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", given):
        raise InputError(f"{given}: of URLs only s3://BUCKET/KEY are read; download it, or copy it into a bucket")
    path = Path(at_home(given))
    try:
        if path.is_dir():
            found = list(_videos_in(path))
            if not found:
                raise InputError(f"{given}: this folder holds no video ({endings}); name the files themselves")
            return found
        if path.exists():
            return [os.path.abspath(path)]
    except PermissionError:
        raise InputError(f"{given}: permission denied; make it readable or run as a user who may read it") from None
    except OSError as error:
        raise InputError(f"{given}: cannot be looked at ({error.strerror}); check the path") from None
    matches = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(str(path)) else []
    if not matches:
        raise InputError(f"{given}: no such file or folder; check the path")
    videos: list[str] = []
    for match in matches:  # folders without videos are left out, as other files in a folder are
        videos += _videos_in(Path(match)) if os.path.isdir(match) else [os.path.abspath(match)]
    if not videos:
        raise InputError(f"{given}: only folders without a video match ({endings}); name the files themselves")
    return videos


def at_home(path: str) -> str:
    """The path with a leading ~ resolved; a URL as it is."""
    try:
        return path if is_object_url(path) else str(Path(path).expanduser())
    except RuntimeError as error:  # ~ or ~name of nobody
        raise InputError(f"{path}: {error}; write the whole path") from None


def _videos_in(folder: Path) -> Iterable[str]:
    """Video files below a folder, in the order of their paths; hidden files and folders are left out."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: this folder cannot be read ({error.strerror}); change its permissions")

    for parent, folders, files in os.walk(os.path.abspath(folder), onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if _is_video(name):
                yield os.path.join(parent, name)


def _is_video(name: str) -> bool:
    """Whether a file in a folder is taken for a video: by its ending, unless it is hidden."""
    return not source_name(name).startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES


def identity(video: str) -> str:
    """Equal for two paths of one file."""
    return video if is_object_url(video) else os.path.realpath(video)


def without_repetition(videos: list[str]) -> list[str]:
    """The videos in order, each file once, also where it was reached by several paths."""
    first_paths: dict[str, str] = {}
    for video in videos:
        first_paths.setdefault(identity(video), video)
    return list(first_paths.values())


def distinct_names(videos: Sequence[str], *, stems: bool) -> tuple[str, ...]:
    """A name for each of different videos: its stem (or file name), with as many folders as tell equal ones apart."""
    paths = _without_endings(videos) if stems else list(videos)
    parts = [path.split("/") for path in paths]
    depths = [1] * len(parts)
    while True:
        names = ["/".join(of_path[-depth:]) for of_path, depth in zip(parts, depths, strict=True)]
        count = Counter(names)
        if len(count) == len(names):
            return tuple(names)
        depths = [depth + (count[name] > 1) for name, depth in zip(names, depths, strict=True)]


def _without_endings(videos: Sequence[str]) -> list[str]:
    """The paths without endings such as ``.mkv``, except where two would then be equal."""
    paths = [os.path.splitext(video)[0] for video in videos]
    while len(count := Counter(paths)) < len(paths):  # an ending put back may make a path equal to a third one
        paths = [video if count[path] > 1 else path for path, video in zip(paths, videos, strict=True)]
    return paths
