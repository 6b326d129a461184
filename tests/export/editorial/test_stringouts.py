"""Stringouts: read back by other readers, all formats have the same clips, on the frames of the tracks."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import aaf2
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.finished_season import NAME, ODD, PLAIN, write_finished_season
from support.timecodes import counted
from support.timeline_readers import READERS, Read
from typer.testing import CliRunner

from vcn_ray import load, schemas
from vcn_ray.cli.commands import app
from vcn_ray.errors import OptionError
from vcn_ray.export.editorial.sources import Source
from vcn_ray.export.editorial.stringout_edl import reel_names
from vcn_ray.export.editorial.stringouts import find_stringouts, with_handles
from vcn_ray.export.editorial.timecode import DROP_RATES, RATES, Clock
from vcn_ray.export.exporters import EXPORTERS
from vcn_ray.export.finished_season import FinishedSeason, VideoFacts
from vcn_ray.storage.store import Store

FORMATS = [name for name in EXPORTERS if name.startswith("stringout-")]
HOSTILE = 'Überraschung é 日本\n"<b>" =1+1 ]]>'
ON_ONE_LINE = 'Überraschung é 日本 "<b>" =1+1 ]]>'
#: A track: name, video, shot, first frame, last frame.
Track = tuple[str | None, str, int, int, int]


def _season(
    tracks: list[Track],
    rates: dict[str, Fraction] | None = None,
    of: dict[str, dict[str, Any]] | None = None,
    **facts: Any,
) -> FinishedSeason:
    """Videos, in the order of their tracks, of 1000 frames with stereo.

    Args:
        tracks: of all.
        rates: of videos; 25 where none is given.
        of: facts of a video that are others.
        facts: of all.
    """
    rates = rates or {}
    rows = []
    for number, (name, video, shot, *frames) in enumerate(tracks):
        who = {"title": "t", "video": video, "track_id": number, "shot": shot, "character": name}
        times = [(frame, frame / float(rates.get(video, Fraction(25)))) for frame in frames]
        rows += [who | {"frame": frame, "time_s": time_s} for frame, time_s in times]
    videos = []
    for video in dict.fromkeys(track[1] for track in tracks):
        known = {"frames": 1000, "fps": float(rates.get(video, Fraction(25))), "path": f"/films/{video}"}
        known |= {"start_timecode": "10:00:00:00", "audio_channels": 2, "width_px": 1920, "height_px": 1080}
        videos.append(VideoFacts("t", video, **(known | facts | (of or {}).get(video, {}))))
    return SimpleNamespace(faces=pa.Table.from_pylist(rows, schemas.SEASON_FACES), videos=videos)


def _written(
    season: FinishedSeason, format_name: str, folder: Path, rate: Fraction = Fraction(25)
) -> dict[str, list[Read]]:
    path = folder / "out"
    EXPORTERS[format_name].write(season, path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {name: clips for file in files for name, clips in READERS[format_name](file, rate).items()}


HOUR = 3600 * 25


@pytest.mark.parametrize("format_name", FORMATS)
def test_all_shots_of_a_character_in_order_with_their_sound(format_name: str, tmp_path: Path) -> None:
    tracks = [
        ("Anna", "b.mov", 7, 100, 149),
        ("Anna", "a.mov", 2, 500, 509),
        ("Bob", "a.mov", 2, 500, 509),  # the same frames of somebody else
        ("Anna", "a.mov", 1, 20, 29),
        (None, "a.mov", 1, 0, 400),
    ]
    start = 10 * HOUR
    assert _written(_season(tracks), format_name, tmp_path) == {
        "Anna": [
            ("b.mov", start + 100, start + 150, HOUR, HOUR + 50, 2),
            ("a.mov", start + 20, start + 30, HOUR + 50, HOUR + 60, 2),
            ("a.mov", start + 500, start + 510, HOUR + 60, HOUR + 70, 2),
        ],
        "Bob": [("a.mov", start + 500, start + 510, HOUR, HOUR + 10, 2)],
    }


@pytest.mark.parametrize("format_name", FORMATS)
def test_names_break_nothing(format_name: str, tmp_path: Path) -> None:
    season = _season([(HOSTILE, f"{HOSTILE}.mov", 0, 5, 9), (HOSTILE, "../x\x0by.mov", 1, 0, 9)])
    start = 10 * HOUR
    assert _written(season, format_name, tmp_path) == {
        ON_ONE_LINE: [
            (f"{ON_ONE_LINE}.mov", start + 5, start + 10, HOUR, HOUR + 5, 2),
            ("x y.mov", start, start + 10, HOUR + 5, HOUR + 15, 2),
        ]
    }


@pytest.mark.parametrize("format_name", FORMATS)
def test_files_that_are_gone_or_in_a_store(format_name: str, tmp_path: Path) -> None:
    gone = {"path": None, "audio_channels": None, "frames": None, "width_px": None}
    stored = {"path": "s3://bucket/ä b.mov", "audio_channels": 1}
    season = _season([("Anna", "a.mov", 0, 5, 9), ("Anna", "b.mov", 1, 5, 9)], of={"a.mov": gone, "b.mov": stored})
    start, sound = 10 * HOUR, 2 if format_name == "stringout-otio" else 1  # where a track has all channels
    assert _written(season, format_name, tmp_path) == {
        "Anna": [
            ("a.mov", start + 5, start + 10, HOUR, HOUR + 5, 0),
            ("ä b.mov", start + 5, start + 10, HOUR + 5, HOUR + 10, sound),
        ]
    }
    _, remarks = find_stringouts(season, 0)
    assert [remark.split(" is not known")[0] for remark in remarks] == [
        "a.mov: its length",
        "a.mov: the place of its file",
        "a.mov: whether it has sound",
    ]


@pytest.mark.parametrize("clock", [*((rate, ":") for rate in RATES), *((rate, ";") for rate in DROP_RATES)])
@pytest.mark.parametrize("format_name", [name for name in FORMATS if name != "stringout-aaf"])
def test_rates(clock: tuple[Fraction, str], format_name: str, tmp_path: Path) -> None:
    rate, separator = clock
    code = f"09:59:58{separator}04"
    start, hour = counted(code, rate), counted(f"01:00:00{separator}00", rate)
    season = _season([("Anna", "a.mov", 0, 30, 890)], {"a.mov": rate}, start_timecode=code)
    (clips,) = _written(season, format_name, tmp_path, rate).values()
    assert clips == [("a.mov", start + 30, start + 891, hour, hour + 861, 2)]


def test_aaf_has_the_rates_of_its_time_codes(tmp_path: Path) -> None:
    for rate, code, fps in [(DROP_RATES[0], "09:59:58;04", 30), (Fraction(24000, 1001), "09:59:58:04", 24)]:
        path = tmp_path / f"{fps}.aaf"
        season = _season([("Anna", "a.mov", 0, 30, 89)], {"a.mov": rate}, start_timecode=code)
        EXPORTERS["stringout-aaf"].write(season, path)
        with aaf2.open(str(path)) as file:
            slots = [slot for mob in file.content.mobs for slot in mob.slots]
            assert {Fraction(slot.edit_rate) for slot in slots} == {rate}
            codes = [slot.segment for slot in slots if isinstance(slot.segment, aaf2.components.Timecode)]
            assert {(one.fps, bool(one.drop)) for one in codes} == {(fps, ";" in code)}
            urls = {one["URLString"].value for mob in file.content.sourcemobs() for one in _locators(mob)}
            assert urls == {"file:///films/a.mov"}


def _locators(mob: aaf2.mobs.SourceMob) -> list[Any]:
    return list(mob.descriptor["Locator"].value or []) if "Locator" in mob.descriptor else []


def test_a_face_lost_within_a_shot_is_no_cut_but_shots_are() -> None:
    tracks = [
        ("Anna", "a.mov", 1, 0, 9),
        ("Anna", "a.mov", 1, 30, 39),  # lost for 20 frames
        ("Anna", "a.mov", 1, 80, 89),  # for 40: more than a second
        ("Anna", "a.mov", 2, 90, 99),
        ("Anna", "a.mov", 2, 95, 120),
    ]
    (stringout,), _ = find_stringouts(_season(tracks), 0)
    assert [(clip.first, clip.end) for clip in stringout.clips] == [(0, 40), (80, 90), (90, 121)]
    (stringout,), _ = find_stringouts(_season(tracks), 5)
    assert [(clip.first, clip.end) for clip in stringout.clips] == [(0, 45), (75, 126)]


def test_a_character_has_a_timeline_for_each_rate() -> None:
    rates = {"a.mov": Fraction(25), "b.mov": Fraction(50)}
    tracks: list[Track] = [("Anna", "a.mov", 0, 0, 9), ("Anna", "b.mov", 1, 0, 9), ("Bob", "b.mov", 1, 0, 4)]
    stringouts, _ = find_stringouts(_season(tracks, rates), 0)
    assert [(one.name, one.clock.rate) for one in stringouts] == [
        ("Anna (25 fps)", 25),
        ("Anna (50 fps)", 50),
        ("Bob", 50),
    ]


def test_nobody_known_is_a_timeline_where_there_is_nobody_else() -> None:
    stringouts, _ = find_stringouts(_season([(None, "a.mov", 0, 0, 9)]), 0)
    assert [one.name for one in stringouts] == ["Unknown"]
    with pytest.raises(OptionError, match="no tracks"):
        find_stringouts(_season([]), 0)
    with pytest.raises(OptionError, match="handles_frames is -1"):
        find_stringouts(_season([]), -1)


@given(
    st.lists(st.tuples(st.integers(0, 199), st.integers(1, 60)), min_size=1, max_size=12),
    st.integers(0, 40),
)
def test_handles_stay_within_the_file_and_show_no_frame_twice(parts: list[tuple[int, int]], handles: int) -> None:
    spans = [(first, min(200, first + length)) for first, length in parts]
    found = with_handles(spans, handles, 200)
    shown = [frame for first, end in found for frame in range(first, end)]
    assert shown == sorted({f for first, end in spans for f in range(max(0, first - handles), min(200, end + handles))})
    assert all(first < end for first, end in found)


def test_an_edl_has_at_most_999_events(tmp_path: Path) -> None:
    tracks: list[Track] = [("Anna", "a.mov", shot, shot, shot) for shot in range(1000)]
    read = _written(_season([*tracks, ("Anna 2", "a.mov", 0, 0, 0)]), "stringout-edl", tmp_path)
    assert {name: len(clips) for name, clips in read.items()} in ({"Anna 1": 999, "Anna 2": 1},)
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_reels_differ_and_are_plain() -> None:
    names = [
        "s01e01.mov",
        "S01-E01.mp4",
        "episode one of two.mov",
        "episode one of ten.mov",
        "日本.mov",
        "ax.mov",
        "ß.x",
    ]
    sources = [Source(name, None, Clock(Fraction(25)), 10, 0) for name in names]
    reels = list(reel_names(sources * 2).values())
    assert reels[0] == "S01E01"
    assert [reel[:5] for reel in reels[1:4]] == ["S01E0", "EPISO", "EPISO"]
    assert reels[5] == "AX001"
    assert len(set(reels)) == len(names)
    assert all(re.fullmatch("[A-Z0-9]{1,8}", reel) for reel in reels)
    assert [reel_names([source])[source] for source in sources] == reels, "the same whatever else is exported"


def test_the_fcp7_sequence_has_the_pictures_size_and_the_file_its_sound(tmp_path: Path) -> None:
    EXPORTERS["stringout-fcp7"].write(_season([("Anna", "a.mov", 0, 0, 9)]), tmp_path / "a.xml")
    text = (tmp_path / "a.xml").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)  # noqa: S314 (written above)
    assert "<!DOCTYPE xmeml>" in text
    assert root.findtext(".//sequence/media/video/format/samplecharacteristics/width") == "1920"
    assert root.findtext(".//file/media/audio/channelcount") == "2"
    assert root.findtext(".//file/pathurl") == "file:///films/a.mov"
    assert all(len(item.findall("rate")) == 1 for item in root.iter("clipitem"))


def test_from_the_command_line(tmp_path: Path) -> None:
    write_finished_season(Store(tmp_path / "season"))
    arguments = ["export", str(tmp_path / "season"), "--to", "stringout-otio", "--title", ODD, "--character", NAME]
    run = CliRunner().invoke(app, [*arguments, "--handles", "10", "-o", str(tmp_path / "out.otio")])
    assert run.exit_code == 0, run.output
    timeline = json.loads((tmp_path / "out.otio").read_text(encoding="utf-8"))
    assert (timeline["OTIO_SCHEMA"], timeline["name"]) == ("Timeline.1", NAME)
    assert len(timeline["tracks"]["children"][0]["children"]) == 2


def test_several_characters_go_into_a_folder_or_a_store(s3_bucket: str, tmp_path: Path) -> None:
    write_finished_season(Store(tmp_path / "season"))
    where = load(tmp_path / "season").export("stringout-edl", f"{s3_bucket}/out.edl", title=PLAIN).where
    assert where == f"{s3_bucket}/out"
    assert len(Store(where).keys("")) == 2
