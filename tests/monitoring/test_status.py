"""A run's status can be read while it runs, after it ended, and after it died."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.counting_stages import CountingStages, video
from typer.testing import CliRunner, Result

from vcn_ray.cli.commands import app
from vcn_ray.config import make_options
from vcn_ray.errors import InputError
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.monitoring.status import SeasonStatus, StatusFile, TitleStatus, read_status
from vcn_ray.pipeline.stages import ShardTask
from vcn_ray.season.run import run_season
from vcn_ray.storage.store import Store


def _once(out: Path | str, told: Callable[[SeasonStatus], bool]) -> SeasonStatus:
    """The status as soon as it tells that, from its file."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if told(found := read_status(Store(out))):
                return found
        except InputError:
            pass
        time.sleep(0.02)
    raise AssertionError("it never told that")


def _age(folder: Path, seconds: float) -> None:
    content = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps(content | {"written": content["written"] - seconds}))


def _cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["status", *(str(argument) for argument in arguments)])


def test_running_finished_and_dead_runs_are_told_apart(tmp_path: Path) -> None:
    written = StatusFile(Store(tmp_path), every_s=0.05)
    written.moved("Épisode [1]", "tracks")
    written.start("Épisode [1]", "tracks", 100, "frames", done=20)
    written.update("Épisode [1]", "tracks", 60)
    written.retried("Épisode [1]", "tracks", "its worker died")
    found = _once(tmp_path, lambda status: bool(status.titles) and status.titles[0].retries == 1)
    (title,) = found.titles
    assert title.state == "tracks"
    assert title.seconds > 0
    assert title.stage is not None
    assert title.stage.progress.startswith("60 of 100 frames (60 %), ")
    assert title.stage.progress.endswith(" s left")
    assert found.headline.startswith("running for")
    assert _cli(tmp_path).exit_code == 0

    killed = (tmp_path / "status.json").read_text()
    written.close("finished")
    assert read_status(Store(tmp_path)).headline.startswith("finished after")
    (tmp_path / "status.json").write_text(killed)
    _age(tmp_path, 1000)
    shown = _cli(tmp_path)
    assert shown.output.startswith("stopped without finishing: no sign of life from process")
    assert "the same command goes on from there" in " ".join(shown.output.split())
    assert "Épisode [1]" in shown.output
    assert " left" not in shown.output
    assert shown.exit_code == 1


def test_run_that_begins_takes_the_place_of_an_old_one_at_once(tmp_path: Path) -> None:
    StatusFile(Store(tmp_path)).close("finished")
    written = StatusFile(Store(tmp_path), every_s=1000.0)
    assert _once(tmp_path, lambda status: status.state == "running").titles == []
    written.close("stopped")
    assert "the same command goes on from there" in read_status(Store(tmp_path)).headline


def test_run_that_lost_its_place_leaves_the_other_s_status_alone(tmp_path: Path) -> None:
    lost = threading.Event()
    written = StatusFile(Store(tmp_path), lost, every_s=0.05)
    _once(tmp_path, lambda status: status.state == "running")
    lost.set()
    time.sleep(0.2)  # what was under way is over
    StatusFile(Store(tmp_path)).close("finished")
    written.moved("a", "tracks")
    written.close("stopped")
    assert read_status(Store(tmp_path)).state == "finished"


def test_stage_of_the_season_is_told_apart_from_a_title_of_that_name(tmp_path: Path) -> None:
    written = StatusFile(Store(tmp_path), every_s=0.05)
    written.start("season", "probe", 8, "videos")
    written.update("season", "probe", 2)
    found = _once(tmp_path, lambda status: status.stage is not None and status.stage.done == 2)
    assert found.titles == []
    assert "probe: 2 of 8 videos (25 %)" in found.headline
    written.end("season", "probe")
    written.moved("season", "tracks")
    written.start("season", "tracks", 10, "frames")
    found = _once(tmp_path, lambda status: bool(status.titles) and status.titles[0].stage is not None)
    assert found.stage is None
    written.close("stopped")


def test_what_is_told_late_changes_nothing(tmp_path: Path) -> None:
    written = StatusFile(Store(tmp_path))
    for title in ("failing", "adapting"):
        written.moved(title, "tracks")
        written.start(title, "tracks", 100, "frames")
        written.update(title, "tracks", 10)
    written.failed("failing", "tracks", "its file is damaged")
    written.update("failing", "tracks", 20)
    written.moved("failing", "waiting")
    written.end("adapting", "tracks")
    written.update("adapting", "tracks", 20)
    written.moved("adapting", "adapt")
    written.start("adapting", "adapt", 50, "epochs")
    written.update("adapting", "tracks", 100)
    written.close("finished")
    failing, adapting = read_status(Store(tmp_path)).titles
    assert (failing.state, failing.stage, failing.error) == ("failed", None, "its file is damaged")
    assert adapting.stage is not None
    assert (adapting.stage.name, adapting.stage.done, adapting.stage.total) == ("adapt", 0, 50)


