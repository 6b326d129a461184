"""Warm workers, in threads of this process: title after title in one group, and what ends it costs its title alone.

- A title's own error ends nothing; what nobody had thought of ends the group after it.
- A group that dies is its title's affair, and only if the title was at work there; the next title gets a new group.
- The desk may forget everything at any time: no job is lost, none is done twice.
- A group waits as long as was said, and is taken by no title that asks for less or needs more.
"""

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayActorError
from ray.train import ControllerError, WorkerGroupError
from ray.train.v2._internal.exceptions import WorkerGroupStartupTimeoutError, WorkerHealthCheckFailedError

from vcn_ray.execution.base import TitleError
from vcn_ray.execution.on_ray.failures import NodeWatch
from vcn_ray.execution.on_ray.title_desk import Job, Outcome, TitleDesk, serve_titles
from vcn_ray.execution.on_ray.title_worker import TitleWorker, outcome_of
from vcn_ray.execution.on_ray.warm_groups import Group, WarmGroups
from vcn_ray.execution.title_scheduler import Resources

_LONG_S = 30.0
_CRASHED = WorkerGroupError(
    "a worker failed", {0: WorkerHealthCheckFailedError("", RayActorError(error_msg="its worker process has died"))}
)
_ONE = Resources()
_NO_ROOM = ControllerError(WorkerGroupStartupTimeoutError(1))


class _Desk:
    """A desk in this process; `forget_all` is what its actor's death would be."""

    def __init__(self) -> None:
        self.forget_all()

    def forget_all(self) -> None:
        self.there = TitleDesk()

    def put(self, job: Any) -> Job:
        return [job]

    def give(self, worker: str, number: int, job: Job) -> None:
        self.there.give(worker, number, job)

    def look(self, wanted: dict[str, int]) -> dict[str, tuple[bool, Outcome | None]]:
        return self.there.look(wanted)

    def forget(self, worker: str) -> None:
        self.there.forget(worker)


class _Threads:
    """Groups whose workers are threads; `died` ends one in the way of a crash."""

    def __init__(self, keep_idle_s: float = _LONG_S, start_errors: Sequence[Exception] = ()):
        self.desk, self.started, self.killed = _Desk(), [], set[str]()
        self.resources: dict[str, Resources] = {}
        self._start_errors = iter(start_errors)
        self.groups = WarmGroups(self.desk, self._run, "g", lambda *_: keep_idle_s, look_every_s=0.005)
        self.told: list[dict[str, Any]] = []
        self.room_for: Callable[[str], None] = lambda name: None  # returns when there is

    def _run(self, name: str, resources: Resources) -> None:
        self.started.append(name)
        self.resources[name] = resources
        self.room_for(name)
        error = next(self._start_errors, None)
        if error is not None:
            raise error

        def ask(done: int, outcome: Outcome | None) -> tuple[int, Job] | None:
            if name in self.killed:
                raise _CRASHED
            return self.desk.there.ask(name, done, outcome)

        serve_titles(ask, lambda job: outcome_of(lambda: job(name)), pause=lambda _: time.sleep(0.002))

    def worker(self, title: str, resources: Resources = _ONE) -> TitleWorker:
        told = SimpleNamespace(put=SimpleNamespace(remote=self.told.append))
        nodes = NodeWatch(lambda: {"a"}, seen_dead_s=0.0)
        return TitleWorker(self.groups, title, resources, told, pause=lambda _: None, nodes=nodes)

    def do(self, title: str, job: Callable[[str], Any], resources: Resources = _ONE) -> Any:
        """A title of one job, which is given the name of its group; gives what came of it."""
        worker = self.worker(title, resources)
        try:
            return worker._done(job, worker._tell)
        finally:
            worker.release(keep=True)


@pytest.fixture(autouse=True)
def nothing_stays_frozen() -> Iterator[None]:
    """The workers are threads of this process here."""
    yield
    gc.unfreeze()


@pytest.fixture
def threads() -> Iterator[_Threads]:
    made = _Threads()
    yield made
    made.groups.close()


def _wait_until(so: Callable[[], bool]) -> None:
    until = time.monotonic() + _LONG_S
    while not so():
        assert time.monotonic() < until
        time.sleep(0.01)


def _crash(_: str) -> None:
    raise _CRASHED


def test_titles_follow_one_another_in_one_group(threads: _Threads) -> None:
    assert [threads.do(f"title {n}", lambda name, n=n: (name, n)) for n in range(5)] == [("g-1", n) for n in range(5)]
    assert threads.told == []


