"""Label Studio: tasks of video object tracking, with our tracks as predictions to correct; and the set-up for them."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from vcn_ray.export.finished_season import UNKNOWN, FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, one_line, videos_with_tracks
from vcn_ray.export.formats.labels import known_rate, known_size, numbered_names
from vcn_ray.version import __version__

_GOLDEN_ANGLE = 137.508 / 360  # hues that are far apart, however many there are
_LINE_PX = 0.01  # boxes are stored with some seven digits
_LOCAL_FILES = "/data/local-files/?d="  # where Label Studio serves a folder of its own machine


def write_label_studio(season: FinishedSeason, path: Path) -> None:
    """Write a folder with ``tasks.json``, a task a video, and ``config.xml``, the labelling set-up of the project.

    A track is a region, its character the label; Unknown is a label, too. Label Studio draws what lies between two key
    frames as a straight line, as we do, so that boxes that were filled in between detected faces are no key frames.

    Raises `OptionError` where a video's size, rate and length are not known.
    """
    path.mkdir()
    videos = videos_with_tracks(season)
    names = dict.fromkeys(_label(name) for name in numbered_names(videos) if name != UNKNOWN)
    (path / "config.xml").write_text(_config([*names, UNKNOWN]), encoding="utf-8")
    with open(path / "tasks.json", "w", encoding="utf-8") as file:
        json.dump([_task(video) for video in videos], file, ensure_ascii=False)
        file.write("\n")


def _config(names: Iterable[str]) -> str:
    """https://labelstud.io/templates/video_object_detector: the labels, and a frame rate that each task tells."""
    labels = [f'    <Label value={quoteattr(name)} background="{_colour(n)}"/>' for n, name in enumerate(names)]
    return "\n".join(
        [
            "<View>",
            '  <Labels name="videoLabels" toName="video" allowEmpty="false">',
            *labels,
            "  </Labels>",
            '  <Video name="video" value="$video" framerate="$fps"/>',
            '  <VideoRectangle name="box" toName="video"/>',
            "</View>\n",
        ]
    )


def _colour(number: int) -> str:
    rgb = colorsys.hsv_to_rgb(number * _GOLDEN_ANGLE % 1, 0.75, 0.85)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def _task(video: VideoTracks) -> dict[str, Any]:
    """A video and its tracks (https://labelstud.io/guide/predictions, ``videorectangle``)."""
    fps, _ = known_rate(video)
    facts = video.facts
    by_track: dict[int, list[int]] = {}
    for row, track_id in enumerate(video.faces["track_id"].to_pylist()):
        by_track.setdefault(track_id, []).append(row)
    regions = [_region(video, track_id, rows) for track_id, rows in sorted(by_track.items())]
    url = facts.path if facts.path and "://" in facts.path else _LOCAL_FILES + quote(facts.video, safe="")
    return {
        "data": {"video": url, "fps": round(fps, 6), "title": facts.title},
        "predictions": [{"model_version": f"vcn-ray {__version__}", "result": regions}],
    }


def _region(video: VideoTracks, track_id: int, rows: list[int]) -> dict[str, Any]:
    """A track. rows: its faces."""
    fps, frames = known_rate(video)
    faces = video.faces.take(rows)
    sides = np.stack([faces[side].to_numpy().astype(np.float64) for side in "xywh"], axis=1)
    filled_in = _on_a_line(sides) & faces["score"].is_null().to_numpy()
    percent = (100 * sides / np.array(2 * known_size(video))).round(4).tolist()
    sequence: dict[int, dict[str, Any]] = {}  # by frame: there are two in one of its frames where the rate varies
    for row in np.flatnonzero(~filled_in).tolist():
        frame = 1 + round(faces["time_s"][row].as_py() * fps)  # as Label Studio counts: by the time, from 1
        box = dict(zip(("x", "y", "width", "height"), percent[row], strict=True))
        sequence[frame] = {"frame": frame, "time": round(frame / fps, 6), "enabled": True, "rotation": 0} | box
    keys = list(sequence.values())
    keys[-1]["enabled"] = False  # it is drawn up to here
    return {
        "id": f"track-{track_id}",
        "from_name": "box",
        "to_name": "video",
        "type": "videorectangle",
        "value": {
            "framesCount": frames,
            "duration": round(frames / fps, 6),
            "sequence": keys,
            "labels": [_label(video.who[rows[0]])],
        },
    }


def _on_a_line(sides: np.ndarray) -> np.ndarray:
    """Which boxes, of (n, 4) one a frame, lie halfway between the one before and the one after."""
    on = np.zeros(len(sides), bool)
    on[1:-1] = (np.abs(2 * sides[1:-1] - sides[:-2] - sides[2:]) < _LINE_PX).all(axis=1)
    return on


def _label(who: str | None) -> str:
    return one_line(who or UNKNOWN)
