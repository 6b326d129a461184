"""A season written down: titles, their videos and options, in YAML.

name: My series                 # optional; the file's name otherwise
adapt: title                    # or season: all videos are one title, as the paper did with its series
options: {seed: 1}              # optional; for all titles
titles:
  - video: s01e01.mkv           # paths count from this file's own folder
  - title: Pilot
    videos: [pilot-a.mkv, s3://bucket/pilot-b.mkv]
    options: {min_face_px: 24}  # optional; for this title
    tracks: pilot.parquet       # optional; its tracks, instead of looking for faces (docs/track-files.md)
    tracks_fps: 25              # optional; frames a second that they were made for
"""

from __future__ import annotations

import difflib
import posixpath
from collections import Counter
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vcn_ray.cluster.clusterers.table import find_clusterer
from vcn_ray.config import make_options, option_names
from vcn_ray.errors import InputError, OptionError, VcnError
from vcn_ray.inputs.discovery import at_home, distinct_names, expand, identity, without_repetition
from vcn_ray.inputs.titles import GivenTracks, Season, Title
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.sources import open_source, source_name


class _TitleEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str | None = None
    video: str | None = None
    videos: list[str] = []
    options: dict[str, Any] = {}
    tracks: str | None = None
    tracks_fps: float | None = Field(None, gt=0, allow_inf_nan=False)


class _SeasonFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    adapt: Literal["title", "season"] = "title"
    options: dict[str, Any] = {}
    titles: list[_TitleEntry]


def read_season_file(url: str) -> Season:
    """The season that a file describes, on this machine or at an ``s3://`` URL.

    A title whose video is missing is refused and the others go on, except with ``adapt: season``, where all are one
    title. `InputError` names the key that is wrong, `OptionError` the option.
    """
    content = _parse(url)
    if not content.titles:
        raise InputError(f"{url}: titles is empty; list at least one `- video: FILE`")
    _check_options(url, "options", content.options, of_title=False)
    as_one = content.adapt == "season"
    titles: list[Title] = []
    refused: list[tuple[str, str]] = []
    for number, entry in enumerate(content.titles):
        key = f"titles[{number}]"
        given = [*([entry.video] if entry.video else []), *entry.videos]
        if not given:
            raise InputError(f"{url}: {key} has no video; write `video: FILE` or `videos: [FILE, ...]`")
        named = entry.title or _stem(given[0])
        if not named.strip():
            raise InputError(f"{url}: {key}.title is empty; give it a name")
        if as_one and entry.options:
            raise InputError(
                f"{url}: title {named!r} has options of its own, but with `adapt: season` all are one title"
            )
        _check_options(url, f"{key} ({named}): options", entry.options, of_title=True)
        try:
            videos = without_repetition([video for one in given for video in expand(_from_file(url, one))])
        except InputError as error:
            refused.append((named, str(error)))
            continue
        if not (entry.title or as_one) and len(videos) > 1:
            raise InputError(f"{url}: {key} has {len(videos)} videos but no name; write `title: NAME` there")
        name = entry.title or _stem(videos[0])
        title = Title(name, tuple(videos), distinct_names(videos, stems=False), entry.options)
        if entry.tracks is not None:
            title = title.with_tracks(GivenTracks(at_home(_from_file(url, entry.tracks)), entry.tracks_fps))
        elif entry.tracks_fps is not None:
            raise InputError(f"{url}: {key} has tracks_fps but no tracks; write `tracks: FILE`, too")
        titles.append(title)
    if refused and (as_one or not titles):
        raise InputError("\n".join(sentence for _, sentence in refused))
    _check_owners(url, titles)
    if as_one:
        videos = [video for title in titles for video in title.videos]
        name = (content.name or "").strip() or _stem(url)
        of_videos = tuple(title.tracks_of(n) for title in titles for n in range(len(title.videos)))
        tracks = of_videos if any(of_videos) else ()
        whole = Title(name, tuple(videos), distinct_names(videos, stems=False), tracks=tracks)
        return Season((whole,), (), content.options)
    _check_distinct(url, titles)
    return Season(tuple(titles), tuple(refused), content.options)


def _check_owners(url: str, titles: list[Title]) -> None:
    """No video is in two titles, whatever path leads to it."""
    owners: dict[str, Title] = {}
    for title in titles:
        for video in title.videos:
            other = owners.setdefault(identity(video), title)
            if other is not title:
                raise InputError(f"{url}: {video} is in two titles, {other.id!r} and {title.id!r}; take it out of one")


def _check_distinct(url: str, titles: list[Title]) -> None:
    count = Counter(title.id for title in titles)
    for title in titles:
        if count[title.id] > 1:
            raise InputError(f"{url}: the title {title.id!r} is there twice; give one another `title: NAME`")


def _stem(url: str) -> str:
    """A file's name without its ending."""
    return posixpath.splitext(source_name(url))[0]


def _parse(url: str) -> _SeasonFile:
    try:
        with open_source(url) as file:
            text = file.read().decode("utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        raise InputError(f"{url}: cannot be read ({error.strerror}); check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{url}: not valid YAML ({' '.join(str(error).split())}); mend it") from None
    if not isinstance(content, dict):
        raise InputError(f"{url}: this is no season file; it begins with `titles:`")
    _check_keys(url, root)
    try:
        return _SeasonFile.model_validate(content)
    except ValidationError as error:
        first = cast(Any, error.errors()[0])
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        if first["type"] == "extra_forbidden":
            model = _TitleEntry if len(first["loc"]) > 1 else _SeasonFile
            near = difflib.get_close_matches(str(first["loc"][-1]), model.model_fields, n=1)
            message = f"there is no such key{f'; did you mean {near[0]!r}?' if near else '.'}"
            message += f" Known are {', '.join(model.model_fields)}"
        elif first["type"] == "string_type":
            message = f"this has to be text, not {first['input']!r}; put it in quotes"
        else:
            message = first["msg"].lower()
        line = _line(root, first["loc"])
        raise InputError(f"{url}: line {line}, {place}: {message}") from None


def _check_keys(url: str, root: yaml.Node) -> None:
    """No key is there twice in one place: of two, YAML would take the last and say nothing."""
    seen: set[int] = set()
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            nodes += [value for _, value in node.value]
            keys: set[str] = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in keys:
                    line = key.start_mark.line + 1
                    raise InputError(f"{url}: line {line}: the key {key.value!r} is there twice; take one out")
                keys.add(key.value)


def _line(root: yaml.Node, place: tuple[str | int, ...]) -> int:
    """Line of a key, or of the last one on the way to it that is there."""
    node, line = root, root.start_mark.line + 1
    for part in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
    return line


def _check_options(url: str, key: str, options: dict[str, Any], *, of_title: bool) -> None:
    try:
        find_clusterer(make_options(options).cluster.merging)
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
    return str(Path(url).absolute().parent / given)
