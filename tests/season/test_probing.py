"""Looking at videos does not delay the work on those that are known. What is held:

- a title whose video is known is extracted while others are still looked at, and all come to the same results
- what fails in a later wave fails alone; what would fail every title refuses the run before any work
- the interface to the waves: each title once, all that come in time together
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.counting_stages import CountingStages, Info, results_of, video

from vcn_ray.config import Options, make_options
from vcn_ray.errors import ModelError, OutputError
from vcn_ray.execution.base import RunContext
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season import probing
from vcn_ray.season.run import SeasonOutcome, run_season
from vcn_ray.storage.lock import Lock
from vcn_ray.storage.store import Store


class SlowLook(CountingStages):
    """The look at b.mp4 waits until something is extracted, or what else is given; `in_time`: whether it came."""

    def __init__(self, calls: Path):
        super().__init__(calls)
        self.extracting = self.waits_for = threading.Event()
        self.in_time: bool | None = None

    def probe(self, path: str) -> Info:
        if path.endswith("b.mp4"):
            self.in_time = self.waits_for.wait(10)
        return super().probe(path)

    def extract(self, *given, **named):
        self.extracting.set()
        return super().extract(*given, **named)


@pytest.fixture
def season(tmp_path: Path) -> Path:
    video(tmp_path / "videos", "a.mp4", range(1, 51))
    video(tmp_path / "videos", "b.mp4", range(101, 131))
    video(tmp_path / "videos", "Überraschung é 日本.mp4", range(201, 221))
    return tmp_path / "videos"


def _run(season: Path, out: Path, stages: CountingStages, executor: LocalExecutor | None = None) -> SeasonOutcome:
    executor = executor or LocalExecutor()
    return run_season(find_season([season]), Store(out), make_options(), executor=executor, stages=stages)


def _errors(outcome: SeasonOutcome) -> dict[str, str | None]:
    return {title.id: title.error for title in outcome.titles}


def test_extraction_begins_while_others_are_looked_at(season: Path, tmp_path: Path, monkeypatch) -> None:
    assert not _run(season, tmp_path / "whole", CountingStages(tmp_path / "calls")).failed
    monkeypatch.setattr(probing, "FIRST_WAVE_S", 0.3)
    stages = SlowLook(tmp_path / "slow")
    outcome = _run(season, tmp_path / "waves", stages)
    assert stages.in_time
    assert set(_errors(outcome).values()) == {None}
    assert results_of(tmp_path / "waves") == results_of(tmp_path / "whole")
    assert {call: times for call, times in stages.called("extract").items() if times > 1} == {}


def test_titles_have_all_cpus_while_nothing_is_extracted_between_waves(
    season: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(probing, "FIRST_WAVE_S", 0.3)
    stages = SlowLook(tmp_path / "calls")
    nothing_is_extracted = threading.Event()

    class Telling(LocalExecutor):
        @contextmanager
        def open(self, context: RunContext) -> Iterator[None]:
            with super().open(context):
                monkeypatch.setattr(self.scheduler, "extraction_over", nothing_is_extracted.set)
                yield

    stages.waits_for = nothing_is_extracted
    assert not _run(season, tmp_path / "out", stages, Telling()).failed
    assert stages.in_time


def test_run_that_loses_its_lock_does_not_wait_for_a_look(season: Path, tmp_path: Path, monkeypatch) -> None:
    lost = threading.Event()

    class NobodyAnswers(CountingStages):
        def probe(self, path: str) -> Info:
            assert lost.wait(10)
            return super().probe(path)

    def check(_: Lock) -> None:
        lost.set()
        raise OutputError("another run may have taken its place")

    monkeypatch.setattr(Lock, "check", check)
    stages = NobodyAnswers(tmp_path / "calls")
    with pytest.raises(OutputError, match="taken its place"):
        _run(season, tmp_path / "out", stages)
    assert not stages.called("extract")


def test_a_video_that_is_found_bad_later_fails_alone(season: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(probing, "FIRST_WAVE_S", 0.3)
    video(season, "b.mp4", [])
    errors = _errors(_run(season, tmp_path / "out", SlowLook(tmp_path / "calls")))
    assert [title for title, error in errors.items() if error] == ["b"]
    assert "b.mp4 is empty" in str(errors["b"])


def test_what_would_fail_all_titles_refuses_the_run_before_any_work(season: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(probing, "FIRST_WAVE_S", 0.0)

    class Unfit(SlowLook):
        def check(self, options: Options) -> None:
            self.extracting.set()  # lets the look at b.mp4 end
            raise ModelError("no such pack")

    stages = Unfit(tmp_path / "calls")
    with pytest.raises(ModelError, match="no such pack"):
        _run(season, tmp_path / "out", stages)
    assert not stages.called("extract")


def test_what_fails_one_title_leaves_those_that_come_later(season: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(probing, "FIRST_WAVE_S", 0.0)

    class UnfitForOne(CountingStages):
        def check(self, options: Options) -> None:
            if options.seed == 7:
                raise ModelError("no such pack")

    own = {"a": make_options({"seed": 7})}
    outcome = run_season(
        find_season([season]),
        Store(tmp_path / "out"),
        make_options(),
        executor=LocalExecutor(),
        stages=UnfitForOne(tmp_path / "calls"),
        title_options=own,
    )
    assert [title for title, error in _errors(outcome).items() if error] == ["a"]
