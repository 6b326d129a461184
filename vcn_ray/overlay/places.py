"""Where the videos of a season go: one into the file that is named, several into a folder, none over a film."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vcn_ray.errors import OptionError
from vcn_ray.export.exporters import place_and_name
from vcn_ray.export.formats.by_video import file_names_of
from vcn_ray.inputs.discovery import VIDEO_SUFFIXES
from vcn_ray.overlay.containers import KINDS, kind_of
from vcn_ray.overlay.task import VideoTask
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.store import Store


def placed(tasks: list[VideoTask], out: str, word: str) -> list[VideoTask]:
    """The tasks with where each goes: the file named, or files of their videos' names in the folder named."""
    ending = os.path.splitext(out)[1].lower()
    is_folder = out.endswith("/") or (not is_object_url(out) and Path(out).is_dir())
    if not is_folder and ending in {*KINDS, *VIDEO_SUFFIXES}:
        kind_of(out)
        if len(tasks) > 1:
            raise OptionError(
                f"-o {out} is one file and {len(tasks)} videos would be made ({tasks[0].label}, {tasks[1].label}"
                f"{', ...' if len(tasks) > 2 else ''}): name a folder, or one title, or one video with --video"
            )
        place, name = place_and_name(out, "")
        return [replace(tasks[0], place=place.url, name=name)]
    place = Store(out)
    stems = [os.path.splitext(task.video)[0] for task in tasks]
    different = list(dict.fromkeys(stems))
    plain = dict(zip(different, file_names_of(different), strict=True))
    names = [f"{plain[stem]}-{word}" for stem in stems]
    names = _apart(names, [f"{Store(task.title).name}/{name}" for task, name in zip(tasks, names, strict=True)])
    # Videos of a title that differ in their ending alone.
    endings = [os.path.splitext(task.video)[1].lstrip(".") for task in tasks]
    names = _apart(names, [f"{name}-{ending}" for name, ending in zip(names, endings, strict=True)])
    return [replace(task, place=place.url, name=name) for task, name in zip(tasks, names, strict=True)]


def _apart(names: Sequence[str], longer: Sequence[str]) -> list[str]:
    """The longer name for each of those that are there more than once."""
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [more if name in twice else name for name, more in zip(names, longer, strict=True)]


def keep_films(tasks: Sequence[VideoTask], films: Iterable[str]) -> None:
    """`OptionError` where a video would be written over a film of the season, its own or another's."""
    known = {film if is_object_url(film) else os.path.realpath(film) for film in films}
    for task in tasks:
        has_ending = os.path.splitext(task.name)[1].lower() in KINDS
        for ending in [""] if has_ending else KINDS:
            where = Store(task.place).where(task.name + ending)
            if (where if is_object_url(where) else os.path.realpath(where)) in known:
                raise OptionError(f"{where} is a film of this season and never written over: name another with -o")
