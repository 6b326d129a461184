"""RTTM: who is on screen when, as diarisation has who speaks when."""

from __future__ import annotations

import posixpath
from collections import Counter
from pathlib import Path

from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, videos_with_tracks
from vcn_ray.export.formats.presence import NOBODY
from vcn_ray.track_files.content import file_name
from vcn_ray.track_files.rttm import Turn, write_rttm


def write_turns(season: FinishedSeason, path: Path) -> list[str]:
    """Write a file with a turn a track, from its first frame to the end of its last; Unknown tracks are left out.

    A recording's id is the video's name without its ending, or with it where two are else the same.
    """
    videos = videos_with_tracks(season)
    stems = Counter(posixpath.splitext(file_name(video.facts.video))[0] for video in videos)
    turns: list[Turn] = []
    for video in videos:
        stem = posixpath.splitext(file_name(video.facts.video))[0]
        turns += turns_of(video, stem if stems[stem] == 1 else video.facts.video)
    write_rttm(path, turns)
    return [] if turns else [NOBODY]


def turns_of(video: VideoTracks, recording: str) -> list[Turn]:
    """The turns of a video by time. recording: what it is called."""
    frame_s = 0.0 if video.facts.fps is None else 1 / video.facts.fps
    spans: dict[int, tuple[float, float, str]] = {}
    rows = zip(video.faces["track_id"].to_pylist(), video.faces["time_s"].to_pylist(), video.who, strict=True)
    for track, time_s, who in rows:
        if who is not None:
            first, last, _ = spans.get(track, (time_s, time_s, who))
            spans[track] = min(first, time_s), max(last, time_s), who
    return [Turn(recording, who, first, last - first + frame_s) for first, last, who in sorted(spans.values())]
