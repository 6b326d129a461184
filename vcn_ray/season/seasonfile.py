"""A season written down: titles, their videos and options, in YAML.

name: My series                 # optional; the file's name otherwise
adapt: title                    # or season: all videos are one title, as the paper did with its series
options: {seed: 1}              # optional; for all titles
titles:
  - video: s01e01.mkv           # paths count from this file's own folder
  - title: Pilot
    videos: [pilot-a.mkv, s3://bucket/pilot-b.mkv]
    options: {min_face_px: 24}  # optional; for this title
"""

from __future__ import annotations

import difflib
import posixpath
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from vcn_ray.config import make_options, option_names
from vcn_ray.errors import InputError, OptionError, VcnError
from vcn_ray.objectstore import is_object_url
from vcn_ray.season.titles import Season, Title, distinct_names, expand, without_repetition
from vcn_ray.sources import open_source, source_name


class _TitleEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str | None = None
    video: str | None = None
    videos: list[str] = []
    options: dict[str, Any] = {}


class _SeasonFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    adapt: Literal["title", "season"] = "title"
    options: dict[str, Any] = {}
    titles: list[_TitleEntry]


def read_season_file(url: str) -> Season:
    """The season that a file describes, on this machine or at an ``s3://`` URL.

    A title whose video is missing is refused and the others go on. `InputError` names the key that is wrong,
    `OptionError` the option.
    """
    content = _parse(url)
    if not content.titles:
        raise InputError(f"{url}: titles is empty; list at least one `- video: FILE`")
    _check_options(url, "options", content.options, of_title=False)
    titles: list[Title] = []
    refused: list[tuple[str, str]] = []
    owner: dict[str, str] = {}
    for number, entry in enumerate(content.titles):
        key = f"titles[{number}]"
        _check_options(url, f"{key}.options", entry.options, of_title=True)
        given = [*([entry.video] if entry.video else []), *entry.videos]
        if not given:
            raise InputError(f"{url}: {key} has no video; write `video: FILE` or `videos: [FILE, ...]`")
        name = entry.title or source_name(given[0])
        try:
            videos = without_repetition([video for one in given for video in expand(_from_file(url, one))])
        except InputError as error:
            refused.append((name, str(error)))
            continue
        name = entry.title or Path(source_name(videos[0])).stem
        for video in videos:
            if video in owner:
                raise InputError(f"{url}: {video} is in two titles, {owner[video]!r} and {name!r}; take it out of one")
            owner[video] = name
        titles.append(Title(name, tuple(videos), distinct_names(videos, stems=False), entry.options))
    if not titles:
        raise InputError("\n".join(sentence for _, sentence in refused))
    _check_distinct(url, titles)
    if content.adapt == "season":
        return _as_one(url, content, titles, refused)
    return Season(tuple(titles), tuple(refused), content.options)


def _as_one(url: str, content: _SeasonFile, titles: list[Title], refused: list[tuple[str, str]]) -> Season:
    """All videos as one title."""
    own = next((title.id for title in titles if title.settings), None)
    if own is not None:
        raise InputError(f"{url}: title {own!r} has options of its own, but with `adapt: season` all are one title")
    if refused:
        raise InputError("\n".join(sentence for _, sentence in refused))
    videos = [video for title in titles for video in title.videos]
    name = content.name or Path(source_name(url)).stem
    return Season((Title(name, tuple(videos), distinct_names(videos, stems=False)),), (), content.options)


def _check_distinct(url: str, titles: list[Title]) -> None:
    seen: set[str] = set()
    for title in titles:
        if not title.id.strip():
            raise InputError(f"{url}: a title is empty; give it a name")
        if title.id in seen:
            raise InputError(f"{url}: the title {title.id!r} is there twice; give one another `title:`")
        seen.add(title.id)


def _parse(url: str) -> _SeasonFile:
    try:
        with open_source(url) as file:
            content = yaml.safe_load(file.read().decode("utf-8"))
    except OSError as error:
        raise InputError(f"{url}: cannot be read ({error.strerror}); check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{url}: not valid YAML ({' '.join(str(error).split())}); mend it") from None
    if not isinstance(content, dict):
        raise InputError(f"{url}: this is no season file; it begins with `titles:`")
    try:
        return _SeasonFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        message = first["msg"].lower()
        if first["type"] == "extra_forbidden":
            model = _TitleEntry if len(first["loc"]) > 1 else _SeasonFile
            near = difflib.get_close_matches(str(first["loc"][-1]), model.model_fields, n=1)
            message = f"there is no such key{f'; did you mean {near[0]!r}?' if near else ''}"
            message += f" Known are {', '.join(model.model_fields)}"
        raise InputError(f"{url}: {place}: {message}") from None


def _check_options(url: str, key: str, options: dict[str, Any], *, of_title: bool) -> None:
    try:
        make_options(options)
        groups = option_names()
        spread = next((name for name in options if groups[name] == "run"), None)
        if of_title and spread is not None:
            raise OptionError(f"option {spread!r} is of the run as a whole; set it for all titles")
    except VcnError as error:
        raise OptionError(f"{url}: {key}: {error}") from None


def _from_file(url: str, given: str) -> str:
    """A path of the season file, seen from where the file lies."""
    if is_object_url(given) or given.startswith(("/", "~")):
        return given
    if is_object_url(url):
        return posixpath.join(posixpath.dirname(url), given)
    return str(Path(url).expanduser().absolute().parent / given)
