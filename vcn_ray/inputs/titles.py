"""What one run works on: titles, the season that they make, the part of each video.

A title's folder is its slug, a plain file name; no other text of a user ever becomes a path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vcn_ray.cluster.clusterers.table import find_clusterer
from vcn_ray.config import Options, make_options
from vcn_ray.errors import InputError

if TYPE_CHECKING:
    from vcn_ray.track_files.content import TrackFile

_LONGEST_SLUG = 120


@dataclass(frozen=True)
class GivenTracks:
    """Where a video's tracks are given: a file, a folder of files, or a finished season, as `track_files` reads them.

    `fps`: frames a second that it was made for; None: what it says itself, else those of the video. `shared`: whether
    it is for other videos, too, so that it has to say which of its tracks are whose.
    """

    url: str
    fps: float | None = None
    shared: bool = False

    @cached_property
    def content(self) -> TrackFile:
        """What is there, read when it is asked for first; `InputError` where it is no file of tracks."""
        from vcn_ray.track_files.reading import read_track_file  # here alone: it brings scipy, for MATLAB's files

        return read_track_file(self.url)


@dataclass(frozen=True)
class Title:
    """What one network is adapted to and what characters are numbered within.

    `videos` are absolute paths or ``s3://`` URLs in the order given; `names` are what the tables' `video` column says,
    one per video, unique in the title; `settings` are the title's own options by name; `tracks`, one per video where it
    is not empty, says whose tracks are given, None for a video whose faces are looked for.
    """

    id: str
    videos: tuple[str, ...]
    names: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    tracks: tuple[GivenTracks | None, ...] = ()

    def __post_init__(self) -> None:
        require_utf8(self.id)

    def tracks_of(self, video: int) -> GivenTracks | None:
        """Where the tracks of its n-th video are given; None where they are not."""
        return self.tracks[video] if self.tracks else None

    def with_tracks(self, given: GivenTracks) -> Title:
        """The title with the tracks of all its videos given in one place."""
        if len(self.videos) > 1 and not given.shared:
            given = replace(given, shared=True)
        return replace(self, tracks=(given,) * len(self.videos))

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

        def made(settings: dict[str, Any]) -> Options:
            options = make_options(settings)
            find_clusterer(options.cluster.merging)
            return options

        for_all = {**(config or {}), **self.settings}
        own = {
            title.id: made({**for_all, **title.settings, **(given or {})}) for title in self.titles if title.settings
        }
        return made({**for_all, **(given or {})}), own


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


def require_utf8(name: str) -> None:
    """`InputError` where a name came from bytes that are no UTF-8: no table and no page can hold it."""
    if printable(name) != name:
        raise InputError(f"{printable(name)}: this name is not valid UTF-8; rename it")


def printable(name: str) -> str:
    """The name, with bytes that are no UTF-8 written as ``\\udcff``."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True)
class TimeRange:
    """The part of each video that is worked on, in seconds from its first frame; `to_s` None means to the end."""

    from_s: float = 0.0
    to_s: float | None = None
