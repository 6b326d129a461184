"""Markers: read back by other readers, they lie on the frames of the tracks, under names that nothing breaks."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import opentimelineio as otio
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.finished_season import NAME, ODD, PLAIN, write_finished_season
from support.timecodes import counted, shown
from typer.testing import CliRunner

from vcn_ray import load, schemas
from vcn_ray.cli.commands import app
from vcn_ray.export.editorial.appearances import appearances_of, one_line
from vcn_ray.export.editorial.timecode import DROP_RATES, RATES, Clock
from vcn_ray.export.exporters import EXPORTERS
from vcn_ray.export.finished_season import FinishedSeason, VideoFacts
from vcn_ray.export.formats.by_video import tracks_by_video
from vcn_ray.storage.store import Store

FORMATS = [name for name in EXPORTERS if name.startswith("markers-")]
ONE_A_FRAME = {"markers-resolve", "markers-avid"}
#: A marker as it is read back: first frame, end, name.
Span = tuple[int, int, str]
#: A track: first frame, last frame, name, confidence.
Track = tuple[int, int, str | None, float | None]


def _season(tracks: list[Track], rate: Fraction = Fraction(25), **facts: Any) -> FinishedSeason:
    names = list(dict.fromkeys(name for _, _, name, _ in tracks if name is not None))
    rows, faces = [], []
    for number, (first, last, name, confidence) in enumerate(tracks):
        who = {"title": "t", "video": facts.get("video", "a.mp4"), "track_id": number, "character": name}
        who["cast_id"] = None if name is None else names.index(name)
        times = {"first_time_s": first / float(rate), "last_time_s": last / float(rate)}
        rows.append(who | times | {"first_frame": first, "last_frame": last, "confidence": confidence})
        faces += [who | {"frame": frame, "time_s": frame / float(rate)} for frame in {first, last}]
    known = {"title": "t", "video": "a.mp4", "frames": 100_000, "fps": float(rate), "start_timecode": ""} | facts
    return SimpleNamespace(
        faces=_table(faces, schemas.SEASON_FACES),
        tracks=_table(rows, schemas.SEASON_TRACKS),
        clusters=_table([], schemas.SEASON_CLUSTERS),
        videos=[VideoFacts(**known)],
    )


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema)


def _read_resolve(path: Path, rate: Fraction) -> list[Span]:
    head, _, *lines = path.read_text(encoding="utf-8").split("\n")
    assert head.startswith("TITLE: ")
    found = []
    for blank, event, what in zip(lines[0::3], lines[1::3], lines[2::3], strict=False):
        number, reel, track, cut, *codes = event.split()
        assert (blank, int(number), reel, track, cut) == ("", len(found) + 1, "001", "V", "C")
        first = counted(codes[0], rate)
        assert codes[2:] == codes[:2]
        assert counted(codes[1], rate) == first + 1
        match = re.fullmatch(r"[a-z].* \|C:ResolveColor[A-Z][a-z]+ \|M:([^|]*) \|D:(\d+)", what)
        assert match is not None, what
        found.append((first, first + int(match[2]), match[1]))
    return found


def _read_avid(path: Path, rate: Fraction) -> list[Span]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert all(row[2] == "V1" and row[3].islower() and row[4].startswith(f"{row[0]}: ") for row in rows)
    return [(counted(row[1], rate), counted(row[1], rate) + int(row[5]), row[0]) for row in rows]


def _read_ale(path: Path, rate: Fraction) -> list[Span]:
    heading, columns, data = path.read_text(encoding="utf-8").split("\n\n")
    assert heading.split("\n")[-1] == f"FPS\t{float(rate):.5g}"
    keys = columns.removeprefix("Column\n").split("\t")
    rows = [dict(zip(keys, row.split("\t"), strict=True)) for row in data.removeprefix("Data\n").splitlines()]
    assert all(row["Tracks"] == "V" and row["Name"][:-4] == row["Character"] for row in rows)
    return [(counted(row["Start"], rate), counted(row["End"], rate), row["Character"]) for row in rows]


def _read_fcpxml(path: Path, rate: Fraction) -> list[Span]:
    root = ElementTree.parse(path).getroot()  # noqa: S314
    [event] = root.iter("event")
    [clip] = event.findall("project/sequence/spine/asset-clip")
    [browsed] = event.findall("asset-clip")

    def frames(of: ElementTree.Element, time: str) -> int:
        count = Fraction(of.attrib[time].removesuffix("s")) * rate
        assert count.denominator == 1
        return int(count)

    ranges = [(frames(one, "start"), frames(one, "duration"), one.attrib["value"]) for one in browsed.iter("keyword")]
    assert [frames(one, "start") for one in clip.iter("marker")] == sorted({first for first, _, _ in ranges})
    names = [one.attrib["name"] for one in event.iter("keyword-collection")]
    assert names == sorted({name for _, _, name in ranges})
    return [(first, first + length, name) for first, length, name in ranges]


def _read_timeline(path: Path, rate: Fraction, adapter: str) -> list[Span]:
    timeline = otio.adapters.read_from_file(str(path), adapter_name=adapter)
    assert timeline.global_start_time.rate == pytest.approx(float(rate))
    start = timeline.global_start_time.to_frames()
    spans = [(marker.marked_range, marker.name) for marker in timeline.tracks.markers]
    clip = timeline.tracks[0][0]
    assert clip.source_range.start_time.to_frames() in (start, 0)
    return [
        (start + span.start_time.to_frames(), start + span.end_time_exclusive().to_frames(), name)
        for span, name in spans
    ]


READERS: dict[str, Callable[[Path, Fraction], list[Span]]] = {
    "markers-resolve": _read_resolve,
    "markers-avid": _read_avid,
    "markers-ale": _read_ale,
    "markers-fcpxml": _read_fcpxml,
    "markers-fcp7": lambda path, rate: _read_timeline(path, rate, "fcp_xml"),
    "markers-otio": lambda path, rate: _read_timeline(path, rate, "otio_json"),
}


def _together(spans: list[Span]) -> list[Span]:
    """One marker a frame."""
    by_first: dict[int, list[Span]] = {}
    for span in spans:
        by_first.setdefault(span[0], []).append(span)
    return [
        (first, max(end for _, end, _ in several), " + ".join(name for _, _, name in several))
        for first, several in by_first.items()
    ]


def _written(season: FinishedSeason, format_name: str, rate: Fraction) -> list[Span]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{EXPORTERS[format_name].ending}")
        EXPORTERS[format_name].write(season, path)
        return READERS[format_name](path, rate)


CLOCKS = [*((rate, False) for rate in RATES), *((rate, True) for rate in DROP_RATES)]
TRACKS = st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 300), st.sampled_from("AB")), min_size=1, max_size=6)


@settings(max_examples=20)
@given(st.sampled_from(CLOCKS), st.integers(0, 20 * 3600 * 24), TRACKS)
def test_markers_lie_on_the_frames_of_the_tracks(
    clock: tuple[Fraction, bool], start: int, tracks: list[tuple[int, int, str]]
) -> None:
    rate, drop = clock
    apart = [(first, first + length - 1, f"{who}{n}", 0.9) for n, (first, length, who) in enumerate(tracks)]
    season = _season(apart, rate, start_timecode=shown(start, rate, drop))
    spans = [(start + first, start + last + 1, name) for first, last, name, _ in apart]
    spans.sort(key=lambda span: (span[0], span[2]))
    for format_name in FORMATS:
        expected = _together(spans) if format_name in ONE_A_FRAME else spans
        assert _written(season, format_name, rate) == expected, format_name


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = [
    "Überraschung é 日本",
    'a "b" <b>&\'',
    "=1+1",
    "x\ty\nz",
    "2 | 3 |D:7",
    "A, B",
    "\x0b\x1c\u2028",
    "Data",
    "]]>",
]


@settings(max_examples=20)
@given(TEXT | st.sampled_from(NAMES), TEXT | st.sampled_from(NAMES))
def test_no_name_breaks_a_format(name: str, video: str) -> None:
    season = _season([(10, 19, name, 0.5)], video=video)
    replaced = {"markers-resolve": ("|", "/"), "markers-fcpxml": (",", ";")}
    for format_name in FORMATS:
        expected = one_line(name).replace(*replaced.get(format_name, ("", "")))
        assert _written(season, format_name, Fraction(25)) == [(10, 20, expected)], format_name


def _appearances(season: FinishedSeason) -> list[tuple[int, int, str, float | None]]:
    [video] = tracks_by_video(season)
    found = appearances_of(season, video, Clock.of(video))
    return [
        (one.first, one.end, one.who, None if one.confidence is None else round(one.confidence, 6)) for one in found
    ]


def test_tracks_that_touch_or_overlap_are_one_appearance_as_sure_as_their_mean() -> None:
    tracks = [(0, 9, "A", 1.0), (10, 39, "A", 0.6), (30, 34, "A", None), (41, 41, "A", 0.5), (20, 50, "B", None)]
    assert _appearances(_season(tracks)) == [(0, 40, "A", 0.7), (20, 51, "B", None), (41, 42, "A", 0.5)]


def test_nobody_known_is_left_out_unless_alone() -> None:
    tracks: list[Track] = [(0, 9, None, None), (5, 9, "A", 1.0)]
    assert _appearances(_season(tracks)) == [(5, 10, "A", 1.0)]
    assert _appearances(_season(tracks[:1])) == [(0, 10, "Unknown", None)]


def test_what_a_marker_says(tmp_path: Path) -> None:
    season = _season([(25, 49, "A", 0.875), (25, 25, "B", 0.5), (99, 99, "C", None)], start_timecode="10:00:00:00")
    written = {}
    for format_name in FORMATS:
        EXPORTERS[format_name].write(season, tmp_path / format_name)
        written[format_name] = (tmp_path / format_name).read_text(encoding="utf-8")
    both = "confidence 0.88, lasts 25 frames (A); confidence 0.50, lasts 1 frame (B)"
    assert written["markers-resolve"].split("\n\n") == [
        "TITLE: a.mp4\nFCM: NON-DROP FRAME",
        "001  001      V     C        10:00:01:00 10:00:01:01 10:00:01:00 10:00:01:01  \n"
        f"{both} |C:ResolveColorBlue |M:A + B |D:25",
        "002  001      V     C        10:00:03:24 10:00:04:00 10:00:03:24 10:00:04:00  \n"
        "lasts 1 frame |C:ResolveColorGreen |M:C |D:1",
        "",
    ]
    assert written["markers-avid"].split("\n") == [
        f"A + B\t10:00:01:00\tV1\tblue\tA + B: {both}\t25",
        "C\t10:00:03:24\tV1\tgreen\tC: lasts 1 frame\t1",
        "",
    ]
    assert written["markers-ale"].split("\n")[:4] == ["Heading", "FIELD_DELIM\tTABS", "VIDEO_FORMAT\tCUSTOM", "FPS\t25"]
    assert "B 001\tV\t10:00:01:00\t10:00:01:01\ta\ta.mp4\tB\t0.50" in written["markers-ale"].split("\n")
    marker = otio.adapters.read_from_string(written["markers-otio"], "otio_json").tracks.markers[1]
    assert (marker.color, marker.comment) == ("RED", "confidence 0.50, lasts 1 frame")
    assert marker.metadata["vcn_ray"] == {"character": "B", "confidence": 0.5}
    fcp = otio.adapters.read_from_string(written["markers-fcp7"], "fcp_xml").tracks.markers[1]
    assert dict(fcp.metadata["fcp_xml"]) == {"comment": "confidence 0.50, lasts 1 frame", "pproColor": "4281740498"}


@pytest.mark.parametrize(("rate", "code"), [(DROP_RATES[0], "01:00:00;02"), (Fraction(24000, 1001), "01:00:00:02")])
def test_drop_frame_and_the_file_are_named_where_programs_look_for_them(
    tmp_path: Path, rate: Fraction, code: str
) -> None:
    path = "/mnt/Überraschung #1.mov"
    season = _season([(0, 9, "A", 1.0)], rate, start_timecode=code, path=path, width_px=1920, height_px=1080)
    display = "DF" if ";" in code else "NDF"
    EXPORTERS["markers-fcpxml"].write(season, tmp_path / "a.fcpxml")
    root = ElementTree.parse(tmp_path / "a.fcpxml").getroot()  # noqa: S314
    shape, media = root.find("resources/format"), root.find("resources/asset/media-rep")
    assert shape is not None
    assert media is not None
    assert shape.attrib["frameDuration"] == f"1001/{round(rate) * 1000}s"
    assert media.attrib["src"] == "file:///mnt/%C3%9Cberraschung%20%231.mov"
    assert [one.attrib["tcFormat"] for one in (*root.iter("sequence"), *root.iter("asset-clip"))] == [display] * 3
    EXPORTERS["markers-fcp7"].write(season, tmp_path / "a.xml")
    root = ElementTree.parse(tmp_path / "a.xml").getroot()  # noqa: S314
    assert [one.text for one in root.iter("displayformat")] == [display] * 2
    assert [one.text for one in root.iter("string")] == [code] * 2
    assert {one.text for one in root.iter("ntsc")} == {"TRUE"}
    assert root.findtext(".//pathurl") == media.attrib["src"]
    EXPORTERS["markers-resolve"].write(season, tmp_path / "a.edl")
    assert f"\nFCM: {'' if ';' in code else 'NON-'}DROP FRAME\n" in (tmp_path / "a.edl").read_text()


def test_a_file_a_video_from_a_bucket_to_a_bucket(s3_bucket: str) -> None:
    write_finished_season(Store(f"{s3_bucket}/out"))
    season = load(f"{s3_bucket}/out")
    exported = season.export("markers-resolve", f"{s3_bucket}/all.edl")
    assert exported.where == f"{s3_bucket}/all"
    names = ["all/a.mp4.edl", "all/b.mp4.edl", "all/s01e01.mp4.edl"]
    assert Store(s3_bucket).keys("all/") == names
    [remark] = exported.remarks
    assert remark.startswith("s01e01.mp4, a.mp4, b.mp4: its start time code is not known")
    playing = season.export("markers-otio", f"{s3_bucket}/timelines.otio").remarks
    assert any("whether it has sound is not known" in sentence for sentence in playing)
    one = season.export("markers-resolve", f"{s3_bucket}/one.edl", title=PLAIN)
    assert Store(s3_bucket).read_bytes("one.edl") == Store(s3_bucket).read_bytes(names[2])
    assert one.where == f"{s3_bucket}/one.edl"
    # a part's colours are the whole season's
    season.export("markers-avid", f"{s3_bucket}/odd.txt", title=ODD, start_timecode="10:00:00:00")
    rows = Store(s3_bucket).read_bytes("odd/a.mp4.txt").decode().splitlines()
    assert {row.split("\t")[0]: row.split("\t")[3] for row in rows} == {NAME: "blue", "Cast 2": "green"}
    assert rows[0].split("\t")[1] == "10:00:00:00"


def test_a_start_code_that_cannot_be_is_told(tmp_path: Path) -> None:
    write_finished_season(Store(tmp_path / "out"))
    arguments = ["export", str(tmp_path / "out"), "--to", "markers-avid", "-o", str(tmp_path / "a.txt")]
    for code in ("10:00:00;00", "now", ""):
        result = CliRunner().invoke(app, [*arguments, "--start-timecode", code])
        assert result.exit_code == 2
        assert f"--start-timecode {code!r} cannot be that of s01e01.mp4: " in " ".join(result.stderr.split())
        assert not (tmp_path / "a.txt").exists()
