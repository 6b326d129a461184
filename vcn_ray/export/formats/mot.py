"""MOT challenge text: a folder of sequences, a video each, as CVAT, Datumaro and TrackEval read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import videos_with_tracks
from vcn_ray.track_files.mot import write_mot_sequence


def write_mot(season: FinishedSeason, path: Path) -> None:
    """Write a folder with one sequence a video: ``VIDEO/gt/gt.txt``, ``gt/labels.txt`` and ``seqinfo.ini``.

    A track's id is its number and 1, its class the line of its character in ``labels.txt``; see `track_files.mot`.
    """
    videos = videos_with_tracks(season)
    path.mkdir()
    for video in videos:
        boxes = np.stack([video.faces[side].to_numpy().astype(np.float64) for side in "xywh"], axis=1)
        rows = zip(
            video.faces["frame"].to_pylist(),
            video.faces["track_id"].to_pylist(),
            boxes.tolist(),
            video.faces["score"].to_pylist(),
            video.who,
            strict=True,
        )
        info: dict[str, Any] = {"name": video.facts.video}
        if video.rate is not None:
            info["frameRate"] = repr(video.rate)
        if video.facts.frames is not None:
            info["seqLength"] = video.facts.frames
        if video.size is not None:
            info |= {"imWidth": video.size[0], "imHeight": video.size[1]}
        write_mot_sequence(path / video.file_name, list(rows), info)
