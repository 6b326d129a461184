"""A season's tracks video by video, as most formats of other programs have them: with names, paths and rates."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from vcn_ray.errors import OptionError
from vcn_ray.export.finished_season import UNKNOWN, FinishedSeason, VideoFacts, character_names

_LONGEST_NAME_BYTES = 120
# Devices of Windows, which are no names of files.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_NAMES_TOLD = 3
# What breaks a line or is no text: control characters, halves of surrogate pairs, ends of lines and paragraphs.
_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}


@dataclass(frozen=True)
class VideoTracks:
    """The tracks of one video: faces in order of frame and track, and who each shows, None where nobody knows."""

    facts: VideoFacts
    file_name: str  # a plain one, for a file or folder of this video
    faces: pa.Table  # `schemas.SEASON_FACES`
    who: list[str | None]

    @property
    def rate(self) -> float | None:
        """Frames a second; None where frames do not come at one rate: then a frame's number alone says where it is."""
        if self.facts.fps is None:
            return None
        frame, time_s = self.faces["frame"].to_numpy(), self.faces["time_s"].to_numpy()
        steady = not len(frame) or np.abs(frame / self.facts.fps - time_s).max() * self.facts.fps < 0.5
        return self.facts.fps if steady else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels."""
        facts = self.facts
        return None if facts.width_px is None or facts.height_px is None else (facts.width_px, facts.height_px)


def tracks_by_video(season: FinishedSeason) -> Iterator[VideoTracks]:
    """The season's videos in order, each with its tracks; videos without any are left out.

    Raises `OptionError` where two titles have videos of one name: these formats tell videos apart by name.
    """
    faces = season.faces
    known = {(facts.title, facts.video): facts for facts in season.videos}
    parts = _parts(faces)
    seen = sorted(parts)
    count = Counter(video for _, video in seen)
    twice = next((video for video, times in count.items() if times > 1), None)
    if twice is not None:
        raise OptionError(f"{count[twice]} titles have a video {twice}: export one title at a time, with --title")
    order = {pair: n for n, pair in enumerate(known)}
    placed = sorted(seen, key=lambda pair: order.get(pair, len(order)))
    for (title, video), file_name in zip(placed, file_names_of([video for _, video in placed]), strict=True):
        own = parts[title, video]
        who = [None if name == UNKNOWN else name for name in _names(own)]
        yield VideoTracks(known.get((title, video), VideoFacts(title, video)), file_name, own, who)


def _parts(faces: pa.Table) -> dict[tuple[str, str], pa.Table]:
    """The faces of each title and video, by frame and track: one sort, however many videos there are."""
    ordered = faces.sort_by([(key, "ascending") for key in ("title", "video", "frame", "track_id")]).combine_chunks()
    # Groups come in no order that Arrow promises: each says where it begins.
    places = ordered.select(["title", "video"]).append_column("row", pa.array(np.arange(ordered.num_rows)))
    runs = places.group_by(["title", "video"]).aggregate([("row", "min"), ("row", "count")])
    columns = (runs[key].to_pylist() for key in ("title", "video", "row_min", "row_count"))
    return {(title, video): ordered.slice(start, count) for title, video, start, count in zip(*columns, strict=True)}


def videos_with_tracks(season: FinishedSeason) -> list[VideoTracks]:
    """The videos of `tracks_by_video`; `OptionError` where there are none."""
    videos = list(tracks_by_video(season))
    if not videos:
        raise OptionError("there are no tracks to export: no face was found in any video")
    return videos


def write_per_video(
    season: FinishedSeason, path: Path, ending: str, write_one: Callable[[VideoTracks, Path], Iterable[str] | None]
) -> list[str]:
    """Write a file a video: the file `path` where one has tracks, else a folder of this name with ``VIDEO.ending``.

    Args:
        season: or a part of one.
        path: of the file or folder to make.
        ending: of the files' names, without a dot.
        write_one: writes a video to a path; gives sentences about it, which go on after its name.

    Returns:
        Each sentence once, after the names of the videos that it is about.

    Raises:
        OptionError: no video has tracks; or see `tracks_by_video`.
    """
    videos = videos_with_tracks(season)
    if len(videos) > 1:
        path.mkdir()
    about: dict[str, list[str]] = {}
    for video in videos:
        own = path / f"{video.file_name}.{ending}" if len(videos) > 1 else path
        for sentence in write_one(video, own) or ():
            about.setdefault(sentence, []).append(video.facts.video)
    return told_of_videos(about)


def told_of_videos(about: Mapping[str, list[str]]) -> list[str]:
    """Each sentence once, after the names of the videos that it is about."""
    return [f"{_listed(names)}: {sentence}" for sentence, names in about.items()]


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMES_TOLD
    return ", ".join(names[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def one_line(text: str) -> str:
    """A text as one line that every format can hold: what is no text is a space, spaces are one."""
    plain = "".join(
        " " if unicodedata.category(letter) in _NO_TEXT or letter in "\ufffe\uffff" else letter for letter in text
    )
    return " ".join(plain.split()) or "Unnamed"


def file_names_of(names: Sequence[str]) -> list[str]:
    """Names of videos or people as plain file names, in any script, without an ending.

    A digest follows where one cannot stay as it is: it would be as another's where file names ignore case, is long, or
    is left with no letter.
    """
    taken: set[str] = set()
    plain = []
    for name in names:
        one = re.sub(r"[^\w .()+-]+", "-", unicodedata.normalize("NFC", name)).strip(" .-")
        long = len(one.encode()) > _LONGEST_NAME_BYTES
        if long or not re.search(r"\w", one) or one.casefold() in taken or _RESERVED.fullmatch(one):
            digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
            one = f"{one.encode()[:_LONGEST_NAME_BYTES].decode(errors='ignore')}--{digest}".lstrip("-")
        taken.add(one.casefold())
        plain.append(one)
    return plain


def _names(faces: pa.Table) -> list[str]:
    names: list[str] = character_names(faces).to_pylist()
    return names
