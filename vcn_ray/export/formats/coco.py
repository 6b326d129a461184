"""COCO with videos and tracks, as COCO-VID and TAO have them: boxes of characters, for those who train."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from vcn_ray.export.finished_season import UNKNOWN, FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, videos_with_tracks
from vcn_ray.export.formats.labels import known_size, numbered_names
from vcn_ray.version import __version__


def write_coco(season: FinishedSeason, path: Path) -> None:
    """Write one file of all videos: info, videos, tracks, categories, images, annotations.

    A category is a character, an image a frame in which a face is, an annotation a face; Unknown ones are a category,
    too: whoever trains on these frames must not take their faces for none. An image is called ``VIDEO/000123.jpg``,
    123 being the frame, from 0, and is not written. The keys are those of
    https://github.com/JonathonLuiten/TrackEval/blob/master/docs/TAO-format.txt.

    Raises `OptionError` where a video's width and height are not known.
    """
    videos = videos_with_tracks(season)
    categories = numbered_names(videos)
    frames = [np.unique(video.faces["frame"].to_numpy()) for video in videos]
    first_image = np.cumsum([1, *map(len, frames)])  # of each video
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"info": ' + json.dumps({"description": "faces by character", "version": f"vcn-ray {__version__}"}))
        file.write(',\n"licenses": []')
        _write(file, "categories", ({"id": n, "name": who, "supercategory": "face"} for who, n in categories.items()))
        _write(file, "videos", (_video(n, video) for n, video in enumerate(videos, 1)))
        numbered = _numbered(videos)
        tracks = (track for n, video in enumerate(videos, 1) for track in _tracks(n, video, categories, numbered))
        _write(file, "tracks", tracks)
        images = (
            image
            for n, (video, own, first) in enumerate(zip(videos, frames, first_image[:-1], strict=True), 1)
            for image in _images(n, video, own, int(first))
        )
        _write(file, "images", images)
        _write(file, "annotations", _annotations(videos, frames, first_image, categories, numbered))
        file.write("}\n")


def _write(file: TextIO, key: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """A list of the file, a line each."""
    file.write(f',\n"{key}": [')
    for n, row in enumerate(rows):
        file.write(("\n" if n == 0 else ",\n") + json.dumps(row, ensure_ascii=False))
    file.write("]")


def _video(number: int, video: VideoTracks) -> dict[str, Any]:
    width, height = known_size(video)
    facts = {"id": number, "name": video.facts.video, "title": video.facts.title, "width": width, "height": height}
    return facts | {"fps": video.facts.fps, "frames": video.facts.frames, "folder": video.file_name}


def _numbered(videos: list[VideoTracks]) -> dict[tuple[int, int], int]:
    """A number for each track, by the number of its video and its own, which is unique in a title alone."""
    keys = ((n, track) for n, video in enumerate(videos, 1) for track in np.unique(video.faces["track_id"]).tolist())
    return {key: number for number, key in enumerate(keys, 1)}


def _tracks(
    video_number: int, video: VideoTracks, categories: Mapping[str, int], numbered: Mapping[tuple[int, int], int]
) -> Iterator[dict[str, Any]]:
    who = dict(zip(video.faces["track_id"].to_pylist(), video.who, strict=True))
    for track_id in sorted(who):
        numbers = {"id": numbered[video_number, track_id], "video_id": video_number}
        yield numbers | {"category_id": categories[who[track_id] or UNKNOWN], "track_id": track_id}


def _images(video_number: int, video: VideoTracks, frames: np.ndarray, first: int) -> Iterator[dict[str, Any]]:
    width, height = known_size(video)
    for number, frame in enumerate(frames.tolist(), first):
        name = {"id": number, "video_id": video_number, "file_name": f"{video.file_name}/{frame:06}.jpg"}
        yield name | {"frame_index": frame, "width": width, "height": height}


def _annotations(
    videos: list[VideoTracks],
    frames: list[np.ndarray],
    first_image: np.ndarray,
    categories: Mapping[str, int],
    numbered: Mapping[tuple[int, int], int],
) -> Iterator[dict[str, Any]]:
    """The faces, boxes as in our tables; `score` is null where a box was interpolated."""
    number = 0
    for n, video in enumerate(videos):
        faces = video.faces
        images = first_image[n] + np.searchsorted(frames[n], faces["frame"].to_numpy())
        boxes = np.stack([faces[side].to_numpy().astype(np.float64) for side in "xywh"], axis=1).round(2)
        rows = zip(
            images.tolist(),
            boxes.tolist(),
            faces["track_id"].to_pylist(),
            faces["score"].to_pylist(),
            video.who,
            strict=True,
        )
        for image, box, track_id, score, who in rows:
            number += 1
            yield {
                "id": number,
                "image_id": image,
                "video_id": n + 1,
                "category_id": categories[who or UNKNOWN],
                "track_id": numbered[n + 1, track_id],
                "bbox": box,
                "area": round(box[2] * box[3], 2),
                "iscrowd": 0,
                "score": None if score is None else round(score, 4),
            }
