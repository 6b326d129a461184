"""Finds the cast of whole seasons of film and television: VideoClusterNet on Ray.

    import vcn_ray

    result = vcn_ray.run(["s01e01.mkv", "s01e02.mkv"], "out", title="My series")
    result.clusters.to_pandas()
    result.evaluate("labels.csv").summary()

does what the command ``vcn-ray run`` does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vcn_ray.version import __version__

if TYPE_CHECKING:
    from vcn_ray.config import Options
    from vcn_ray.season.season_result import SeasonResult

__all__ = ["__version__", "load", "run"]


def run(
    videos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    title: str | None = None,
    options: Options | Mapping[str, Any] | None = None,
    *,
    from_s: float = 0.0,
    to_s: float | None = None,
    local: bool = False,
) -> SeasonResult:
    """Find the characters of videos; what an earlier run into the same folder has done is not done again.

    Args:
        videos: files, folders, patterns, ``s3://`` URLs, or one season file (YAML).
        out: folder of the results, or an ``s3://`` URL.
        title: make all videos one title of this name, so that characters run through them all.
        options: as of `vcn_ray.config.make_options`, or settings by name, such as ``{"sample_every_frames": 6}``.
        from_s: leave out what comes before, in seconds of each video.
        to_s: leave out what comes after.
        local: do everything in this process, for debugging.

    Returns:
        Tables, titles and errors; a title that failed is in `errors` and the others are done.

    Raises:
        vcn_ray.errors.VcnError: nothing could be done; the message says what to do.
    """
    from vcn_ray.config import Options
    from vcn_ray.errors import OptionError
    from vcn_ray.execution.factory import make_executor
    from vcn_ray.inputs.resolve import find_season
    from vcn_ray.inputs.titles import TimeRange
    from vcn_ray.season.run import run_season
    from vcn_ray.season.season_result import load_season
    from vcn_ray.storage.store import Store

    given = [videos] if isinstance(videos, str | os.PathLike) else list(videos)
    season = find_season(given, title)
    if isinstance(options, Options):
        if season.settings or any(own.settings for own in season.titles):
            raise OptionError("options of a season file go under those given: give these as a mapping, name to value")
        for_all, own_options = options, dict[str, Options]()
    else:
        for_all, own_options = season.options(given=dict(options or {}))
    part, executor = TimeRange(from_s, to_s), make_executor(local=local)
    run_season(season, Store(out), for_all, part=part, executor=executor, title_options=own_options)
    return load_season(os.fspath(out))


def load(out: str | os.PathLike[str]) -> SeasonResult:
    """Results of an earlier run, from its folder or ``s3://`` URL."""
    from vcn_ray.season.season_result import load_season

    return load_season(os.fspath(out))
