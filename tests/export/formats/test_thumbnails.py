"""Thumbnails for a scrub bar: each cue is the picture of its time, wherever it is in the sheets."""

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import webvtt
from support.finished_season import ODD, PLAIN

from vcn_ray.errors import InputError
from vcn_ray.export.finished_season import VideoFacts, part_of
from vcn_ray.export.formats.thumbnails import write_thumbnails
from vcn_ray.season.season_result import SeasonResult


def test_each_cue_is_the_picture_of_its_time(known_season: SeasonResult, tmp_path: Path) -> None:
    asked = []

    def stills(video: VideoFacts, every_s: float, max_side_px: int) -> Iterator[tuple[float, np.ndarray]]:
        asked.append((video.video, every_s, max_side_px))
        for n in range(210):
            yield 0.02 + n / 20, np.full((90, 160, 3), n, np.uint8)

    write_thumbnails(part_of(known_season, PLAIN, videos=known_season.video_facts, stills=stills), tmp_path / "t")
    assert asked == [("s01e01.mp4", 1.0, 160)]
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == [
        *(f"s01e01.mp4-{n}.jpg" for n in (1, 2, 3)),
        "s01e01.mp4.vtt",
    ]
    cues = webvtt.read(tmp_path / "t" / "s01e01.mp4.vtt")
    assert (cues[0].start, cues[-1].end) == ("00:00:00.000", "00:00:12.000")
    assert [cue.end for cue in cues[:-1]] == [cue.start for cue in cues[1:]]
    sheets = {}
    for n, cue in enumerate(cues):
        name, *place = re.fullmatch(r"(.+\.jpg)#xywh=(\d+),(\d+),(\d+),(\d+)", cue.text).groups()
        x, y, width, height = map(int, place)
        sheet = sheets.setdefault(name, cv2.imread(str(tmp_path / "t" / name)))
        piece = sheet[y : y + height, x : x + width]
        assert piece.shape == (90, 160, 3)
        assert abs(float(piece.mean()) - n) < 2


def test_a_video_that_is_gone_is_told(known_season: SeasonResult, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"a\.mp4: where it lies is not known; thumbnails are pictures of the video itself"
    ):
        known_season.export("webvtt-thumbnails", tmp_path / "t", title=ODD)
    assert not (tmp_path / "t").exists()
