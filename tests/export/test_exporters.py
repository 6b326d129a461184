"""Exports: each appearance is in the list with its time, whatever it is called; parts of a season; where files go."""

import csv
import errno
import io
from pathlib import Path

import pyarrow as pa
import pytest
from support.finished_season import write_finished_season
from support.small_season import ODD_NAME, write_season, write_small_season

from vcn_ray import load
from vcn_ray.errors import OptionError, OutputError
from vcn_ray.export.appearances import time_code, write_appearances
from vcn_ray.export.exporters import EXPORTERS, Format, check_export, export_season
from vcn_ray.export.finished_season import NOT_A_FACE, FinishedSeason, part_of
from vcn_ray.schemas import SEASON_TRACKS
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store


@pytest.fixture
def result(tmp_path: Path) -> SeasonResult:
    write_small_season(Store(tmp_path / "season"))
    return load(tmp_path / "season")


@pytest.fixture
def season(result: SeasonResult) -> FinishedSeason:
    return part_of(result)


def _rows(season: FinishedSeason, path: Path) -> list[list[str]]:
    write_appearances(season, path)
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_every_track_is_a_row_in_the_order_of_time(season: FinishedSeason, tmp_path: Path) -> None:
    assert _rows(season, tmp_path / "a.csv") == [
        ["title", "video", "character", "first", "last", "seconds"],
        ["'=E1", "a.mp4", "Cast 1", "00:00:00.000", "00:00:01.250", "1.25"],
        ["'=E1", "a.mp4", ODD_NAME, "00:00:03.000", "00:00:04.500", "1.5"],
        ["'=E1", "b.mp4", "Unknown", "00:00:00.000", "00:00:00.000", "0"],
        ["E2", "c.mp4", "'@nna", "01:00:00.000", "01:02:03.004", "123.004"],
    ]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_name_is_never_a_formula(tmp_path: Path, name: str) -> None:
    write_season(Store(tmp_path), [("E1", "a.mp4", 0.0, 1.0, 0, name)])
    assert _rows(part_of(load(tmp_path)), tmp_path / "a.csv")[1][2] == f"'{name}"


def test_excel_is_told_that_it_is_utf_8(season: FinishedSeason, tmp_path: Path) -> None:
    write_appearances(season, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_season_without_tracks_is_its_heads_alone(tmp_path: Path) -> None:
    write_season(Store(tmp_path), [])
    assert len(_rows(part_of(load(tmp_path)), tmp_path / "a.csv")) == 1


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "00:00:00.000"), (59_999, "00:00:59.999"), (3_600_000, "01:00:00.000"), (360_000_001, "100:00:00.001")],
)
def test_time_codes(milliseconds: int, text: str) -> None:
    assert time_code(milliseconds) == text


@pytest.mark.parametrize(
    ("title", "character", "tracks"),
    [
        (None, None, [0, 1, 2, 3]),
        ("=E1", None, [0, 1, 2]),
        (None, "0", [0, 3]),
        (None, "@nna", [3]),
        (None, "Cast 1", [1]),
        ("=E1", "Unknown", [2]),
    ],
)
def test_parts_of_a_season(result: SeasonResult, title: str | None, character: str | None, tracks: list) -> None:
    part = part_of(result, title, character)
    assert sorted(part.tracks["track_id"].to_pylist()) == tracks
    assert part.tracks.schema == result.tracks.to_arrow().schema
    assert len(part.faces) == len(part.clusters) == 0  # which this season has none of


