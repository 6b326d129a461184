"""Runs on embeddings alone: people are found, times and titles are the file's, and what is missing is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import vcn_ray
from vcn_ray.cli.commands import app
from vcn_ray.errors import OptionError
from vcn_ray.storage.store import Store

PEOPLE, TRACKS, CROPS = 4, 24, 3


def _write(path: Path, **more: np.ndarray) -> Path:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(PEOPLE, 64))
    track = np.repeat(np.arange(TRACKS), CROPS)
    embedding = 10 * centres[track % PEOPLE] + rng.normal(0, 3, (len(track), 64))
    np.savez(path, embedding=embedding, track=track, **more)
    return path


def test_people_are_found_and_what_is_missing_is_told(tmp_path: Path) -> None:
    file = _write(tmp_path / "Überraschung 日本.npz")
    season = vcn_ray.run([], tmp_path / "out", features=file, local=True)
    clusters = {track.track_id: track.cluster_id for track in season.tracks}
    assert len(set(clusters.values())) == PEOPLE
    assert all(clusters[track] == clusters[track % PEOPLE] for track in clusters)
    assert [row["iteration"] for row in season.iterations.to_arrow().to_pylist()] == [0]
    page = Store(season.out).child("titles", season.titles[0].slug).read_bytes("report.html").decode()
    assert "made of given embeddings: no pictures, no quality, no adaptation" in page
    assert "the file does not say when" in page
    before = Store(season.out).read_bytes("season.json")
    vcn_ray.run([], tmp_path / "out", features=file, local=True)
    assert Store(season.out).read_bytes("season.json") == before


def test_frames_and_videos_of_the_file(tmp_path: Path) -> None:
    track = np.repeat(np.arange(TRACKS), CROPS)
    frame = 50 * (track // 2) + np.tile([0, 5, 10], TRACKS)
    video = np.array(["a.mp4", "b.mp4"])[track // 12]
    file = _write(tmp_path / "a.npz", frame=frame, video=video)
    arguments = ["run", "--features", str(file), "--out", str(tmp_path / "out"), "--local", "--tracks-fps", "50"]
    result = CliRunner().invoke(app, [*arguments, "--title", "My <b> film"])
    assert result.exit_code == 0, result.output
    season = vcn_ray.load(tmp_path / "out")
    assert [title.id for title in season.titles] == ["My <b> film"]
    times = season.tracks.to_arrow(["track_id", "video", "first_time_s"]).to_pylist()
    assert times[-1] == {"track_id": 23, "video": "b.mp4", "first_time_s": 11.0}
    together = {(track, track + 1) for track in range(0, TRACKS, 2)}
    links = Store(season.out).child("titles", season.titles[0].slug, "work").read_table("tracks/cannot_link.parquet")
    assert set(zip(links["track_a"].to_pylist(), links["track_b"].to_pylist(), strict=True)) == together


def test_they_stand_in_place_of_videos(tmp_path: Path) -> None:
    file = str(_write(tmp_path / "a.npz"))
    with pytest.raises(OptionError, match="in place of videos"):
        vcn_ray.run(["a.mp4"], tmp_path / "out", features=file)
    for arguments in (["a.mp4", "--features", file], ["--features", file, "--tracks", file]):
        result = CliRunner().invoke(app, ["run", *arguments, "--out", str(tmp_path / "out")])
        assert result.exit_code == 2
        assert "in place of videos" in result.stderr
    assert CliRunner().invoke(app, ["run", "--out", str(tmp_path / "out")]).exit_code == 2
