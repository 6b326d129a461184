"""The benchmarks' command line, and the long files that memory is measured on."""

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from jobs.benchmarks import memory
from jobs.benchmarks.__main__ import parser
from vcn_ray.errors import InputError
from vcn_ray.tracks.probe import probe_video


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Half a second of 96x64 pixels, 24 frames a second, with B-frames."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"bf": "2"}
        for number in range(12):
            picture = np.full((64, 96, 3), 20 * number, np.uint8)
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sink.mux(stream.encode(None))
    return path


def test_command_line() -> None:
    given = parser().parse_args(["memory", "v.mp4"])
    assert (given.minutes, given.height_px) == ([10.0, 60.0], 1080)
    given = parser().parse_args(["overhead", "a.mp4", "b.mp4", "--set", "max_iterations=2"])
    assert (given.videos, given.set) == (["a.mp4", "b.mp4"], ["max_iterations=2"])
    assert parser().parse_args(["stage1", "v.mp4"]).repeats == 3
    with pytest.raises(SystemExit):
        parser().parse_args(["quality", "season"])  # without a folder


def test_a_repeated_video_is_a_longer_one(clip: Path, tmp_path: Path) -> None:
    memory.repeat(clip, tmp_path / "long.mp4", 2.0)
    info = probe_video(str(tmp_path / "long.mp4"))
    assert info.frames == 48
    assert float(info.duration_s) == pytest.approx(2.0, abs=0.05)
    assert [info.time_s(n) for n in (0, 12, 47)] == pytest.approx([0.0, 0.5, 47 / 24], abs=0.01)
    with av.open(str(tmp_path / "long.mp4")) as source:
        grey = [frame.to_ndarray(format="gray").mean() for frame in source.decode(video=0)]
    assert grey[12:24] == pytest.approx(grey[:12], abs=1)
    assert grey[11] > grey[12] + 100  # it begins again


def test_a_video_is_scaled_up_in_its_shape(clip: Path, tmp_path: Path) -> None:
    memory.scale(str(clip), tmp_path / "large.mp4", 128)
    info = probe_video(str(tmp_path / "large.mp4"))
    assert (info.width_px, info.height_px, info.frames) == (192, 128, 12)


def test_what_is_no_video_cannot_be_scaled(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match="cannot be scaled"):
        memory.scale(str(tmp_path / "text.mp4"), tmp_path / "large.mp4", 128)


def test_peak_memory_is_of_this_process() -> None:
    before = memory.peak_mib()
    held = np.ones(80 * 2**20, np.uint8)
    assert memory.peak_mib() >= before
    assert memory.peak_mib() * 2**20 > held.nbytes


def test_stage_1_is_measured_in_a_process_of_its_own(clip: Path) -> None:
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "jobs.benchmarks.memory", str(clip)], capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["frames"] == 12
    assert 0 < found["probed_mib"] <= found["extracted_mib"] <= found["joined_mib"]
