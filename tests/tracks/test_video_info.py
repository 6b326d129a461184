"""What is known of a video survives JSON, in few numbers."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np

from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.video_info import VideoInfo


def test_description_survives_json(videos, tmp_path):
    times = np.cumsum(np.random.default_rng(1).integers(20, 90, 50)).tolist()
    path = videos.write(tmp_path / "v.mkv", [videos.stamped(n) for n in range(50)], times=times, aspect=Fraction(4, 3))
    info = probe_video(path)
    again = VideoInfo.from_json(json.loads(json.dumps(info.to_json())))
    assert again.pts.tolist() == info.pts.tolist()
    assert again.key_pts.tolist() == info.key_pts.tolist()
    assert again.to_json() == info.to_json()
    assert again.sample_aspect_ratio == Fraction(4, 3)
    assert again.time_base == info.time_base


def test_constant_rate_is_stored_in_few_numbers(videos, tmp_path):
    clip = videos.write(tmp_path / "clip.mp4", [videos.stamped(n) for n in range(60)], options={"g": "12"}, fps=30)
    assert len(json.dumps(probe_video(clip).to_json()["pts"])) < 60
