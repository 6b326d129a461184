"""Whatever a user can cause is one sentence that names the file, with an exit code and without a traceback.

The other titles go on; a fault of vcn-ray itself leaves a file that tells more.
"""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.command_line import cli, complaints, write_video


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
        path.write_bytes(write_video(folder / "whole.mp4", 100).read_bytes()[:3000])
    elif kind == "sound":
        _write_sound(path)
    elif kind == "nobody":
        write_video(path)
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
    result = cli("run", path, "--out", tmp_path / "out", "--local")
    (complaint,) = complaints(result)
    assert result.exit_code == code
    assert path.name in complaint
    assert says in complaint
    assert re.search(r"[;:,] \S+.*$", complaint), "a remedy follows"


def test_bad_videos_are_recorded_each_and_do_not_stop_one_another(tmp_path: Path) -> None:
    kinds = ["empty", "missing", "nobody", "sound", "text"]
    result = cli("run", *(_bad_input(kind, tmp_path) for kind in kinds), "--out", tmp_path / "out", "--local")
    assert result.exit_code == 1
    errors = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert sorted(Path(entry.get("title") or entry["input"]).stem for entry in errors) == kinds


def test_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "season").mkdir()

    def refuse(path: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", refuse)
    result = cli("run", tmp_path / "season", "--out", tmp_path / "out")
    (complaint,) = complaints(result)
    assert result.exit_code == 2
    assert f"{tmp_path / 'season'}: this folder cannot be read (Permission denied)" in complaint


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = cli("run", write_video(tmp_path / "a.mp4"), "--out", tmp_path / "file" / "out")
    (complaint,) = complaints(result)
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
    video = write_video(tmp_path / "a.mp4")
    result = cli("run", video, "--out", tmp_path / "out", "--local")
    (complaint,) = complaints(result)
    assert result.exit_code == code
    assert "no space is left on the disk" in complaint
    monkeypatch.undo()
    assert "no face was found" in cli("run", video, "--out", tmp_path / "out", "--local").stderr


def test_run_that_is_interrupted_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "scandir", stop)
    result = cli("run", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "the same command goes on" in result.stderr


@pytest.mark.parametrize("writable", [True, False])
def test_fault_is_a_sentence_with_a_file_that_tells_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("what nobody thought of")

    monkeypatch.setattr(os, "scandir", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    out = tmp_path / "out" if writable else tmp_path / "file" / "out"
    result = cli("run", tmp_path, "--out", out)
    (complaint,) = complaints(result)
    assert result.exit_code == 4
    assert "what nobody thought of" in complaint
    log = Path(complaint.rsplit(" ", 1)[-1])
    assert log.parent == (out if writable else tmp_path)
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize("file", ["faces.parquet", "season.json"])
def test_evaluate_names_a_damaged_file(tmp_path: Path, file: str) -> None:
    (tmp_path / "season.json").write_text('{"titles": [], "errors": []}')
    (tmp_path / file).write_text("[]")
    (tmp_path / "labels.csv").write_text("video,frame,x,y,w,h,identity\na.mp4,0,0,0,9,9,p\n")
    result = cli("evaluate", tmp_path, "--ground-truth", tmp_path / "labels.csv")
    (complaint,) = complaints(result)
    assert result.exit_code == 3
    assert file in complaint


def test_evaluate_needs_a_run(tmp_path: Path) -> None:
    result = cli("evaluate", tmp_path, "--ground-truth", tmp_path / "labels.csv")
    (complaint,) = complaints(result)
    assert result.exit_code == 2
    assert "season.json is missing" in complaint
