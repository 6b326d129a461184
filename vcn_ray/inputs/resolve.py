"""From what a user names on the command line to a season: which videos there are and which belong together."""

from __future__ import annotations

import os
from collections.abc import Sequence

from vcn_ray.errors import InputError
from vcn_ray.inputs.discovery import at_home, distinct_names, expand, without_repetition
from vcn_ray.inputs.titles import Season, Title, printable
from vcn_ray.storage.sources import source_name


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
