"""Looking at videos does not delay the work on those that are known. What is held:

- a title whose video is known is extracted while others are still looked at, and all come to the same results
- what fails in a later wave fails alone; what would fail every title refuses the run before any work
- the interface to the waves: each title once, all that come in time together
"""

import threading
from pathlib import Path

import pytest
from support.counting_stages import CountingStages, Info, results_of, video

from vcn_ray.config import Options, make_options
from vcn_ray.errors import ModelError
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season import probing
from vcn_ray.season.run import SeasonOutcome, run_season
from vcn_ray.storage.store import Store


class SlowLook(CountingStages):
    """The look at b.mp4 waits until something has been extracted; `in_time` says whether something was."""

    def __init__(self, calls: Path):
        super().__init__(calls)
        self.extracting = threading.Event()
        self.in_time: bool | None = None

    def probe(self, path: str) -> Info:
        if path.endswith("b.mp4"):
            self.in_time = self.extracting.wait(10)
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


def _run(season: Path, out: Path, stages: CountingStages) -> SeasonOutcome:
    return run_season(find_season([season]), Store(out), make_options(), executor=LocalExecutor(), stages=stages)


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
