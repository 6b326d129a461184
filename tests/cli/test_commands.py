"""The command line: what a user sees when something is wrong, and that a run can be had, stopped and repeated.

- Whatever a user can cause is one sentence that names the file or option, with an exit code and without a traceback.
- The other titles go on.
"""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from typer.testing import CliRunner, Result

import vcn_ray
from vcn_ray import __version__
from vcn_ray.cli.commands import app
from vcn_ray.config import make_options, option_names
from vcn_ray.errors import OptionError
from vcn_ray.storage.store import Store


def _cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _complaints(result: Result) -> list[str]:
    assert "Traceback" not in result.output
    return [line for line in result.stderr.splitlines() if line.strip()]


def _write_video(path: Path, frames: int = 12) -> Path:
    """A video of moving stripes: nobody in it."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(frames):
            image = np.zeros((120, 160, 3), np.uint8)
            image[:, (np.arange(160) + 3 * number) // 8 % 2 == 0] = (90, 140, 200)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _write_sound(path: Path) -> Path:
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _bad_input(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.mp4"
    if kind == "text":
        path.write_text("not a video")
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        path.write_bytes(_write_video(folder / "whole.mp4", 100).read_bytes()[:3000])
    elif kind == "sound":
        _write_sound(path)
    elif kind == "nobody":
        _write_video(path)
    return path


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        ("text", 2, "not a video"),
        ("empty", 2, "is empty"),
        ("truncated", 2, "cut short"),
        ("sound", 2, "only sound"),
        ("missing", 2, "no such file"),
        ("nobody", 1, "no face was found"),
    ],
)
def test_bad_video_is_one_sentence_with_its_name(tmp_path: Path, kind: str, code: int, says: str) -> None:
    path = _bad_input(kind, tmp_path)
    result = _cli("run", path, "--out", tmp_path / "out", "--local")
    (complaint,) = _complaints(result)
    assert result.exit_code == code
    assert path.name in complaint
    assert says in complaint
    assert re.search(r"[;:,] \S+.*$", complaint), "a remedy follows"


def test_bad_videos_are_recorded_each_and_do_not_stop_one_another(tmp_path: Path) -> None:
    kinds = ["empty", "missing", "nobody", "sound", "text"]
    result = _cli("run", *(_bad_input(kind, tmp_path) for kind in kinds), "--out", tmp_path / "out", "--local")
    assert result.exit_code == 1
    errors = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert sorted(Path(entry.get("title") or entry["input"]).stem for entry in errors) == kinds


def test_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "season").mkdir()

    def refuse(path: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", refuse)
    result = _cli("run", tmp_path / "season", "--out", tmp_path / "out")
    (complaint,) = _complaints(result)
    assert result.exit_code == 2
    assert f"{tmp_path / 'season'}: this folder cannot be read (Permission denied)" in complaint


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = _cli("run", _write_video(tmp_path / "a.mp4"), "--out", tmp_path / "file" / "out")
    (complaint,) = _complaints(result)
    assert result.exit_code == 3
    assert "choose another --out" in complaint


@pytest.mark.parametrize(("full_for", "code"), [("/shards/", 1), ("", 3)])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_for: str, code: int) -> None:
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if full_for in os.fspath(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    video = _write_video(tmp_path / "a.mp4")
    result = _cli("run", video, "--out", tmp_path / "out", "--local")
    (complaint,) = _complaints(result)
    assert result.exit_code == code
    assert "no space is left on the disk" in complaint
    monkeypatch.undo()
    assert "no face was found" in _cli("run", video, "--out", tmp_path / "out", "--local").stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "sample_every_frame=6"], "did you mean 'sample_every_frames'"),
        (["--set", "sample_every_frames"], "NAME=VALUE"),
        (["--set", "sample_every_frames=often"], "'sample_every_frames'"),
        (["--pack", "opencv-zo"], "did you mean 'opencv-zoo'"),
        (["--pack", "buffalo_l"], "vcn-ray models --fetch buffalo_l"),
        (["--set", "face_id_onnx=/nowhere.onnx"], "/nowhere.onnx"),
        (["--from", "1:xx"], "--from 1:xx"),
        (["--from", "2:00", "--to", "60"], "--to 60 is not after --from 2:00"),
        (["--from", "1:00"], "nothing of it lies between --from and --to"),
        (["--config", "/nowhere.yaml"], "/nowhere.yaml: cannot be read"),
        (["--title", " "], "--title is empty"),
        (["~nosuchuser/x.mkv", "--title", "x"], "~nosuchuser/x.mkv: "),
        (["--out", "~nosuchuser/out"], "--out ~nosuchuser/out: "),
        (["--set", "face_id_onnx=~nosuchuser/x.onnx"], "~nosuchuser/x.onnx: "),
        (["--method", "paperr"], "paperr"),
        (["--s3-endpoint", "minio:9000"], "--s3-endpoint minio:9000: write it as http://HOST:PORT"),
        (["--out", "gs://bucket/out"], "--out gs://bucket/out: write s3://BUCKET/PREFIX, or a folder"),
        (["--out", "s3:/bucket/out"], "--out s3:/bucket/out: write s3://BUCKET/PREFIX, or a folder"),
        (["https://host/b.mp4", "--title", "x"], "https://host/b.mp4: of URLs only s3://"),
    ],
)
def test_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    monkeypatch.setenv("INSIGHTFACE_HOME", str(tmp_path / "none"))
    result = _cli("run", _write_video(tmp_path / "a.mp4"), "--out", tmp_path / "out", "--local", *arguments)
    assert result.exit_code == 2
    assert says in " ".join(_complaints(result))


def test_options_come_from_file_then_set_then_flags(tmp_path: Path) -> None:
    config = tmp_path / "options.yaml"
    config.write_text("seed: 1\nmin_crops: 2\ntracks:\n  sample_every_frames: 3\n  detect_every_frames: 2\n")
    video = _write_video(tmp_path / "a.mp4")
    _cli(
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
        _cli("run", _write_video(tmp_path / "v.mp4"), "--out", tmp_path / out, "--local", "--config", config, *more)
    found = [json.loads((tmp_path / out / "season.json").read_text())["options"]["cluster"] for out in ("a", "b")]
    means = [(cluster["calibration"]["stranger_mean"], cluster["calibration"]["same_mean"]) for cluster in found]
    assert means == [(0.2, 0.6), (0.1, 0.7)]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"stranger_men": 0.1}, "option 'calibration' has no key 'stranger_men'; did you mean 'stranger_mean'"),
        ({"zzz": 0.1}, "'zzz'; there are: stranger_mean, "),
        ({"same_std": -1}, "option 'calibration': same_std: .* greater than 0, not -1"),
        ("0.1", "option 'calibration'"),
        ("same_mean 0.1", "on a command line"),
    ],
)
def test_what_is_wrong_in_a_calibration_is_named(value: object, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make_options({"calibration": value})


def _season_file(folder: Path, text: str) -> Path:
    (folder / "season.yaml").write_text(text)
    return folder / "season.yaml"


def test_season_file_comes_between_options_file_and_command_line(tmp_path: Path) -> None:
    _write_video(tmp_path / "a.mp4")
    (tmp_path / "options.yaml").write_text("seed: 1\nmin_crops: 2\nmin_face_px: 20\n")
    text = "options: {seed: 2, min_crops: 3}\ntitles: [{video: a.mp4, options: {min_face_score: 0.5}}]"
    result = _cli(
        *("run", _season_file(tmp_path, text), "--out", tmp_path / "out", "--local"),
        *("--config", tmp_path / "options.yaml", "--seed", 3),
    )
    assert result.exit_code == 1  # nobody is in it
    options = json.loads((tmp_path / "out" / "season.json").read_text())["options"]
    assert options["seed"] == 3
    assert (options["tracks"]["min_crops"], options["tracks"]["min_face_px"]) == (3, 20)


def test_title_of_a_season_file_without_its_video_fails_alone(tmp_path: Path) -> None:
    _write_video(tmp_path / "a.mp4")
    season = _season_file(tmp_path, "titles: [{video: a.mp4}, {title: 'Two [x]', video: gone.mp4}]")
    result = _cli("run", season, "--out", tmp_path / "out", "--local")
    assert result.exit_code == 1
    assert any("gone.mp4: no such file" in line for line in _complaints(result))
    errors = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert {entry.get("input") or entry["title"] for entry in errors} == {"Two [x]", "a"}
    shown = _cli("status", tmp_path / "out")
    assert shown.exit_code == 1
    assert "2 failed" in shown.output
    assert "Two [x]" in shown.output


def test_dry_run_tells_what_would_run_and_writes_nothing(tmp_path: Path) -> None:
    video = _write_video(tmp_path / "Show [x265].mp4")
    before = sorted(tmp_path.rglob("*"))
    result = _cli("run", video, tmp_path / "gone.mp4", "--out", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0
    assert "Show [x265]" in result.stdout
    assert "to do 1 of 1" in result.stdout
    assert [line for line in _complaints(result) if "gone.mp4: no such file" in line]
    assert sorted(tmp_path.rglob("*")) == before


def test_everything_in_a_bucket(tmp_path: Path, s3_bucket: str) -> None:
    store = Store(s3_bucket)
    store.write_file("videos/a.mp4", _write_video(tmp_path / "a.mp4"))
    store.write_bytes("videos/season.yaml", b"titles: [{video: a.mp4}]")
    out = f"{s3_bucket}/out"
    assert _cli("run", f"{s3_bucket}/videos/season.yaml", "--out", out, "--dry-run").exit_code == 0
    assert not store.keys("out")
    result = _cli("run", f"{s3_bucket}/videos", "--out", out, "--local")
    (complaint,) = _complaints(result)
    assert result.exit_code == 1
    assert "no face was found" in complaint
    shown = _cli("status", out)
    assert shown.exit_code == 1
    assert shown.output.startswith("finished after")
    assert [title.id for title in vcn_ray.load(out).titles] == ["a"]


def test_season_file_from_python(tmp_path: Path) -> None:
    _write_video(tmp_path / "a.mp4")
    season = _season_file(tmp_path, "options: {seed: 2}\ntitles: [{video: a.mp4, title: One}]")
    result = vcn_ray.run(season, tmp_path / "out", options={"min_crops": 3}, local=True)
    assert [title.id for title in result.titles] == ["One"]
    options = json.loads((tmp_path / "out" / "season.json").read_text())["options"]
    assert (options["seed"], options["tracks"]["min_crops"]) == (2, 3)
    with pytest.raises(OptionError, match="give these as a mapping"):
        vcn_ray.run(season, tmp_path / "out", options=make_options(), local=True)


def test_run_that_is_interrupted_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vcn_ray.season.run.run_season", stop)
    result = _cli("run", _write_video(tmp_path / "a.mp4"), "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "the same command goes on" in result.stderr


@pytest.mark.parametrize("writable", [True, False])
def test_fault_is_a_sentence_with_a_file_that_tells_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("what nobody thought of")

    monkeypatch.setattr("vcn_ray.season.run.run_season", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    out = tmp_path / "out" if writable else tmp_path / "file" / "out"
    result = _cli("run", _write_video(tmp_path / "a.mp4"), "--out", out)
    (complaint,) = _complaints(result)
    assert result.exit_code == 4
    assert "what nobody thought of" in complaint
    log = Path(complaint.rsplit(" ", 1)[-1])
    assert log.parent == (out if writable else tmp_path)
    assert "Traceback" in log.read_text()


def test_titles_that_look_like_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    videos = [_write_video(tmp_path / name) for name in ("Show [x265].mp4", "x [b] :smile:.mp4")]
    result = _cli("run", *videos, "--out", tmp_path / "[out]", "--local")
    assert result.exit_code == 1
    assert "Show [x265]" in result.stdout
    assert "x [b] :smile:" in result.stdout
    result = _cli("run", *videos, "--title", "x [/b]", "--out", tmp_path / "out", "--local")
    assert result.exit_code == 1
    assert "x [/b]" in result.stdout
    assert len(_complaints(result)) == 1


def test_options_file_with_keys_that_are_no_text(tmp_path: Path) -> None:
    config = tmp_path / "options.yaml"
    config.write_text("tracks:\n  1: 2\n")
    result = _cli("run", _write_video(tmp_path / "a.mp4"), "--out", tmp_path / "out", "--local", "--config", config)
    (complaint,) = _complaints(result)
    assert result.exit_code == 2
    assert "'1'" in complaint


@pytest.mark.parametrize("file", ["faces.parquet", "season.json"])
def test_evaluate_names_a_damaged_file(tmp_path: Path, file: str) -> None:
    (tmp_path / "season.json").write_text('{"titles": [], "errors": []}')
    (tmp_path / file).write_text("[]")
    (tmp_path / "labels.csv").write_text("video,frame,x,y,w,h,identity\na.mp4,0,0,0,9,9,p\n")
    result = _cli("evaluate", tmp_path, "--ground-truth", tmp_path / "labels.csv")
    (complaint,) = _complaints(result)
    assert result.exit_code == 3
    assert file in complaint


def test_evaluate_needs_a_run(tmp_path: Path) -> None:
    result = _cli("evaluate", tmp_path, "--ground-truth", tmp_path / "labels.csv")
    (complaint,) = _complaints(result)
    assert result.exit_code == 2
    assert "season.json is missing" in complaint


def test_config_prints_every_option_with_its_reason() -> None:
    output = _cli("config").output
    assert all(name in output for name in option_names())


def test_models_lists_packs_with_licences() -> None:
    result = _cli("models", "--verify")
    assert result.exit_code == 0
    assert "opencv-zoo" in result.output
    assert "verified" in result.output
    assert "non-commercial" in result.output


def test_version_and_help() -> None:
    assert __version__ in _cli("--version").output
    text = " ".join(_cli("--help").output.split())
    assert "Exit codes: 0 all is done; 1 a title failed" in text
    assert "--title NAME" in _cli("run", "--help").output
