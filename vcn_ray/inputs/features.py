"""Titles of embeddings that a user gives in place of videos."""

from __future__ import annotations

import os
from collections.abc import Sequence

from vcn_ray.errors import InputError
from vcn_ray.inputs.discovery import at_home, distinct_names, without_repetition
from vcn_ray.inputs.titles import Season, Title
from vcn_ray.storage.objectstore import is_object_url


def find_features(files: Sequence[str | os.PathLike[str]], title: str | None = None) -> Season:
    """A title a file; its videos are those that the file names.

    Args:
        files: Parquet or npz, on this machine or ``s3://`` URLs, as `track_files.features` reads them.
        title: name of the title, where it is one file.

    Raises `InputError` where there are several files for one title, or one cannot be read.
    """
    from vcn_ray.track_files.features import read_features  # here alone: most runs have none

    places = [at_home(os.fspath(one)) for one in files]
    places = without_repetition([one if is_object_url(one) else os.path.abspath(one) for one in places])
    if title is not None and len(places) > 1:
        raise InputError("--title joins no files of embeddings: put them into one, with a column video")
    ids = [title] if title is not None else distinct_names(places, stems=True)
    titles = []
    for name, place in zip(ids, places, strict=True):
        videos = tuple(read_features(place).videos())
        titles.append(Title(name, (place,) * len(videos), videos))
    return Season(tuple(titles), ())
