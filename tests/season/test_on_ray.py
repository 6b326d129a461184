"""A season on Ray, with stages that count numbers instead of faces.

- Results are those of a run in this process, byte by byte, whatever died on the way.
- A shard that kills its worker each time is its title's error; the other titles are done.
- The same command again does only what is missing.
"""

from pathlib import Path

import pytest
from standins import StandIn, results_of, video

from vcn_ray.config import make_options
from vcn_ray.season.driver import SeasonOutcome, run_season
from vcn_ray.season.titles import find_season
from vcn_ray.storage import Store


def _run(season: Path, out: Path, stages: StandIn, *, local: bool = False) -> SeasonOutcome:
    return run_season(find_season([season]), Store(out), make_options(), local=local, stages=stages)


def test_deaths_of_workers_change_nothing_but_the_title_that_dies(
    tmp_path: Path, ray_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    season = tmp_path / "videos"
    video(season, "a.mp4", range(1, 51))
    video(season, "b.mp4", range(101, 131))
    video(season, "none.mp4", [0, 0, 0])
    stages = StandIn(tmp_path / "calls", {25: "die once", 110: "die"}, adapt_trouble="die once")

    outcome = _run(season, tmp_path / "out", stages)
    assert {title.id: title.stage for title in outcome.failed} == {"b": "tracks", "none": "tracks"}
    assert "b.mp4, frames 0 to 20: its worker died 2 times" in str(outcome.titles[1].error)
    assert stages.called("adapt") == {"adapt a": 2}

    mended = StandIn(tmp_path / "calls")
    before = mended.called("extract")
    outcome = _run(season, tmp_path / "out", mended)
    assert [title.id for title in outcome.failed] == ["none"]
    assert {c for c, n in mended.called("extract").items() if n > before[c]} == {"extract b.mp4 0-20"}
    assert not list(tmp_path.glob("out/titles/*/work/ray"))

    _run(season, tmp_path / "here", StandIn(tmp_path / "other calls"), local=True)
    assert results_of(tmp_path / "out") == results_of(tmp_path / "here")

    calls = mended.called()
    monkeypatch.setattr("vcn_ray.season.driver.open_engine", None)  # nothing is left to do it for
    _run(season, tmp_path / "out", mended)
    assert mended.called() == calls
