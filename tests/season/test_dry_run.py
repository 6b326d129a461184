"""A plan says what a run would do, and why, and changes nothing."""

from pathlib import Path
from typing import Any

import pytest
from support.counting_stages import CountingStages, video

from vcn_ray.config import Options, make_options
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season.dry_run import Plan, plan_season
from vcn_ray.season.run import run_season
from vcn_ray.storage import objectstore
from vcn_ray.storage.store import Store


@pytest.fixture
def season(tmp_path: Path) -> Path:
    video(tmp_path / "videos", "a.mp4", range(1, 51))
    video(tmp_path / "videos", "b.mp4", range(101, 131))
    return tmp_path / "videos"


def _plan(season: Path, tmp_path: Path, **options: object) -> Plan:
    out = tmp_path / "out"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    plan = plan_season(
        find_season([season]), Store(out), make_options(options), stages=CountingStages(tmp_path / "planning")
    )
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    return plan


def _run(season: Path, tmp_path: Path) -> None:
    run_season(
        find_season([season]),
        Store(tmp_path / "out"),
        make_options(),
        executor=LocalExecutor(),
        stages=CountingStages(tmp_path / "calls"),
    )


def _todo(plan: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in plan.rows:
        if not row.is_done:
            found.setdefault(row.title, []).append(row.stage)
    return found


def test_all_is_to_do_at_first_and_nobody_knows_how_long(season: Path, tmp_path: Path) -> None:
    plan = _plan(season, tmp_path)
    assert _todo(plan) == {title: ["tracks", "views", "adapt", "results"] for title in ("a", "b")}
    assert [row.state for row in plan.rows if row.stage == "tracks"] == ["to do 3 of 3", "to do 2 of 2"]
    assert plan.seconds is None


def test_nothing_is_to_do_after_a_run(season: Path, tmp_path: Path) -> None:
    _run(season, tmp_path)
    plan = _plan(season, tmp_path)
    assert _todo(plan) == {}
    assert plan.seconds == 0


def test_new_episode_is_planned_alone_with_its_time(season: Path, tmp_path: Path) -> None:
    _run(season, tmp_path)
    video(season, "c.mp4", range(201, 221))
    plan = _plan(season, tmp_path)
    assert list(_todo(plan)) == ["c"]
    assert plan.seconds is not None
    assert plan.seconds > 0


@pytest.mark.parametrize(
    ("options", "stages", "why"),
    [
        ({"seed": 5}, {"adapt", "results"}, "seed was 0, is 5"),
        ({"sample_every_frames": 5}, {"tracks", "views", "adapt", "results"}, "sample_every_frames was 12, is 5"),
        ({"threads_per_title": 1}, {"adapt", "results"}, "threads_per_title was 2, is 1"),
        ({"window_s": 7}, set(), ""),
    ],
)
def test_changed_option_is_the_reason_of_what_depends_on_it(
    season: Path, tmp_path: Path, options: dict[str, object], stages: set[str], why: str
) -> None:
    _run(season, tmp_path)
    plan = _plan(season, tmp_path, **options)
    assert set(_todo(plan).get("a", [])) == stages
    assert {row.why for row in plan.rows if not row.is_done} == ({why} if why else set())


def test_changed_video_is_told(season: Path, tmp_path: Path) -> None:
    _run(season, tmp_path)
    video(season, "b.mp4", range(301, 331))
    assert {row.why for row in _plan(season, tmp_path).rows if not row.is_done} == {"its videos have changed"}


def test_title_that_cannot_be_done_is_named_and_the_others_are_planned(season: Path, tmp_path: Path) -> None:
    video(season, "bad.mp4", [])
    plan = _plan(season, tmp_path)
    assert [title for title, _ in plan.failing] == ["bad"]
    assert set(_todo(plan)) == {"a", "b"}


def test_titles_that_share_their_options_have_them_checked_once(season: Path, tmp_path: Path) -> None:
    class Counting(CountingStages):
        def check(self, options: Options) -> None:
            self.note("check")

    stages = Counting(tmp_path / "planning")
    given = {"b": make_options({"seed": 3})}
    video(season, "c.mp4", range(201, 221))
    plan_season(find_season([season]), Store(tmp_path / "out"), make_options(), stages=stages, title_options=given)
    assert stages.called("check") == {"check": 2}


def test_an_object_store_is_asked_little(s3_bucket: str, tmp_path: Path) -> None:
    """A season of 500 titles is planned in a minute: a title takes nine requests before a run and six after."""
    titles, client = 6, objectstore.client()
    for number in range(titles):
        client.put_object(Bucket=s3_bucket[5:], Key=f"videos/{number}.mp4", Body=b"1\n2\n3")
    season, out, stages = find_season([f"{s3_bucket}/videos"]), Store(f"{s3_bucket}/out"), CountingStages(tmp_path)
    asked: list[str] = []

    def count(request: Any, **_: object) -> None:
        asked.append(request.method)

    client.meta.events.register("before-send.s3", count)
    try:
        plan_season(season, out, make_options({"device": "cpu"}), stages=stages)
        assert len(asked) <= 9 * titles + 4  # some for the season's corrections
        run_season(season, out, make_options({"device": "cpu"}), executor=LocalExecutor(), stages=stages)
        asked.clear()
        assert all(row.is_done for row in plan_season(season, out, make_options({"device": "cpu"}), stages=stages).rows)
        assert len(asked) <= 6 * titles + 4
    finally:
        client.meta.events.unregister("before-send.s3", count)
