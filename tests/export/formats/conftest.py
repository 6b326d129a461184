"""A finished season whose videos' size and rate are known, as after a run."""

from pathlib import Path

import pytest
from support.finished_season import FPS, TRACKS, write_finished_season

from vcn_ray import load
from vcn_ray.inputs.titles import slug
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store

DURATION_S, SIZE = 12.0, (320, 160)


def write_known_season(out: Store) -> None:
    """The season of `support.finished_season`, with the working data that says what its videos are."""
    write_finished_season(out)
    for title, tracks in TRACKS.items():
        facts = {"duration_s": DURATION_S, "frames": int(DURATION_S * FPS), "fps": FPS}
        facts |= {"width_px": SIZE[0], "height_px": SIZE[1]}
        videos = [{"name": video, **facts} for video in sorted({video for video, *_ in tracks})]
        out.child("titles", slug(title)).write_json("work/page_facts.json", {"videos": videos})


@pytest.fixture
def known_season(tmp_path: Path) -> SeasonResult:
    """Two titles of three videos, 12 s of 25 frames a second each."""
    write_known_season(Store(tmp_path / "known"))
    return load(tmp_path / "known")
