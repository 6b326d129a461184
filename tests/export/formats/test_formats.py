"""Formats for other programs: what is written says who is seen where, whatever people and videos are called."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from support.finished_season import NAME, ODD, PLAIN, TRACKS, write_finished_season
from typer.testing import CliRunner

from vcn_ray import load
from vcn_ray.cli.commands import app
from vcn_ray.errors import OutputError
from vcn_ray.export.formats.by_video import file_names_of
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store
from vcn_ray.track_files.reading import read_track_file
from vcn_ray.track_files.rttm import read_rttm


@pytest.fixture
def season(tmp_path: Path) -> SeasonResult:
    write_finished_season(Store(tmp_path / "season"))
    return load(tmp_path / "season")


def _who(faces: pa.Table) -> dict[tuple[str, str], str | None]:
    rows = zip(faces["video"].to_pylist(), faces["track"].to_pylist(), faces["identity"].to_pylist(), strict=True)
    return {(video, track): who for video, track, who in rows}


@pytest.mark.parametrize(("format_name", "first"), [("paper", 0), ("mot", 1)])
def test_tracks_with_who_they_show(season: SeasonResult, tmp_path: Path, format_name: str, first: int) -> None:
    read = read_track_file(season.export(format_name, tmp_path / "boxes").where)
    assert len(read.faces) == len(season.faces)
    assert _who(read.faces) == {
        ("s01e01.mp4", f"{first}"): "Cast 0",
        ("s01e01.mp4", f"{first + 1}"): "Cast 1",
        ("s01e01.mp4", f"{first + 2}"): "Cast 0",
        ("a.mp4", f"{first}"): NAME,
        ("a.mp4", f"{first + 1}"): None,
        ("b.mp4", f"{first + 2}"): "Cast 2",
        ("b.mp4", f"{first + 3}"): NAME,
        ("a.mp4", f"{first + 4}"): "Cast 2",
    }


def test_a_folder_of_other_tracks_is_not_exported_into(season: SeasonResult, tmp_path: Path) -> None:
    for _ in range(2):  # what is of this export is replaced
        assert season.export("mot", tmp_path / "boxes").where == str(tmp_path / "boxes")
    assert not list((tmp_path / "boxes").rglob("*.mot"))
    with pytest.raises(OutputError, match=r"holds '.*/gt/gt.txt', which is not of this export"):
        season.export("mot", tmp_path / "boxes", title="s01e01")


def test_turns(season: SeasonResult, tmp_path: Path) -> None:
    path = season.export("rttm", tmp_path / "all.rttm").where
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    assert all(len(line.split()) == 10 for line in lines)
    turns = [(turn.video, turn.who, turn.start_s) for turn in read_rttm(path, "\n".join(lines))]
    known = [track for tracks in TRACKS.values() for track in tracks if track[3] is not None]
    assert len(turns) == len(known)
    assert turns[:3] == [("s01e01", "Cast 0", 0.0), ("s01e01", "Cast 1", 5.0), ("s01e01", "Cast 0", 8.0)]
    assert {who for _, who, _ in turns[3:]} == {NAME, "Cast 2"}


def test_from_bucket_to_bucket_and_one_title(s3_bucket: str) -> None:
    write_finished_season(Store(f"{s3_bucket}/out"))
    for name in ("paper", "mot", "rttm"):
        arguments = ["export", f"{s3_bucket}/out", "--to", name, "-o", f"{s3_bucket}/{name}", "--title", ODD]
        assert CliRunner().invoke(app, arguments).exit_code == 0
    store = Store(s3_bucket)
    assert store.keys("paper/") == ["paper/a.mp4.txt", "paper/b.mp4.txt"]
    assert store.keys("mot/a.mp4/") == [f"mot/a.mp4/{key}" for key in ("gt/gt.txt", "gt/labels.txt", "seqinfo.ini")]
    assert set(read_track_file(f"{s3_bucket}/mot").videos()) == {"a.mp4", "b.mp4"}
    result = CliRunner().invoke(app, ["evaluate", f"{s3_bucket}/out", "--ground-truth", f"{s3_bucket}/rttm"])
    assert result.exit_code == 0, result.output
    assert "error_rate" in result.output


def test_videos_of_one_name_are_exported_a_title_at_a_time(season: SeasonResult, tmp_path: Path) -> None:
    store = Store(season.out)
    faces = store.read_table("faces.parquet")
    column = faces.schema.get_field_index("video")
    same = faces.set_column(column, "video", pa.array(["a.mp4"] * len(faces)))
    store.write_table("faces.parquet", same)
    result = CliRunner().invoke(app, ["export", season.out, "--to", "mot", "-o", str(tmp_path / "boxes")])
    assert result.exit_code == 2
    assert "2 titles have a video a.mp4: export one title at a time, with --title" in result.stderr
    assert load(season.out).export("mot", tmp_path / "boxes", title=PLAIN)


def test_names_of_videos_are_plain_as_files() -> None:
    odd = [
        "../x",
        "a.mp4",
        "A.mp4",
        "a b",
        'Überraschung é 日本 "<b>".mp4',
        ".",
        "-" * 300,
        "日" * 99,
        "=1+1",
        "nul.mp4",
        "\udcff",
    ]
    plain = file_names_of(odd)
    assert len({name.casefold() for name in plain}) == len(odd)
    assert not any(set(name) & set('/\\"<>:|?*\n') or name.startswith(("-", ".")) for name in plain)
    assert max(len(f"{name}.fcpxml".encode()) for name in plain) < 150
    assert file_names_of(["S01E01.mov", "Zoë (2)", "日本"]) == ["S01E01.mov", "Zoë (2)", "日本"]
    assert plain[:2] == ["x", "a.mp4"]
    assert re.fullmatch("A.mp4--[0-9a-f]{12}", plain[2])