def test_titles_own_error_is_its_own_and_the_unexpected_ends_the_group(threads: _Threads) -> None:
    def refuse(trace: str) -> Callable[[str], None]:
        def job(_: str) -> None:
            raise TitleError("Überraschung <b>: no", trace)

        return job

    with pytest.raises(TitleError, match=r"^Überraschung <b>: no$"):
        threads.do("a", refuse(""))
    assert threads.do("b", str) == "g-1"
    with pytest.raises(TitleError) as caught:
        threads.do("c", refuse("where it was"))
    assert caught.value.trace == "where it was"
    assert threads.do("d", str) == "g-2"


def test_row_with_a_traceback_ends_the_group_too(threads: _Threads) -> None:
    row = {"error": "e", "traceback": "where it was"}
    assert threads.do("a", lambda _: row) == row
    assert threads.do("b", str) == "g-2"


def test_death_costs_the_title_at_work_alone(threads: _Threads) -> None:
    assert threads.do("before", str) == "g-1"
    with pytest.raises(TitleError, match=r"deadly: the worker .* died 3 times"):
        threads.do("deadly", _crash)
    assert threads.started == ["g-1", "g-2", "g-3"]
    assert [event["title"] for event in threads.told] == ["deadly"] * 2
    assert threads.do("after", str) == "g-4"
    assert len(threads.told) == 2


def test_title_goes_on_in_a_new_group_with_its_next_job(threads: _Threads) -> None:
    worker, crashes = threads.worker("a"), iter([True])

    def crash_once(name: str) -> str:
        if next(crashes, False):
            raise _CRASHED
        return name

    names = [worker._done(job, worker._tell) for job in (str, crash_once, str)]
    worker.release(keep=False)
    assert names == ["g-1", "g-2", "g-2"]


def test_each_job_of_a_title_may_die_as_often_as_a_title_of_one(threads: _Threads) -> None:
    worker = threads.worker("a")
    for _ in range(2):
        crashes = iter([True, True])

        def job(name: str, crashes: Iterator[bool] = crashes) -> str:
            if next(crashes, False):
                raise _CRASHED
            return name

        assert worker._done(job, worker._tell)
    worker.release(keep=False)


def test_group_that_dies_without_a_title_counts_for_none(threads: _Threads) -> None:
    for number in range(1, 6):
        assert threads.do("a", str) == f"g-{number}"
        threads.killed.add(f"g-{number}")
    assert threads.told == []


def test_waiting_for_room_is_said_and_no_failure() -> None:
    threads = _Threads(start_errors=[_NO_ROOM, _NO_ROOM])
    assert threads.do("a", str) == "g-3"
    assert ["room" in event["say"] for event in threads.told] == [True]
    threads.groups.close()


def test_desk_that_forgets_loses_no_job_and_repeats_none(threads: _Threads) -> None:
    done: list[int] = []
    assert threads.do("first", str) == "g-1"
    for number in range(3):
        at_work, go_on = threading.Event(), threading.Event()

        def job(name: str, number: int = number, at_work: Any = at_work, go_on: Any = go_on) -> str:
            at_work.set()
            go_on.wait(_LONG_S)
            done.append(number)
            return name

        came: list[str] = []
        title = threading.Thread(target=lambda job=job, came=came: came.append(threads.do("a", job)))
        title.start()
        assert at_work.wait(_LONG_S)
        threads.desk.forget_all()
        go_on.set()
        title.join(_LONG_S)
        assert came == ["g-1"]
    assert done == [0, 1, 2]


def test_desk_that_forgets_a_last_outcome_leaves_no_worker(threads: _Threads) -> None:
    heard = threading.Event()

    class Restarted(TitleDesk):
        """Ends before the worker has its answer, once the driver has heard the outcome."""

        def ask(self, worker: str, done: int, outcome: Outcome | None) -> tuple[int, Job] | None:
            answer = super().ask(worker, done, outcome)
            if outcome is None:
                return answer
            assert heard.wait(_LONG_S)
            threads.desk.forget_all()
            return None

    threads.desk.there = Restarted()
    assert threads.do("a", lambda _: {"traceback": "where it was"})
    heard.set()
    _wait_until(lambda: not threads.groups._groups)


def test_group_that_was_started_ahead_is_the_first_titles(threads: _Threads) -> None:
    threads.groups.prepare(Resources())
    threads.groups.prepare(Resources())
    assert threads.do("a", str) == "g-1"
    threads.groups.prepare(Resources())
    assert threads.started == ["g-1"]


def test_group_without_a_title_is_kept_for_so_long_and_no_longer() -> None:
    threads = _Threads(keep_idle_s=0.0)
    assert threads.do("a", str) == "g-1"
    _wait_until(lambda: not threads.groups._groups)
    assert threads.do("b", str) == "g-2"
    threads.groups.close()


