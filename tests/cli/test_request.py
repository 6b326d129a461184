"""What is asked for: options from files, season files and flags, in this order; what is wrong in it is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command_line import cli, complaints, write_season_file, write_video


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "sample_every_frame=6"], "did you mean 'sample_every_frames'"),
        (["--set", "sample_every_frames"], "NAME=VALUE"),
        (["--set", "sample_every_frames=often"], "'sample_every_frames'"),
        (
            ["--set", "detect_every_frames=0"],
            "'detect_every_frames': takes auto, or a whole number from 1 to 12, not '0'",
        ),
        (["--set", "detect_every_frames=often"], "takes auto, or a whole number from 1 to 12"),
        (["--pack", "opencv-zo"], "did you mean 'opencv-zoo'"),
        (["--pack", "buffalo_l"], "vcn-ray models --fetch buffalo_l"),
        (["--set", "face_id_onnx=/nowhere.onnx"], "/nowhere.onnx"),
        (["--set", "face_id_vit=/nowhere <b>"], "/nowhere <b> is not there: face_id_vit takes the folder"),
        (["--set", "patch_loss=1"], "'patch_loss': takes 0 unless depth is full"),
        (["--from", "1:xx"], "--from 1:xx"),
        (["--from", "2:00", "--to", "60"], "--to 60 is not after --from 2:00"),
        (["--from", "1:00"], "nothing of it lies between --from and --to"),
        (["--config", "/nowhere.yaml"], "/nowhere.yaml: cannot be read"),
        (["--title", " "], "--title is empty"),
        (["~nosuchuser/x.mkv", "--title", "x"], "~nosuchuser/x.mkv: "),
        (["--out", "~nosuchuser/out"], "--out ~nosuchuser/out: "),
        (["--set", "face_id_onnx=~nosuchuser/x.onnx"], "~nosuchuser/x.onnx: "),
        (["--method", "paperr"], "paperr"),
        (["--set", "merging=glue"], "'merging': takes one of evidence, literal"),
        (["--executor", "ray"], "give one"),
        (["--s3-endpoint", "minio:9000"], "--s3-endpoint minio:9000: write it as http://HOST:PORT"),
        (["--out", "gs://bucket/out"], "--out gs://bucket/out: write s3://BUCKET/PREFIX, or a folder"),
        (["--out", "s3:/bucket/out"], "--out s3:/bucket/out: write s3://BUCKET/PREFIX, or a folder"),
        (["https://host/b.mp4", "--title", "x"], "https://host/b.mp4: of URLs only s3://"),
    ],
)
def test_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path / "none"))
    result = cli("run", write_video(tmp_path / "a.mp4"), "--out", tmp_path / "out", "--local", *arguments)
    assert result.exit_code == 2
    assert says in " ".join(complaints(result))


def test_options_come_from_file_then_set_then_flags(tmp_path: Path) -> None:
    config = tmp_path / "options.yaml"
    config.write_text("seed: 1\nmin_crops: 2\ntracks:\n  sample_every_frames: 3\n  detect_every_frames: 2\n")
    video = write_video(tmp_path / "a.mp4")
    cli(
        *("run", video, "--out", tmp_path / "out", "--local", "--config", config),
        *("--set", "seed=2", "--set", "min_crops=5", "--seed", 3),
    )
    options = json.loads((tmp_path / "out" / "season.json").read_text())["options"]
    assert options["seed"] == 3
    tracks = options["tracks"]
    assert (tracks["min_crops"], tracks["sample_every_frames"], tracks["detect_every_frames"]) == (5, 3, 2)


def test_a_calibration_comes_from_file_or_command_line(tmp_path: Path) -> None:
    config = tmp_path / "options.yaml"
    config.write_text("seed: 1\ncalibration:\n  stranger_mean: 0.2\n  same_mean: 0.6\n")
    for out, more in (("a", ()), ("b", ("--set", 'calibration={"same_mean": 0.7}'))):
        cli("run", write_video(tmp_path / "v.mp4"), "--out", tmp_path / out, "--local", "--config", config, *more)
    found = [json.loads((tmp_path / out / "season.json").read_text())["options"]["cluster"] for out in ("a", "b")]
    means = [(cluster["calibration"]["stranger_mean"], cluster["calibration"]["same_mean"]) for cluster in found]
    assert means == [(0.2, 0.6), (0.046, 0.7)]


def test_season_file_comes_between_options_file_and_command_line(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    (tmp_path / "options.yaml").write_text("seed: 1\nmin_crops: 2\nmin_face_px: 20\n")
    text = "options: {seed: 2, min_crops: 3}\ntitles: [{video: a.mp4, options: {min_face_score: 0.5}}]"
    result = cli(
        *("run", write_season_file(tmp_path, text), "--out", tmp_path / "out", "--local"),
        *("--config", tmp_path / "options.yaml", "--seed", 3),
    )
    assert result.exit_code == 1  # nobody is in it
    options = json.loads((tmp_path / "out" / "season.json").read_text())["options"]
    assert options["seed"] == 3
    assert (options["tracks"]["min_crops"], options["tracks"]["min_face_px"]) == (3, 20)


def test_options_file_with_keys_that_are_no_text(tmp_path: Path) -> None:
    config = tmp_path / "options.yaml"
    config.write_text("tracks:\n  1: 2\n")
    result = cli("run", write_video(tmp_path / "a.mp4"), "--out", tmp_path / "out", "--local", "--config", config)
    (complaint,) = complaints(result)
    assert result.exit_code == 2
    assert "'1'" in complaint
