"""From what a user names on the command line to a season: which videos there are and which belong together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from vcn_ray.errors import InputError
from vcn_ray.inputs.discovery import at_home, distinct_names, expand, without_repetition
from vcn_ray.inputs.titles import GivenTracks, Season, Title, printable
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.sources import source_name


def find_season(
    inputs: Sequence[str | os.PathLike[str]],
    title: str | None = None,
    tracks: Sequence[str | os.PathLike[str]] = (),
    tracks_fps: float | None = None,
) -> Season:
    """Titles of what is given: one video, one title; with `title`, all videos that title.

    An input is a video, a folder, a pattern, the same as ``s3://bucket/prefix``, or one season file (YAML) alone. An
    input that names no video is refused with a sentence and the others go on, except within one `title`, which
    needs all of its videos. `tracks` say where tracks are given: one for all titles, or one a title in their order;
    `tracks_fps` for how many frames a second they were made. Raises `InputError` where nothing is left, or `title` is
    empty, or there are not as many `tracks`.
    """
    found = _find_titles(inputs, title)
    if not tracks:
        if tracks_fps is not None:
            raise InputError("--tracks-fps says what --tracks was made for: give that, too")
        return found
    if any(one.tracks for one in found.titles):
        raise InputError("the season file gives tracks, and so does --tracks: leave one out")
    if tracks_fps is not None and not 0 < tracks_fps < float("inf"):
        raise InputError(f"--tracks-fps {tracks_fps:g}: give a number of frames a second above 0")
    places = [at_home(os.fspath(one)) for one in tracks]
    places = [one if is_object_url(one) else os.path.abspath(one) for one in places]
    if len(places) == 1:
        places *= len(found.titles)
    given = [GivenTracks(one, tracks_fps, shared=places.count(one) > 1) for one in places]
    if len(given) != len(found.titles):
        raise InputError(
            f"--tracks is there {len(tracks)} times for {len(found.titles)} titles: give one that names their videos, "
            "or one for each title in order"
        )
    titles = tuple(one.with_tracks(where) for one, where in zip(found.titles, given, strict=True))
    return replace(found, titles=titles)


def _find_titles(inputs: Sequence[str | os.PathLike[str]], title: str | None) -> Season:
    if title is not None and not title.strip():
        raise InputError("--title is empty: give the title a name")
    files = [os.fspath(given) for given in inputs if os.fspath(given).lower().endswith((".yaml", ".yml"))]
    if files:
        from vcn_ray.inputs.season_file import read_season_file

        if len(inputs) > 1 or title is not None:
            raise InputError(f"{files[0]}: a season file stands alone: leave out the other inputs and --title")
        return read_season_file(at_home(files[0]))
    videos: list[str] = []
    refused: list[tuple[str, str]] = []
    for given in inputs:
        try:
            videos += expand(os.fspath(given))
        except InputError as error:
            refused.append((printable(os.fspath(given)), str(error)))
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
