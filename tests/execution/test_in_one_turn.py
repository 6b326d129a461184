"""A title that one worker takes all the way: the same results, in its turn from the first step to the last."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from support.counting_stages import CountingStages, results_of, video

from vcn_ray.config import make_options
from vcn_ray.execution.base import Took
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.execution.title_scheduler import TitleScheduler
from vcn_ray.inputs.resolve import find_season
from vcn_ray.pipeline.tasks import TaskRow
from vcn_ray.pipeline.title_state import TitleState
from vcn_ray.season.outcome import INTERRUPTED
from vcn_ray.season.run import SeasonOutcome, run_season
from vcn_ray.storage.store import Store


class _OneWorker(LocalExecutor):
    """This process, for one title at a time; `begun` are the steps, each with the title that has the worker."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, str | None]] = []
        self._has_it: str | None = None

    def in_one_turn(self, state: TitleState) -> bool:
        return True

    @contextmanager
    def one_worker(self, state: TitleState, cpus: int) -> Iterator[None]:
        assert self._has_it is None
        self._has_it = state.title.id
        try:
            yield
        finally:
            self._has_it = None

    def assemble(self, row: TaskRow) -> TaskRow:
        self.begun.append(("assemble", self._has_it))
        return super().assemble(row)

    def views(self, state: TitleState) -> Took:
        self.begun.append(("views", self._has_it))
        return super().views(state)

    def adapt(self, state: TitleState, cpus: int) -> Took:
        self.begun.append(("adapt", self._has_it))
        return super().adapt(state, cpus)

    def finish(self, row: TaskRow) -> TaskRow:
        self.begun.append(("finish", self._has_it))
        return super().finish(row)


def _run(folder: Path, out: Path, executor: LocalExecutor) -> SeasonOutcome:
    stages = CountingStages(out.with_suffix(".calls"))
    return run_season(find_season([folder]), Store(out), make_options(), executor=executor, stages=stages)


def test_one_worker_takes_a_title_all_the_way(tmp_path: Path) -> None:
    for name, values in (("a", range(1, 51)), ("none", [0, 0, 0]), ("Überraschung é 日本", range(101, 131))):
        video(tmp_path / "videos", f"{name}.mp4", values)
    executor = _OneWorker()
    outcome = _run(tmp_path / "videos", tmp_path / "out", executor)
    assert [(title.id, title.stage) for title in outcome.failed] == [("none", "tracks")]
    steps = ["assemble", "views", "adapt", "finish"]
    assert [step for step in executor.begun if step[1] == "a"] == [(step, "a") for step in steps]
    assert [step for step in executor.begun if step[1] == "none"] == [("assemble", "none")]
    assert len(executor.begun) == 9
    assert None not in {title for _, title in executor.begun}
    _run(tmp_path / "videos", tmp_path / "other", LocalExecutor())
    assert results_of(tmp_path / "out") == results_of(tmp_path / "other")


def test_run_that_is_given_up_begins_no_further_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video(tmp_path / "videos", "a.mp4", range(1, 51))

    class GivenUp(_OneWorker):
        """What Ctrl-C or a lost lock is to the thread of a title."""

        def views(self, state: TitleState) -> Took:
            took = super().views(state)
            given_up[0].set()
            return took

    given_up: list[threading.Event] = []
    take = TitleScheduler.take

    def noted(
        scheduler: TitleScheduler, place: int, gave_up: threading.Event, most_cpus: int | None = None
    ) -> AbstractContextManager[int]:
        given_up.append(gave_up)
        return take(scheduler, place, gave_up, most_cpus)

    monkeypatch.setattr(TitleScheduler, "take", noted)
    executor = GivenUp()
    outcome = _run(tmp_path / "videos", tmp_path / "out", executor)
    assert [step for step, _ in executor.begun] == ["assemble", "views"]
    assert [title.error for title in outcome.titles] == [INTERRUPTED]
