"""The benchmark of videos: three ways to go through a film, held against one another."""

from pathlib import Path

import pytest
from support.filmed_season import ANNA, write_film, write_filmed_season

from jobs.benchmarks.__main__ import main
from vcn_ray.storage.store import Store


def test_videos_are_measured_against_decoding_and_encoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_filmed_season(Store(tmp_path / "out"), write_film(tmp_path / "film.mp4", ("aac",)))
    main(["overlay", str(tmp_path / "out"), "--repeats", "1", "--frames", "12"])
    bare, boxes, hidden, about = capsys.readouterr().out.splitlines()
    assert bare.startswith("decode + encode")
    assert bare.endswith("100% by wall time, 100% by CPU time")
    assert boxes.startswith("boxes")
    assert hidden.startswith("hidden")
    assert ANNA in about
