"""A run's status can be read while it runs, after it ended, and after it died."""

import json
from pathlib import Path

import pytest
from standins import StandIn, video
from typer.testing import CliRunner

from vcn_ray.cli import app
from vcn_ray.config import make_options
from vcn_ray.errors import InputError
from vcn_ray.season import status as status_module
from vcn_ray.season.driver import run_season
from vcn_ray.season.status import StatusFile, read_status
from vcn_ray.season.titles import find_season
from vcn_ray.storage import Store


def test_running_finished_and_dead_runs_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_module, "WRITE_EVERY_S", 0.05)
    written = StatusFile(Store(tmp_path))
    written.moved("Épisode [1]", "tracks")
    written.start("Épisode [1]", "tracks", 100, "frames", done=20)
    written.update("Épisode [1]", "tracks", 60)
    written.retried("Épisode [1]", "tracks", "its worker died")
    while not (found := _read_soon(tmp_path)).titles or found.titles[0].done != 60:
        pass
    (title,) = found.titles
    assert (title.state, title.retries) == ("tracks", 1)
    assert title.progress.startswith("60 of 100 frames (60 %)")
    assert found.headline.startswith("running for")

    silent = json.loads((tmp_path / "status.json").read_text())
    written.close("finished")
    assert read_status(Store(tmp_path)).headline.startswith("finished after")
    silent["written"] -= 1000
    (tmp_path / "status.json").write_text(json.dumps(silent))
    assert read_status(Store(tmp_path)).headline.startswith("stopped without finishing: no sign of life")


def _read_soon(folder: Path) -> status_module.SeasonStatus:
    while not (folder / "status.json").exists():
        pass
    return read_status(Store(folder))


def test_place_that_cannot_be_written_does_not_stop_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    written = StatusFile(Store(tmp_path / "file" / "out"))
    written.moved("a", "tracks")
    written.close("finished")
    with pytest.raises(InputError, match="no run has been started there"):
        read_status(Store(tmp_path))


def test_command_shows_titles_and_errors_of_a_run(tmp_path: Path) -> None:
    video(tmp_path / "videos", "a.mp4", [1, 2])
    video(tmp_path / "videos", "bad.mp4", [])
    run_season(
        find_season([tmp_path / "videos"]),
        Store(tmp_path / "out"),
        make_options(),
        local=True,
        stages=StandIn(tmp_path / "calls"),
    )
    shown = CliRunner().invoke(app, ["status", str(tmp_path / "out")])
    assert shown.exit_code == 1
    assert "1 done, 1 failed" in shown.output
    assert "is empty (0 bytes)" in " ".join(shown.output.split())
    as_json = json.loads(CliRunner().invoke(app, ["status", "--json", str(tmp_path / "out")]).output)
    assert {title["title"]: title["state"] for title in as_json["titles"]} == {"a": "done", "bad": "failed"}
    assert CliRunner().invoke(app, ["status", str(tmp_path / "none")]).exit_code == 2
