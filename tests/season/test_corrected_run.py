"""A run after people have corrected its result: what is done again, what is not, and what a plan says of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from support.counting_stages import CountingStages, video

from vcn_ray.config import make_options
from vcn_ray.corrections.correction import Correction, Kind, TrackAnchor, make_correction
from vcn_ray.corrections.correction_file import CORRECTIONS_KEY, corrections_digest, edit_corrections
from vcn_ray.curation.applying import apply_to_season
from vcn_ray.errors import InputError
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season.dry_run import Plan, plan_season
from vcn_ray.season.run import run_season
from vcn_ray.storage.store import Store

#: Tracks of the videos below, which are known by their content.
A, ALSO_A, B = (
    TrackAnchor(repr(tuple(values)), (first, first + 9), ((first, 0.0, 0.0, 9.0, 9.0),))
    for values, first in ((range(1, 51), 0), (range(1, 51), 20), (range(101, 131), 0))
)
NAME = make_correction(Kind.NAME, [A], by="ann", name="Anna")
MERGE = make_correction(Kind.MERGE, [A], [ALSO_A], by="ann")
ACROSS = make_correction(Kind.MERGE, [A], [B], by="ann")
GUESS = make_correction(Kind.NAME, [A], by="gallery", name="Anna", confidence=0.9)


@pytest.fixture
def season(tmp_path: Path) -> Path:
    video(tmp_path / "videos", "a.mp4", range(1, 51))
    video(tmp_path / "videos", "b.mp4", range(101, 131))
    _run(tmp_path)
    return tmp_path


def _run(folder: Path, stages: CountingStages | None = None, settings: Mapping[str, object] | None = None) -> set[str]:
    """What a run does that reads the file of corrections: the calls of its stages, without their numbers."""
    calls = folder / f"calls{len(list(folder.glob('calls*')))}"
    stages = stages or CountingStages(calls)
    stages.calls = str(calls)
    inputs, out = find_season([folder / "videos"]), Store(folder / "out")
    run_season(inputs, out, make_options(settings or {}), executor=LocalExecutor(), stages=stages)
    return set(stages.called())


def _plan(folder: Path) -> Plan:
    stages = CountingStages(folder / "planning")
    return plan_season(find_season([folder / "videos"]), Store(folder / "out"), make_options(), stages=stages)


def _write(folder: Path, *said: Correction) -> None:
    edit_corrections(Store(folder / "out"), lambda _: said)


def _why(plan: Plan) -> dict[str, str]:
    return {row.title: row.why for row in plan.rows if not row.is_done}


@pytest.mark.parametrize("said", [NAME, GUESS, ACROSS])
def test_what_binds_no_title_redoes_the_seasons_tables_alone(said: Correction, season: Path) -> None:
    _write(season, said)
    plan = _plan(season)
    assert _why(plan) == {}
    assert plan.corrected
    assert _run(season) == {"finish season"}
    assert Store(season / "out").read_json("season.json")["corrections"] == corrections_digest([said])
    assert not _plan(season).corrected
    assert _run(season) == set()


def test_what_is_said_of_a_titles_tracks_redoes_that_title_alone(season: Path) -> None:
    _write(season, MERGE)
    assert _why(_plan(season)) == {"a": "people have corrected its tracks"}
    links = season / "out" / "titles" / "a" / "work" / "links.json"
    assert not links.exists()  # planning changes nothing
    done = _run(season)
    assert "finish season" in done
    assert any(call.startswith("finish a") for call in done)
    assert not any(call.startswith(("extract", "finish b")) for call in done)
    assert links.exists()
    assert _run(season) == set()
    # Who said it, and when, changes no clustering.
    _write(season, make_correction(Kind.MERGE, [A], [ALSO_A], by="bob"))
    assert _why(_plan(season)) == {}
    assert _run(season) == {"finish season"}


def test_a_file_that_was_removed_by_hand_takes_all_back(season: Path) -> None:
    _write(season, MERGE, NAME)
    _run(season)
    (season / "out" / CORRECTIONS_KEY).unlink()
    assert _why(_plan(season)) == {"a": "people have corrected its tracks"}
    _run(season)
    assert not (season / "out" / "titles" / "a" / "work" / "links.json").exists()
    assert Store(season / "out").read_json("season.json")["corrections"] is None
    assert _run(season) == set()


def test_a_run_that_was_killed_before_the_seasons_tables_writes_them_next_time(season: Path) -> None:
    class Killed(BaseException):
        pass

    class Dying(CountingStages):
        def finish_season(self, *_: object) -> list[str]:
            raise Killed

    _write(season, MERGE)
    with pytest.raises(Killed):
        _run(season, Dying(season / "dying"))
    with pytest.raises(InputError, match="no finished run is there"):
        apply_to_season(Store(season / "out"))
    assert _run(season) == {"finish season"}
    assert _run(season) == set()


def test_what_was_made_from_other_tracks_is_corrected_by_nobody_until_a_run_has_finished(season: Path) -> None:
    """A run with other options was killed when it had joined other tracks: tables and tracks are of two seasons."""

    class Killed(BaseException):
        pass

    class Dying(CountingStages):
        def view_chunks(self, *_: object) -> list[str]:
            raise Killed

    with pytest.raises(Killed):
        _run(season, Dying(season / "dying"), {"sample_every_frames": 3})
    assert not Store(season / "out").exists("titles/a/work/results.done.json")  # what applying asks for
    done = _run(season)
    assert "finish season" in done
    assert any(call.startswith("assemble a") for call in done)
    assert _run(season) == set()


def test_results_of_a_video_that_has_changed_are_corrected_by_nobody(season: Path) -> None:
    """What was said is of the content that was; it would be gone from the tables, though the old video comes back."""
    video(season / "videos", "a.mp4", range(1, 52))
    with pytest.raises(KeyboardInterrupt):
        _run(season, _Interrupted(season / "interrupted"))
    assert not Store(season / "out").exists("titles/a/work/results.done.json")
    assert Store(season / "out").exists("titles/b/work/results.done.json")
    video(season / "videos", "a.mp4", range(1, 51))
    assert any(call.startswith("finish a") for call in _run(season))
    assert _run(season) == set()


class _Interrupted(CountingStages):
    def extract(self, *_: object) -> dict:
        raise KeyboardInterrupt


def test_a_file_that_is_wrong_stops_a_run_before_it_changes_anything(season: Path) -> None:
    (season / "out" / CORRECTIONS_KEY).write_text("format: 1\ncorrections: [Anna]\n")
    with pytest.raises(InputError, match="entry 1"):
        _run(season)
    with pytest.raises(InputError, match="entry 1"):
        _plan(season)
