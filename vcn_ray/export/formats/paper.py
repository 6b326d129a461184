"""Lists of tracks as VideoClusterNet's data sets hold them: frame index and box, a file a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import videos_with_tracks
from vcn_ray.track_files.track_lists import write_track_lists


def write_paper_lists(season: FinishedSeason, path: Path) -> None:
    """Write a folder with one list a video, ``VIDEO.txt``; see `track_files.track_lists`."""
    videos = videos_with_tracks(season)
    path.mkdir()
    for video in videos:
        frames, scores = video.faces["frame"].to_pylist(), video.faces["score"].to_pylist()
        boxes = np.stack([video.faces[side].to_numpy().astype(np.float64) for side in "xywh"], axis=1).tolist()
        rows: dict[int, list[int]] = {}
        for row, track in enumerate(video.faces["track_id"].to_pylist()):
            rows.setdefault(track, []).append(row)
        tracks = [
            (track, video.who[own[0]], [(frames[row], boxes[row], scores[row]) for row in own])
            for track, own in sorted(rows.items())
        ]
        write_track_lists(path / f"{video.file_name}.txt", video.facts.video, video.rate, video.size, tracks)
