"""WebVTT of thumbnails: what a player shows over its scrub bar, pictures of the film in a few sheets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

from vcn_ray.errors import InputError
from vcn_ray.export.appearances import time_code
from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, videos_with_tracks
from vcn_ray.export.formats.presence import duration_s

_SIDE_PX = 160  # the longer one
_MOST_S, _LEAST_S, _ENOUGH = 10.0, 1.0, 100  # between two; closer in a short video, until there are enough
_COLUMNS, _ROWS = 10, 10  # of a sheet, which stays below 2048 pixels, as much as any browser of a phone takes
_JPEG_QUALITY = 75


def write_thumbnails(season: FinishedSeason, path: Path) -> None:
    """Write a folder with ``VIDEO.vtt`` and its sheets of pictures, ``VIDEO-1.jpg`` and on, a video each.

    A cue is a picture's place in a sheet, ``VIDEO-1.jpg#xywh=0,0,160,90``, from its time to that of the next, as JW
    Player and others read it (https://docs.jwplayer.com/platform/docs/vdh-add-preview-thumbnails). A part of a season
    is of videos; who is in them makes no difference.

    Raises `InputError` where a video is not where it was when it was run.
    """
    path.mkdir()
    for video in videos_with_tracks(season):
        _write(season, video, path)


def _write(season: FinishedSeason, video: VideoTracks, path: Path) -> None:
    length_s = duration_s(video)
    every_s = min(max(length_s / _ENOUGH, _LEAST_S), _MOST_S)
    try:
        placed = list(_sheets(season.stills(video.facts, every_s, _SIDE_PX), path, video.file_name))
    except InputError as error:
        raise InputError(
            f"{error}; thumbnails are pictures of the video itself: put it back, or export webvtt alone"
        ) from None
    # The first is shown from the start, whichever was the first that could be decoded.
    times_ms = [0, *(round(1000 * time_s) for time_s, _ in placed[1:])][: len(placed)]
    ends_ms = max(round(1000 * length_s), times_ms[-1] + 1) if placed else 0
    blocks = ["WEBVTT"]
    for (start_ms, end_ms), (_, place) in zip(pairwise([*times_ms, ends_ms]), placed, strict=True):
        blocks.append(f"{time_code(start_ms)} --> {time_code(end_ms)}\n{place}")
    (path / f"{video.file_name}.vtt").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _sheets(stills: Iterator[tuple[float, np.ndarray]], path: Path, name: str) -> Iterator[tuple[float, str]]:
    """Write pictures of one size into sheets; gives the time and place of each."""
    sheet: list[np.ndarray] = []
    written = 0
    for time_s, picture in stills:
        row, column = divmod(len(sheet), _COLUMNS)
        height, width = picture.shape[:2]
        sheet.append(picture)
        yield time_s, f"{quote(name)}-{written + 1}.jpg#xywh={column * width},{row * height},{width},{height}"
        if len(sheet) == _COLUMNS * _ROWS:
            written += 1
            _write_sheet(sheet, path / f"{name}-{written}.jpg")
            sheet = []
    if sheet:
        _write_sheet(sheet, path / f"{name}-{written + 1}.jpg")


def _write_sheet(pictures: list[np.ndarray], path: Path) -> None:
    height, width = pictures[0].shape[:2]
    columns = min(len(pictures), _COLUMNS)
    rows = -(-len(pictures) // _COLUMNS)
    whole = np.zeros((rows * height, columns * width, 3), np.uint8)
    for n, picture in enumerate(pictures):
        row, column = divmod(n, _COLUMNS)
        whole[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    path.write_bytes(cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes())
