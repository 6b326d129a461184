"""The Python interface."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command_line import write_season_file, write_video

import vcn_ray
from vcn_ray.config import make_options
from vcn_ray.errors import OptionError


def test_season_file_from_python(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    season = write_season_file(tmp_path, "options: {seed: 2}\ntitles: [{video: a.mp4, title: One}]")
    result = vcn_ray.run(season, tmp_path / "out", options={"min_crops": 3}, local=True)
    assert [title.id for title in result.titles] == ["One"]
    options = json.loads((tmp_path / "out" / "season.json").read_text())["options"]
    assert (options["seed"], options["tracks"]["min_crops"]) == (2, 3)
    with pytest.raises(OptionError, match="give these as a mapping"):
        vcn_ray.run(season, tmp_path / "out", options=make_options(), local=True)
