"""What is known of a finished season's videos: what the run wrote down, else what its file says, if unchanged."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from vcn_ray.season.video_facts import videos_of
from vcn_ray.storage.store import Store
from vcn_ray.tracks.probe import video_fingerprint


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mov"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25, width=128, height=128, pix_fmt="yuv420p")
        container.metadata["timecode"] = pictures.metadata["timecode"] = "10:00:00:00"
        frame = av.VideoFrame.from_ndarray(np.zeros((128, 128, 3), np.uint8))
        container.mux([*pictures.encode(frame), *pictures.encode()])
    return path


def test_what_the_run_wrote_down_is_asked_of_no_file(tmp_path: Path) -> None:
    record = {"video": "film.mov", "path": "/gone/film.mov", "start_timecode": "", "audio_channels": 6}
    Store(tmp_path).write_json("title.json", {"videos": [record]})
    (facts,) = videos_of("t", Store(tmp_path))
    assert (facts.start_timecode, facts.audio_channels) == ("", 6)


def test_an_earlier_versions_run_is_made_up_for_by_the_file_unless_it_has_changed(film: Path, tmp_path: Path) -> None:
    record = {"video": "film.mov", "path": str(film), "fingerprint": video_fingerprint(str(film))}
    Store(tmp_path).write_json("title.json", {"videos": [record]})
    (facts,) = videos_of("t", Store(tmp_path))
    assert (facts.start_timecode, facts.audio_channels) == ("10:00:00:00", 0)
    film.write_bytes(film.read_bytes() + b"\0")
    (facts,) = videos_of("t", Store(tmp_path))
    assert (facts.start_timecode, facts.audio_channels) == (None, None)
