"""COCO and Label Studio: each face is where it was, under who it is; what is not known of a video is told."""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest
from support.finished_season import FPS, NAME, ODD, PLAIN, write_finished_season

from vcn_ray import load
from vcn_ray.errors import OptionError
from vcn_ray.export.finished_season import VideoFacts
from vcn_ray.export.formats.by_video import VideoTracks
from vcn_ray.export.formats.label_studio import _region
from vcn_ray.schemas import SEASON_FACES
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store


def _coco(season: SeasonResult, path: Path, **part: Any) -> dict[str, Any]:
    return json.loads(Path(season.export("coco", path, **part)).read_text(encoding="utf-8"))


def test_coco_says_of_each_face_where_and_who(known_season: SeasonResult, tmp_path: Path) -> None:
    coco = _coco(known_season, tmp_path / "all.json")
    by_id = {key: {row["id"]: row for row in coco[key]} for key in ("images", "videos", "tracks", "categories")}
    assert all(len(by_id[key]) == len(coco[key]) for key in by_id)
    found = Counter()
    for one in coco["annotations"]:
        image, track = by_id["images"][one["image_id"]], by_id["tracks"][one["track_id"]]
        assert image["video_id"] == one["video_id"] == track["video_id"]
        assert one["category_id"] == track["category_id"]
        assert one["area"] == one["bbox"][2] * one["bbox"][3]
        video = by_id["videos"][one["video_id"]]
        assert image["file_name"] == f"{video['folder']}/{image['frame_index']:06}.jpg"
        assert (image["width"], image["height"]) == (320, 160)
        found[
            video["name"], image["frame_index"], track["track_id"], by_id["categories"][one["category_id"]]["name"]
        ] += 1
    faces = known_season.faces.to_arrow()
    names = {None: "Unknown", 0: "Cast 0", 1: "Cast 1", 2: "Cast 2"}
    expected = [
        (row["video"], row["frame"], row["track_id"], row["character"] or names[row["cast_id"]])
        for row in faces.to_pylist()
    ]
    assert found == Counter(expected)


def test_the_same_character_is_the_same_category_in_each_part(known_season: SeasonResult, tmp_path: Path) -> None:
    parts = [_coco(known_season, tmp_path / "a.json", title=title)["categories"] for title in (PLAIN, ODD)]
    assert [[(row["id"], row["name"]) for row in part] for part in parts] == [
        [(2, "Cast 0"), (3, "Cast 1")],
        [(1, "Unknown"), (2, NAME), (4, "Cast 2")],
    ]


def test_label_studio_has_a_task_a_video_and_its_labels(known_season: SeasonResult, tmp_path: Path) -> None:
    folder = Path(known_season.export("label-studio", tmp_path / "ls"))
    tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    labels = [label.attrib["value"] for label in ET.parse(folder / "config.xml").iter("Label")]  # noqa: S314
    assert labels == ["Cast 0", "Cast 1", "Cast 2", NAME, "Unknown"]
    assert [task["data"]["video"] for task in tasks] == [
        f"/data/local-files/?d={video}" for video in ("s01e01.mp4", "a.mp4", "b.mp4")
    ]
    regions = [region for task in tasks for region in task["predictions"][0]["result"]]
    assert {label for region in regions for label in region["value"]["labels"]} == set(labels)
    assert all(region["value"]["framesCount"] == 300 and region["value"]["duration"] == 12 for region in regions)
    first = tasks[0]["predictions"][0]["result"][0]["value"]["sequence"]
    assert first[0] == {"frame": 1, "time": 0.04, "enabled": True, "rotation": 0} | {
        "x": 3.125, "y": 6.25, "width": 12.5, "height": 25.0
    }  # fmt: skip
    assert [key["enabled"] for key in first[-2:]] == [True, False]


def _track(boxes: np.ndarray, scores: list[float | None]) -> VideoTracks:
    rows = [
        {"frame": n, "time_s": n / FPS, "track_id": 0, "score": score} | dict(zip("xywh", box, strict=True))
        for n, (box, score) in enumerate(zip(boxes.tolist(), scores, strict=True))
    ]
    facts = VideoFacts("T", "v.mp4", frames=100, fps=FPS, width_px=200, height_px=100)
    return VideoTracks(facts, "v.mp4", pa.Table.from_pylist(rows, SEASON_FACES), [None] * len(rows))


def test_boxes_on_a_line_are_drawn_by_label_studio_and_others_kept() -> None:
    detected = np.array([[10, 20, 30, 40], [20, 10, 30, 50], [40, 12, 33, 41]], float)
    boxes = np.stack([np.interp(np.arange(13), [0, 6, 12], detected[:, side]) for side in range(4)], axis=1)
    scores = [0.9 if n % 6 == 0 else None for n in range(13)]
    for moved in (False, True):
        if moved:
            boxes[3, 0] += 5  # filled in by somebody who does not do it as we do
        keys = _region(_track(boxes, scores), 0, list(range(13)))["value"]["sequence"]
        assert [key["frame"] for key in keys] == ([1, 3, 4, 5, 7, 13] if moved else [1, 7, 13])
        frames = [key["frame"] for key in keys]
        for side, (name, size) in enumerate([("x", 200), ("y", 100), ("width", 200), ("height", 100)]):
            drawn = np.interp(np.arange(1, 14), frames, [key[name] * size / 100 for key in keys])
            assert np.abs(drawn - boxes[:, side]).max() < 0.01


@pytest.mark.parametrize("format_name", ["coco", "label-studio"])
def test_what_is_no_longer_known_of_a_video_is_told(tmp_path: Path, format_name: str) -> None:
    write_finished_season(Store(tmp_path / "season"))
    with pytest.raises(
        OptionError, match=r"s01e01\.mp4: this format holds the video's .*, which are no longer known, .*'s01e01'"
    ):
        load(tmp_path / "season").export(format_name, tmp_path / "out")
    assert not (tmp_path / "out").exists()