def test_what_is_the_name_of_one_and_the_number_of_another_is_refused(tmp_path: Path) -> None:
    tracks = [("E1", "a.mp4", 0.0, 1.0, 0, "1"), ("E1", "a.mp4", 2.0, 3.0, 1, None), ("E2", "b.mp4", 0.0, 1.0, 1, None)]
    write_season(Store(tmp_path), tracks)
    result = load(tmp_path)
    for title in (None, "E1", "E2"):
        with pytest.raises(OptionError, match="'1' is the name of one and the number of another: write 'Cast 1' for"):
            part_of(result, title, "1")
    assert part_of(result, character="Cast 1").tracks["track_id"].to_pylist() == [1, 2]
    assert part_of(result, character="Cast 0").tracks["track_id"].to_pylist() == [0]  # who is called 1
    result.export("csv", tmp_path / "a.csv", character=1)  # a number is no name
    assert len((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_who_was_given_the_name_of_one_without_is_not_taken_for_that_one(tmp_path: Path) -> None:
    """As could be done once."""
    write_season(Store(tmp_path), [("E1", "a.mp4", 0.0, 1.0, 0, "Cast 1"), ("E1", "a.mp4", 2.0, 3.0, 1, None)])
    with pytest.raises(OptionError, match="'Cast 1' is the name of one and the number of another: give the first"):
        part_of(load(tmp_path), character="Cast 1")


@pytest.mark.parametrize(
    ("title", "character", "says"),
    [
        ("=E2", None, "no track is of a title '=E2'; did you mean 'E2'"),
        ("other", None, "'other'; there are: =E1, E2"),
        (None, "Cast 7", "no track is of a character 'Cast 7'; did you mean 'Cast 1'"),
        ("E2", "1", "no track of title 'E2' is of a character '1'; there are: @nna"),
    ],
)
def test_what_a_season_has_not_is_told_with_what_it_has(
    result: SeasonResult, title: str | None, character: str | None, says: str
) -> None:
    with pytest.raises(OptionError, match=says):
        part_of(result, title, character)


def test_what_people_said_is_no_face_is_in_no_export(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_finished_season(store)
    before = part_of(load(tmp_path))
    tracks = before.tracks.to_pylist()
    said = next(row for row in tracks if row["reason"])
    said["reason"] = NOT_A_FACE
    store.write_table("tracks.parquet", pa.Table.from_pylist(tracks, SEASON_TRACKS), SEASON_TRACKS)
    part = part_of(load(tmp_path))
    assert part.tracks.num_rows == len(tracks) - 1
    assert part.faces.num_rows == before.faces.num_rows - said["faces"]
    assert (said["title"], said["track_id"]) not in {(row["title"], row["track_id"]) for row in part.faces.to_pylist()}
    with pytest.raises(OptionError, match="no track is of a character 'Unknown'"):
        part_of(load(tmp_path), character="Unknown")


def test_a_wrong_format_is_told_with_those_there_are(season: FinishedSeason, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"'xlsx'; there are: .*csv"):
        export_season(season, "xlsx", Store(tmp_path), "a.xlsx")


def test_a_format_of_several_files_is_a_folder(
    season: FinishedSeason, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(season: FinishedSeason, path: Path) -> None:
        for title in season.tracks["title"].unique().to_pylist():
            (path / title).mkdir(parents=True)
            (path / title / "list.txt").write_text(title)

    monkeypatch.setitem(EXPORTERS, "lists", Format(write, "lists", "lists"))
    assert export_season(season, "lists", Store(tmp_path), "all").where == str(tmp_path / "all")
    assert Store(tmp_path).keys("all/") == ["all/=E1/list.txt", "all/E2/list.txt"]


def test_a_full_temporary_folder_is_named(
    season: FinishedSeason, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(season: FinishedSeason, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(EXPORTERS, "full", Format(full, "full", "full"))
    with pytest.raises(OutputError, match=r"cannot write full into .*: No space left on device; .* TMPDIR"):
        export_season(season, "full", Store(tmp_path), "a.full")
    assert Store(tmp_path).keys("a.full") == []


def test_an_option_of_another_format_is_told_with_those_that_take_it(
    season: FinishedSeason, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(season: FinishedSeason, path: Path, handles_frames: int = 0) -> list[str]:
        path.write_text(str(handles_frames))
        return ["mind the gap"]

    monkeypatch.setitem(EXPORTERS, "cut", Format(write, "a cut", "txt", ["handles_frames"]))
    exported = export_season(season, "cut", Store(tmp_path), "a.txt", {"handles_frames": 7})
    assert exported.remarks == ("mind the gap",)
    assert Path(exported).read_text() == "7"
    with pytest.raises(OptionError, match=r"csv takes no --handles; .* one of .*cut"):
        export_season(season, "csv", Store(tmp_path), "a.csv", {"handles_frames": 7})
    with pytest.raises(OptionError, match=r"rttm takes no --start-timecode; .* ebucore, markers-ale.*stringout-otio"):
        check_export("rttm", ["start_timecode"])
