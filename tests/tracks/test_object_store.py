"""A video in an object store gives what the same file gives on a disk, for the bytes of its own part."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcn_ray import objectstore
from vcn_ray.errors import InputError
from vcn_ray.storage import Store
from vcn_ray.tracks.decode import read_frames
from vcn_ray.tracks.probe import probe_video


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
    assert {**local.to_json(), "path": ""} == {**remote.to_json(), "path": ""}
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
