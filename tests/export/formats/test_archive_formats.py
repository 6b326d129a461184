"""What archives and web pages take: the JSON of a video indexer, EBUCore, the cast as a sheet."""

import base64
import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pyarrow as pa
import pytest
from support.finished_season import NAME, ODD, PLAIN, shade
from support.small_season import write_season

from vcn_ray import load
from vcn_ray.errors import OptionError
from vcn_ray.export.exporters import EXPORTERS
from vcn_ray.export.finished_season import VideoFacts
from vcn_ray.export.formats.cast_sheet import write_cast_sheet
from vcn_ray.export.formats.ebucore import write_ebucore
from vcn_ray.export.formats.indexer_json import time_text
from vcn_ray.inputs.titles import slug
from vcn_ray.schemas import SEASON_FACES
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store

FRAME_S = 0.04
_EBU, _DC = "{urn:ebu:metadata-schema:ebucore}", "{http://purl.org/dc/elements/1.1/}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00"), (7.24, "0:00:07.24"), (59.9996, "0:01:00"), (36_000.001, "10:00:00.001"), (3_600.1, "1:00:00.1")],
)
def test_times_as_video_indexer_writes_them(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_people_with_appearances_thumbnails_and_share(known_season: SeasonResult, tmp_path: Path) -> None:
    index = json.loads(Path(known_season.export("indexer-json", tmp_path / "a.json")).read_text(encoding="utf-8"))
    assert [video["name"] for video in index["videos"]] == ["s01e01.mp4", "a.mp4", "b.mp4"]
    assert index["durationInSeconds"] == 36
    faces = {face["name"]: face for face in index["summarizedInsights"]["faces"]}
    assert {name: face["id"] for name, face in faces.items()} == {"Cast 0": 0, "Cast 1": 1, NAME: 0, "Cast 2": 2}
    named = faces[NAME]
    assert named["seenDuration"] == pytest.approx(3 + 2 * FRAME_S)
    assert named["seenDurationRatio"] == pytest.approx(named["seenDuration"] / 36, abs=1e-4)
    # The third video begins after 24 s.
    assert [(one["startTime"], one["endTime"]) for one in named["appearances"]] == [
        ("0:00:13", "0:00:16.04"),
        ("0:00:27", "0:00:27.04"),
    ]
    video = index["videos"][2]["insights"]
    (face,) = [face for face in video["faces"] if face["name"] == NAME]
    assert face["confidence"] == pytest.approx(0.97)
    (instance,) = face["instances"]
    assert (instance["start"], instance["adjustedStart"]) == ("0:00:03", "0:00:27")
    (thumbnail,) = face["thumbnails"]
    assert instance["thumbnailsIds"] == [thumbnail["id"]] == [face["thumbnailId"]]
    jpeg = base64.b64decode(thumbnail["url"].removeprefix("data:image/jpeg;base64,"))
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert abs(float(picture.mean()) - shade(ODD, 3, 2)) < 3  # the sharpest of the track's crops


def test_people_go_without_thumbnails_where_pictures_are_gone(known_season: SeasonResult, tmp_path: Path) -> None:
    Path(known_season.out, "titles", slug(PLAIN), "crops.parquet").unlink()
    exported = known_season.export("indexer-json", tmp_path / "a.json", title=PLAIN)
    assert exported.remarks == ("pictures are gone (crops.parquet): no thumbnail of 2 of 2 people",)
    faces = json.loads(Path(exported).read_text(encoding="utf-8"))["videos"][0]["insights"]["faces"]
    assert [face["thumbnailId"] for face in faces] == [None, None]
    assert all("thumbnailsIds" not in instance for face in faces for instance in face["instances"])


def test_ebucore_tells_each_appearance_as_a_part(known_season: SeasonResult, tmp_path: Path) -> None:
    exported = known_season.export("ebucore", tmp_path / "x.xml", title=ODD, start_timecode="10:00:00:00")
    root = ET.parse(Path(exported, "a.mp4.xml")).getroot()  # noqa: S314
    (core,) = root
    assert core.findtext(f"{_EBU}title/{_DC}title") == ODD
    contributors = {
        one.attrib["entityId"]: one.findtext(f"{_EBU}contactDetails/{_EBU}name")
        for one in core.findall(f"{_EBU}contributor")
    }
    assert list(contributors.values()) == ["Cast 2", NAME]
    picture = core.find(f"{_EBU}format/{_EBU}videoFormat")
    assert [(side.tag, side.text) for side in picture] == [
        (f"{_EBU}width", "320"),
        (f"{_EBU}height", "160"),
        (f"{_EBU}frameRate", "25"),
    ]
    assert core.findtext(f"{_EBU}format/{_EBU}start/{_EBU}timecode") == "10:00:00:00"
    parts = [
        (
            contributors[part.find(f"{_EBU}contributor").attrib["entityId"]],
            part.findtext(f"{_EBU}partStartTime/{_EBU}normalPlayTime"),
            part.findtext(f"{_EBU}partDuration/{_EBU}normalPlayTime"),
        )
        for part in core.findall(f"{_EBU}part")
    ]
    assert parts == [("Cast 2", "00:00:00.000", "PT1.040S"), (NAME, "00:00:01.000", "PT3.040S")]


def test_ebucore_of_a_broadcast_rate_and_beyond_a_day(tmp_path: Path) -> None:
    facts = VideoFacts("T", "v.mxf", fps=30_000 / 1001, width_px=1, height_px=1, duration_s=90_001.0)
    place = {"title": "T", "video": "v.mxf", "frame": 2_697_303, "time_s": 2_697_303 * 1001 / 30_000}
    face = place | {"track_id": 0, "cast_id": 0, "character": "A\x07\n <b>"}
    season = SimpleNamespace(faces=pa.Table.from_pylist([face], SEASON_FACES), videos=[facts])
    write_ebucore(season, tmp_path / "a.xml")
    core = ET.parse(tmp_path / "a.xml").getroot()[0]  # noqa: S314
    rate = core.find(f"{_EBU}format/{_EBU}videoFormat/{_EBU}frameRate")
    assert (rate.text, rate.attrib) == ("30", {"factorNumerator": "1000", "factorDenominator": "1001"})
    assert core.findtext(f"{_EBU}part/{_EBU}partStartTime/{_EBU}offsetNormalPlayTime") == "PT90000.010S"
    assert core.findtext(f"{_EBU}contributor/{_EBU}contactDetails/{_EBU}name") == "A <b>"


def test_the_cast_and_its_seconds_in_each_title(known_season: SeasonResult, tmp_path: Path) -> None:
    content = Path(known_season.export("csv-cast", tmp_path / "a.csv")).read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows[0] == [
        *("character", "titles", "appearances", "seconds", "share", "first_title", "first_video", "first"),
        *(PLAIN, ODD),
    ]
    assert rows[1] == ["Cast 0", "1", "2", "6.08", "0.1689", PLAIN, "s01e01.mp4", "00:00:00.000", "6.08", ""]
    assert [row[0] for row in rows[1:]] == ["Cast 0", "Cast 2", NAME, "Cast 1"]
    assert [float(row[3]) for row in rows[1:]] == pytest.approx([6.08, 3.08, 3.08, 2.04])


def test_neither_a_name_nor_a_title_of_the_cast_is_a_formula(tmp_path: Path) -> None:
    face = {
        "title": "=1+1",
        "video": "v.mp4",
        "frame": 0,
        "time_s": 0.0,
        "track_id": 0,
        "cast_id": 0,
        "character": "@x",
    }
    season = SimpleNamespace(faces=pa.Table.from_pylist([face], SEASON_FACES), videos=[])
    write_cast_sheet(season, tmp_path / "a.csv")
    head, row = csv.reader(io.StringIO((tmp_path / "a.csv").read_bytes().decode("utf-8-sig"), newline=""))
    assert (head[-1], row[0], row[5]) == ("'=1+1", "'@x", "'=1+1")


@pytest.mark.parametrize(
    "format_name",
    [name for name in EXPORTERS if name != "csv"],  # which is its heads alone
)
def test_a_season_without_tracks_has_nothing_to_export(tmp_path: Path, format_name: str) -> None:
    write_season(Store(tmp_path / "season"), [])
    with pytest.raises(OptionError, match="there are no tracks to export"):
        load(tmp_path / "season").export(format_name, tmp_path / "out")


@pytest.mark.parametrize("format_name", ["csv-cast", "ebucore", "indexer-json", "rttm", "webvtt"])
def test_where_nobody_is_known_it_is_said(known_season: SeasonResult, tmp_path: Path, format_name: str) -> None:
    exported = known_season.export(format_name, tmp_path / "out", character="Unknown")
    assert any("all tracks are Unknown" in remark for remark in exported.remarks)
