"""A video in an object store gives what the same file gives on a disk, for the bytes of its own part."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vcn_ray.config import make_options
from vcn_ray.errors import InputError
from vcn_ray.models.packs import load_pack
from vcn_ray.storage import objectstore
from vcn_ray.storage.store import Store
from vcn_ray.tracks.decode import read_frames
from vcn_ray.tracks.extract import extract_shard
from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.shards import Shard
from vcn_ray.tracks.video_info import VideoInfo


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, videos: Any) -> Path:
    """A clip of several megabytes with a key frame every second."""
    noise = np.random.default_rng(0).integers(0, 255, (480, 108, 192, 3), np.uint8)
    frames = (np.where(noise[n] > 128, noise[n], videos.stamped(n)) for n in range(480))
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return videos.write(path, frames, options={"g": "24", "preset": "ultrafast", "crf": "10"})


def test_probing_and_decoding_are_the_same(clip: Path, s3_bucket: str) -> None:
    Store(s3_bucket).write_file("clip.mp4", clip)
    local, remote = probe_video(clip), probe_video(f"{s3_bucket}/clip.mp4")
    own = {"path": "", "version": ""}
    assert local.to_json() | own == remote.to_json() | own
    for first_frame in (0, 300):
        here, there = (read_frames(info, first_frame) for info in (local, remote))
        for _ in range(30):
            (n, frame), (m, other) = next(here), next(there)
            assert n == m
            assert np.array_equal(frame.to_ndarray(), other.to_ndarray())


def test_part_of_a_video_costs_its_part_of_the_bytes(clip: Path, s3_bucket: str) -> None:
    Store(s3_bucket).write_file("clip.mp4", clip)
    info = probe_video(f"{s3_bucket}/clip.mp4")
    before = objectstore.bytes_read()
    frames = read_frames(info, 240)
    for _ in range(48):
        next(frames)
    assert objectstore.bytes_read() - before < clip.stat().st_size / 2


def test_extracted_tables_are_the_same(
    portraits: list[np.ndarray], videos: Any, tmp_path: Path, s3_bucket: str
) -> None:
    shown = [cv2.resize(picture, (320, 180)) for picture in (portraits[0][:168, :], portraits[2])]
    frames = [np.roll(picture, n % 40, 1) for picture in shown for n in range(40)]
    path = videos.write(tmp_path / "film.mp4", frames, options={"g": "10"})
    Store(s3_bucket).write_file("film.mp4", path)
    pack, options = load_pack("opencv-zoo"), make_options().tracks
    local, remote = (
        extract_shard(probe_video(url), Shard(20, 80), pack, options) for url in (path, f"{s3_bucket}/film.mp4")
    )
    assert local.faces.num_rows > 20
    for name in ("faces", "shots", "crops"):
        assert getattr(local, name).equals(getattr(remote, name)), name


def test_video_that_is_replaced_after_it_was_looked_at_is_an_error(clip: Path, s3_bucket: str) -> None:
    Store(s3_bucket).write_file("clip.mp4", clip)
    info = VideoInfo.from_json(probe_video(f"{s3_bucket}/clip.mp4").to_json())
    Store(s3_bucket).write_bytes("clip.mp4", clip.read_bytes() + bytes(10))
    with pytest.raises(InputError, match=r"clip\.mp4: it was replaced meanwhile"):
        next(read_frames(info))


def test_server_that_dies_is_an_error_and_no_end_of_the_video(clip: Path, faulty: Any, s3_bucket: str) -> None:
    """Or a part of a film would be missing without a word."""
    Store(s3_bucket).write_file("clip.mp4", clip)
    before = len(faulty.paths)
    info = probe_video(f"{s3_bucket}/clip.mp4")
    asked = len(faulty.paths) - before
    for answered in (1, asked // 4, asked // 2):
        faulty.faults = [""] * answered + ["dead"] * 100
        with pytest.raises(InputError, match=r"clip\.mp4.* does not answer"):
            probe_video(f"{s3_bucket}/clip.mp4")
    faulty.faults = [""] * 5 + ["dead"] * 100
    with pytest.raises(InputError, match=r"clip\.mp4.* does not answer"):
        list(read_frames(info))


def test_server_that_fails_now_and_then_is_not_noticed(clip: Path, faulty: Any, s3_bucket: str) -> None:
    Store(s3_bucket).write_file("clip.mp4", clip)
    faulty.faults = ["", "dead", "", "", "cut", "throttled", "", "cut", "dead"]
    info = probe_video(f"{s3_bucket}/clip.mp4")
    assert info.frames == 480
    assert not info.warnings
    assert len(faulty.met) == 5


@pytest.mark.parametrize(
    ("content", "says"), [(None, "no such object"), (b"", "is empty"), (b"no video" * 100, "is not a video")]
)
def test_what_is_no_video_is_named(s3_bucket: str, content: bytes | None, says: str) -> None:
    if content is not None:
        Store(s3_bucket).write_bytes("bad.mp4", content)
    with pytest.raises(InputError, match=says) as error:
        probe_video(f"{s3_bucket}/bad.mp4")
    assert f"{s3_bucket}/bad.mp4" in str(error.value)


def test_download_that_stopped_early_is_used_as_far_as_it_goes(
    clip: Path, s3_bucket: str, tmp_path: Path, videos: Any
) -> None:
    mkv = videos.write(tmp_path / "whole.mkv", (videos.stamped(n) for n in range(200)))
    Store(s3_bucket).write_bytes("cut.mkv", mkv.read_bytes()[: mkv.stat().st_size * 2 // 3])
    info = probe_video(f"{s3_bucket}/cut.mkv")
    assert 50 < info.frames < 200
    assert "cut.mkv" in info.warnings[-1]