def test_slow_place_holds_up_nobody(tmp_path: Path) -> None:
    answer = threading.Event()

    class Slow(Store):
        def write_json(self, key: str, content: Any) -> None:
            answer.wait(60)

    before = time.monotonic()
    written = StatusFile(Slow(tmp_path), every_s=0.05, last_write_s=0.1)
    for number in range(100):
        written.moved(str(number), "tracks")
    written.close("finished")
    assert time.monotonic() - before < 5
    answer.set()


def test_status_in_a_bucket_goes_by_the_buckets_clock(s3_bucket: str) -> None:
    out = Store(f"{s3_bucket}/out")
    written = StatusFile(out, every_s=0.05)
    written.moved("a", "tracks")
    _once(out.url, lambda status: len(status.titles) == 1)
    written.close("finished")
    of_slow_clock = out.read_json("status.json") | {"state": "running", "started": 1000.0, "written": 1010.0}
    out.write_json("status.json", of_slow_clock)
    found = read_status(out)
    assert found.verdict == "running"
    assert found.headline.startswith("running for 10 s")
    assert _cli(out.url).exit_code == 0


def test_file_that_is_no_status_is_named(tmp_path: Path) -> None:
    for content in ("[]", "{", '{"state": 1}'):
        (tmp_path / "status.json").write_text(content)
        shown = _cli(tmp_path)
        assert shown.exit_code == 3
        assert "status.json is" in shown.stderr
        assert "Traceback" not in shown.output


def test_watching_ends_with_the_run(tmp_path: Path) -> None:
    written = StatusFile(Store(tmp_path), every_s=0.05)
    written.moved("a", "tracks")
    _once(tmp_path, lambda status: len(status.titles) == 1)

    def end() -> None:
        written.moved("a", "done")
        written.close("finished")

    threading.Timer(0.5, end).start()
    shown = _cli(tmp_path, "--watch", 0.1, "--json")
    assert shown.exit_code == 0
    told = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [status["verdict"] for status in (told[0], told[-1])] == ["running", "finished"]
    assert told[-1]["titles"][0]["state"] == "done"


def test_place_that_cannot_be_written_does_not_stop_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    written = StatusFile(Store(tmp_path / "file" / "out"))
    written.moved("a", "tracks")
    written.close("finished")
    with pytest.raises(InputError, match="no run has been started there"):
        read_status(Store(tmp_path))


def test_progress_of_extraction_is_kept_as_its_shards_land(tmp_path: Path) -> None:
    """Titles are told beforehand, and one moves on only when its first shard has landed."""
    seen: list[TitleStatus] = []
    watching = StatusFile(Store(tmp_path / "watching"), every_s=0.05)

    class Looking(CountingStages):
        def extract(self, store: Store, task: ShardTask, *rest: Any) -> dict[str, Any]:
            stats = super().extract(store, task, *rest)
            if task.first_frame == 40:
                time.sleep(0.3)
                seen.extend(title for title in read_status(Store(tmp_path / "watching")).titles if title.title == "a")
            return stats

    video(tmp_path / "videos", "a.mp4", range(1, 51))
    season, out = find_season([tmp_path / "videos"]), Store(tmp_path / "out")
    run_season(
        season, out, make_options(), executor=LocalExecutor(), monitor=watching, stages=Looking(tmp_path / "calls")
    )
    watching.close("finished")
    (title,) = seen
    assert title.state == "tracks"
    assert title.stage is not None
    assert title.stage.progress.startswith("40 of 50 frames")


def test_command_shows_titles_and_errors_of_a_run(tmp_path: Path) -> None:
    video(tmp_path / "videos", "a.mp4", [1, 2])
    video(tmp_path / "videos", "bad.mp4", [])
    run_season(
        find_season([tmp_path / "videos"]),
        Store(tmp_path / "out"),
        make_options(),
        executor=LocalExecutor(),
        stages=CountingStages(tmp_path / "calls"),
    )
    shown = _cli(tmp_path / "out")
    assert shown.exit_code == 1
    assert "1 done, 1 failed" in shown.output
    assert "is empty (0 bytes)" in " ".join(shown.output.split())
    as_json = json.loads(_cli(tmp_path / "out", "--json").output)
    assert {title["title"]: title["state"] for title in as_json["titles"]} == {"a": "done", "bad": "failed"}
    assert _cli(tmp_path / "none").exit_code == 2