def test_wait_for_room_does_not_count_as_start(threads: _Threads) -> None:
    asked: list[float] = []
    threads.groups._keep_idle_s = lambda _, start_s: asked.append(start_s) or _LONG_S
    threads.room_for = lambda name: time.sleep(0.3 * (name == "g-2"))
    first, second = threads.worker("a"), threads.worker("b")
    for worker in (first, second):
        worker._done(str, worker._tell)
    second.release(keep=True)
    _wait_until(lambda: bool(asked))
    starts = [group.start_s or _LONG_S for group in threads.groups._groups]
    assert max(starts) >= 0.3
    assert set(asked) == {min(starts)}
    first.release(keep=True)


def test_groups_that_wait_for_a_title_end_where_another_has_no_room(
    threads: _Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcn_ray.execution.on_ray.warm_groups._LONG_START_S", 0.05)
    small = [threads.worker(title, Resources(memory_bytes=1)) for title in "ab"]
    for worker in small:
        worker._done(str, worker._tell)
    for worker in small:
        worker.release(keep=True)
    threads.room_for = lambda _: _wait_until(lambda: len(threads.groups._groups) == 1)
    assert threads.do("large", str, Resources(memory_bytes=2)) == "g-3"


def test_title_that_needs_more_gets_a_group_in_the_place_of_the_one_that_waits(threads: _Threads) -> None:
    assert threads.do("small", str, Resources(memory_bytes=1)) == "g-1"
    assert threads.do("large", str, Resources(memory_bytes=2)) == "g-2"
    assert threads.do("small", str, Resources(memory_bytes=1)) == "g-2"
    assert threads.do("fewer CPUs", str, Resources(cpus=0.5, memory_bytes=1)) == "g-3"
    assert threads.resources["g-3"] == Resources(cpus=0.5, memory_bytes=2), "it would be the next large one's, too"
    assert len(threads.groups._groups) <= 2


def test_libraries_are_looked_through_no_more_once_a_job_has_loaded_them(
    threads: _Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcn_ray.execution.on_ray.title_desk.release_memory", lambda: None)
    frozen: list[int] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(len(sys.modules)))
    worker = threads.worker("a")
    worker._done(str, worker._tell)
    worker._done(str, worker._tell)
    worker._done(lambda _: monkeypatch.setitem(sys.modules, "a library", sys), worker._tell)
    worker._done(str, worker._tell)
    worker._done(str, worker._tell)
    assert len(frozen) == 2


def test_worker_says_how_many_cpus_it_holds(threads: _Threads) -> None:
    threads.do("first", str, Resources(cpus=1))
    worker = threads.worker("a", Resources(cpus=2))
    assert worker.cpus == 2
    worker._done(str, worker._tell)
    assert worker.cpus == 1


@pytest.mark.parametrize(
    ("own", "asked", "suits"),
    [
        (Resources(cpus=1), Resources(cpus=2), True),
        (Resources(cpus=2), Resources(cpus=1), False),
        (Resources(memory_bytes=4), Resources(memory_bytes=2), True),
        (Resources(memory_bytes=2), Resources(memory_bytes=4), False),
        (Resources(gpus=0.25), Resources(gpus=0.5), False),
    ],
)
def test_whom_a_group_suits(own: Resources, asked: Resources, suits: bool) -> None:
    assert Group("g", own).suits(asked) == suits


def test_end_of_a_run_ends_all_groups(threads: _Threads) -> None:
    threads.do("a", str)
    threads.groups.close()
    assert threads.groups._groups == []


def test_title_under_way_when_the_run_ends_gets_no_other_job_and_no_other_group(threads: _Threads) -> None:
    worker, at_work, go_on = threads.worker("a"), threading.Event(), threading.Event()
    came: list[Any] = []

    def job(name: str) -> str:
        at_work.set()
        go_on.wait(_LONG_S)
        return name

    def title() -> None:
        came.append(worker._done(job, worker._tell))
        with pytest.raises(InterruptedError):
            worker._done(came.append, worker._tell)
        came.append("interrupted")

    thread = threading.Thread(target=title)
    thread.start()
    assert at_work.wait(_LONG_S)
    threads.groups.close()
    go_on.set()
    thread.join(_LONG_S)
    assert came == ["g-1", "interrupted"]
    threads.groups.prepare(_ONE)
    assert threads.started == ["g-1"]
    assert threads.told == []


def test_job_is_not_given_once_the_run_is_over(threads: _Threads) -> None:
    group = threads.groups.take(_ONE)
    threads.groups.close()
    with pytest.raises(InterruptedError):
        threads.groups.do(group, str)
