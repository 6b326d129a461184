"""The commands, as a user calls them: runs in folders and buckets, dry runs, what they exit with."""

from __future__ import annotations

import json
from pathlib import Path

from support.command_line import cli, complaints, write_season_file, write_video

import vcn_ray
from vcn_ray import __version__
from vcn_ray.storage.store import Store


def test_title_of_a_season_file_without_its_video_fails_alone(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    season = write_season_file(tmp_path, "titles: [{video: a.mp4}, {title: 'Two [x]', video: gone.mp4}]")
    result = cli("run", season, "--out", tmp_path / "out", "--local")
    assert result.exit_code == 1
    assert any("gone.mp4: no such file" in line for line in complaints(result))
    errors = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert {entry.get("input") or entry["title"] for entry in errors} == {"Two [x]", "a"}
    shown = cli("status", tmp_path / "out")
    assert shown.exit_code == 1
    assert "2 failed" in shown.output
    assert "Two [x]" in shown.output


def test_dry_run_tells_what_would_run_and_writes_nothing(tmp_path: Path) -> None:
    video = write_video(tmp_path / "Show [x265].mp4")
    before = sorted(tmp_path.rglob("*"))
    result = cli("run", video, tmp_path / "gone.mp4", "--out", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0
    assert "Show [x265]" in result.stdout
    assert "to do 1 of 1" in result.stdout
    assert [line for line in complaints(result) if "gone.mp4: no such file" in line]
    assert sorted(tmp_path.rglob("*")) == before


def test_everything_in_a_bucket(tmp_path: Path, s3_bucket: str) -> None:
    store = Store(s3_bucket)
    store.write_file("videos/a.mp4", write_video(tmp_path / "a.mp4"))
    store.write_bytes("videos/season.yaml", b"titles: [{video: a.mp4}]")
    out = f"{s3_bucket}/out"
    assert cli("run", f"{s3_bucket}/videos/season.yaml", "--out", out, "--dry-run").exit_code == 0
    assert not store.keys("out")
    result = cli("run", f"{s3_bucket}/videos", "--out", out, "--local")
    (complaint,) = complaints(result)
    assert result.exit_code == 1
    assert "no face was found" in complaint
    shown = cli("status", out)
    assert shown.exit_code == 1
    assert shown.output.startswith("finished after")
    assert [title.id for title in vcn_ray.load(out).titles] == ["a"]


def test_version_and_help() -> None:
    assert __version__ in cli("--version").output
    text = " ".join(cli("--help").output.split())
    assert "Exit codes: 0 all is done; 1 a title failed" in text
    assert "--title NAME" in cli("run", "--help").output
