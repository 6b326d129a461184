"""From what a user names on the command line to titles: which videos there are and which belong together.

A title's folder is its slug, a plain file name; no other text of a user ever becomes a path.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vcn_ray.config import Options, make_options
from vcn_ray.errors import InputError
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.sources import list_sources, source_name

#: File name endings that are taken for videos when a folder is given; a file given by its own name may have any.
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)

_LONGEST_SLUG = 120


@dataclass(frozen=True)
class Title:
    """What one network is adapted to and what characters are numbered within.

    `videos` are absolute paths or ``s3://`` URLs in the order given; `names` are what the tables' `video` column says,
    one per video, unique in the title; `settings` are the title's own options by name.
    """

    id: str
    videos: tuple[str, ...]
    names: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_utf8(self.id)

    @property
    def slug(self) -> str:
        """Name of the title's folder."""
        return slug(self.id)


@dataclass(frozen=True)
class Season:
    """All titles of one run, the inputs that were no video file, each with its reason, and options for all titles."""

    titles: tuple[Title, ...]
    refused: tuple[tuple[str, str], ...]  # (what the user gave, one sentence)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def options(
        self, config: Mapping[str, Any] | None = None, given: Mapping[str, Any] | None = None
    ) -> tuple[Options, dict[str, Options]]:
        """The options of the run, and those of titles that differ, by title.

        What is said later counts: defaults, `config` (a file of options), the season's settings, a title's, `given` (on
        the command line). `OptionError` where an option does not exist or cannot have the value.
        """
        for_all = {**(config or {}), **self.settings}
        own = {
            title.id: make_options({**for_all, **title.settings, **(given or {})})
            for title in self.titles
            if title.settings
        }
        return make_options({**for_all, **(given or {})}), own


def slug(title_id: str) -> str:
    """Folder name of a title's id: letters, digits, ``-`` and ``_``, all in lower case.

    An id that is such a name already stays as it is. Any other has the rest replaced by ``-`` and ends in a digest of
    the id, so that no two ids share a folder, also where file names ignore case.
    """
    if (
        re.fullmatch("[a-z0-9_-]+", title_id)
        and len(title_id) <= _LONGEST_SLUG
        and not re.search(r"--[0-9a-f]{12}$", title_id)
    ):
        return title_id
    readable = re.sub("[^a-z0-9_]+", "-", title_id.lower()).strip("-")[: _LONGEST_SLUG - 14]
    return f"{readable}--{hashlib.sha256(title_id.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def find_season(inputs: Sequence[str | os.PathLike[str]], title: str | None = None) -> Season:
    """Titles of what is given: one video, one title; with `title`, all videos that title.

    An input is a video, a folder, a pattern, the same as ``s3://bucket/prefix``, or one season file (YAML) alone. An
    input that names no video is refused with a sentence and the others go on, except within one `title`, which
    needs all of its videos. Raises `InputError` where nothing is left, or `title` is empty.
    """
    if title is not None and not title.strip():
        raise InputError("--title is empty: give the title a name")
    files = [os.fspath(given) for given in inputs if os.fspath(given).lower().endswith((".yaml", ".yml"))]
    if files:
        from vcn_ray.inputs.season_file import read_season_file

        if len(inputs) > 1 or title is not None:
            raise InputError(f"{files[0]}: a season file stands alone: leave out the other inputs and --title")
        return read_season_file(_at_home(files[0]))
    videos: list[str] = []
    refused: list[tuple[str, str]] = []
    for given in inputs:
        try:
            videos += expand(os.fspath(given))
        except InputError as error:
            refused.append((_printable(os.fspath(given)), str(error)))
    videos = without_repetition(videos)
    if refused and (title is not None or not videos):
        raise InputError("\n".join(sentence for _, sentence in refused))
    if not videos:
        raise InputError("no video was given: name video files or folders")
    if title is not None:
        return Season((Title(title, tuple(videos), distinct_names(videos, stems=False)),), ())
    ids = distinct_names(videos, stems=True)
    return Season(
        tuple(Title(name, (video,), (source_name(video),)) for name, video in zip(ids, videos, strict=True)),
        tuple(refused),
    )


def expand(given: str) -> list[str]:
    """Videos of a file, folder, pattern or URL, absolute and in order; `InputError` where there is none."""
    _require_utf8(given)
    videos = _expand(given)
    for video in videos:
        _require_utf8(video)
    return videos


def _require_utf8(name: str) -> None:
    """`InputError` where a name came from bytes that are no UTF-8: no table and no page can hold it."""
    if _printable(name) != name:
        raise InputError(f"{_printable(name)}: this name is not valid UTF-8; rename it")


def _printable(name: str) -> str:
    """The name, with bytes that are no UTF-8 written as ``\\udcff``."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


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
    path = Path(_at_home(given))
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


def _at_home(path: str) -> str:
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
