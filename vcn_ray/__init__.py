"""Finds the cast of whole seasons of film and television: VideoClusterNet on Ray.

    import vcn_ray

    season = vcn_ray.run(["s01e01.mkv", "s01e02.mkv"], "out", title="My series")
    season.cast[0].timeline()
    season.clusters.to_pandas()
    season.evaluate("labels.csv").summary()

does what the command ``vcn-ray run`` does. `plan` and `status` are the other commands', `load` reads earlier results.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vcn_ray.version import __version__

if TYPE_CHECKING:
    from vcn_ray.config import Options
    from vcn_ray.execution.base import Executor
    from vcn_ray.inputs.titles import Season
    from vcn_ray.monitoring.status import SeasonStatus
    from vcn_ray.pipeline.stages import Stages
    from vcn_ray.season.dry_run import Plan
    from vcn_ray.season.season_result import SeasonResult

__all__ = ["SeasonResult", "__version__", "load", "plan", "run", "status"]


def run(
    videos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    title: str | None = None,
    options: Options | Mapping[str, Any] | None = None,
    *,
    tracks: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    tracks_fps: float | None = None,
    features: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    from_s: float = 0.0,
    to_s: float | None = None,
    local: bool = False,
    executor: str | Executor | None = None,
    gallery: str | os.PathLike[str] | None = None,
) -> SeasonResult:
    """Find the characters of videos; what an earlier run into the same folder has done is not done again.

    Args:
        videos: files, folders, patterns, ``s3://`` URLs, or one season file (YAML).
        out: folder of the results, or an ``s3://`` URL.
        title: make all videos one title of this name, so that characters run through them all.
        options: as of `vcn_ray.config.make_options`, or settings by name, such as ``{"sample_every_frames": 6}``.
        tracks: files of tracks, where those are given and faces are not looked for: one for all titles, or one a title
            in order; docs/track-files.md has the formats.
        tracks_fps: frames a second that they were made for; None: what they say themselves, else those of the video.
        features: files of embeddings in place of `videos`, which are then empty; clustered, not adapted.
        from_s: leave out what comes before, in seconds of each video.
        to_s: leave out what comes after.
        local: do everything in this process, for debugging; as ``executor="local"``.
        executor: who does the work: a name of `vcn_ray.execution.factory.EXECUTORS`, or one of your own; None: Ray.
        gallery: folder or URL of reference pictures (Name/picture.jpg or Name.jpg), or of an earlier season's results,
            to name the cast by afterwards; `SeasonResult.name` does the same later, and tells the alternatives.

    Returns:
        What was found: titles, cast, tables. A title that failed has an `error`, and the others are done.

    Raises:
        vcn_ray.errors.VcnError: nothing could be done; the message says what to do.
    """
    from vcn_ray.errors import OptionError
    from vcn_ray.execution.factory import make_executor
    from vcn_ray.inputs.titles import TimeRange
    from vcn_ray.season.run import run_season
    from vcn_ray.storage.store import Store

    if local and executor is not None:
        raise OptionError("local and executor both say who does the work: give one")
    given = "local" if local else executor or "ray"
    worker = make_executor(given) if isinstance(given, str) else given
    stages: Stages | None = None
    if features:
        from vcn_ray.pipeline.features.stages import FeatureStages

        if tracks or not isinstance(videos, Sequence) or len(videos):
            raise OptionError("features stand in place of videos and their tracks: give [] and no tracks")
        season, for_all, own = _of_features(features, title, options)
        stages = FeatureStages(tracks_fps)
    else:
        season, for_all, own = _asked_for(videos, title, options, tracks, tracks_fps)
    if gallery is not None:
        from vcn_ray.curation.galleries import check_gallery

        check_gallery(os.fspath(gallery))  # a wrong one is told before hours of work
    outcome = run_season(
        season,
        Store(out),
        for_all,
        part=TimeRange(from_s, to_s),
        executor=worker,
        stages=stages,
        title_options=own,
    )
    result = load(out)
    if gallery is not None and len(outcome.failed) < len(outcome.titles):
        result.name(gallery)
    return result


def load(out: str | os.PathLike[str]) -> SeasonResult:
    """Results of an earlier run, from its folder or ``s3://`` URL.

    Tables and pictures are read when asked for. `vcn_ray.errors.InputError` where there is no finished run.
    """
    from vcn_ray.season.season_result import load_season

    return load_season(os.fspath(out))


def plan(
    videos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    title: str | None = None,
    options: Options | Mapping[str, Any] | None = None,
    *,
    tracks: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    tracks_fps: float | None = None,
    from_s: float = 0.0,
    to_s: float | None = None,
) -> Plan:
    """What `run` would do with the same arguments, and why, as ``vcn-ray run --dry-run`` tells; nothing is written.

    Returns:
        `rows` with a stage of a title each, `table()` of the same as dicts, `failing` titles, estimated `seconds`.

    Raises:
        vcn_ray.errors.VcnError: there is nothing to plan for; the message says what to do.
    """
    from vcn_ray.inputs.titles import TimeRange
    from vcn_ray.season.dry_run import plan_season
    from vcn_ray.storage.store import Store

    season, for_all, own = _asked_for(videos, title, options, tracks, tracks_fps)
    return plan_season(season, Store(out), for_all, TimeRange(from_s, to_s), title_options=own)


def status(out: str | os.PathLike[str]) -> SeasonStatus:
    """How far the last run into a folder or URL is, also from another machine, as ``vcn-ray status`` tells.

    Returns:
        `headline` in a sentence, `verdict`, and `titles` with the state, progress, retries and error of each.

    Raises:
        vcn_ray.errors.InputError: no run was ever started there.
    """
    from vcn_ray.monitoring.status import read_status
    from vcn_ray.storage.store import Store

    return read_status(Store(out))


def __getattr__(name: str) -> Any:
    """`SeasonResult`, for annotations and ``isinstance``; imported when asked for, as it needs pyarrow."""
    if name == "SeasonResult":
        from vcn_ray.season.season_result import SeasonResult

        return SeasonResult
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _asked_for(
    videos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    title: str | None,
    options: Options | Mapping[str, Any] | None,
    tracks: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    tracks_fps: float | None,
) -> tuple[Season, Options, dict[str, Options]]:
    """The titles, the options of all, and those of titles that differ."""
    from vcn_ray.config import Options
    from vcn_ray.errors import OptionError
    from vcn_ray.inputs.resolve import find_season

    given = [videos] if isinstance(videos, str | os.PathLike) else list(videos)
    tracks = [tracks] if isinstance(tracks, str | os.PathLike) else list(tracks)
    season = find_season(given, title, tracks, tracks_fps)
    if not isinstance(options, Options):
        return season, *season.options(given=dict(options or {}))
    if season.settings or any(own.settings for own in season.titles):
        raise OptionError("options of a season file go under those given: give these as a mapping, name to value")
    return season, options, {}


def _of_features(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    title: str | None,
    options: Options | Mapping[str, Any] | None,
) -> tuple[Season, Options, dict[str, Options]]:
    """As `_asked_for`, of files of embeddings."""
    from vcn_ray.config import Options
    from vcn_ray.inputs.features import find_features
    from vcn_ray.pipeline.features.stages import feature_options

    given = [files] if isinstance(files, str | os.PathLike) else list(files)
    season = find_features(given, title)
    for_all = options if isinstance(options, Options) else season.options(given=dict(options or {}))[0]
    return season, feature_options(for_all), {}
