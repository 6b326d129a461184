"""Which titles one warm worker takes all the way, and who has that worker before and after; off Ray.

- Small titles on CPUs, as many as there are CPUs or more.
- A worker goes from title to title, but not while the tasks of longer titles have no CPU otherwise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from support.counting_stages import CountingStages

from vcn_ray.config import make_options
from vcn_ray.execution.base import RunContext, TitleError
from vcn_ray.execution.on_ray import executor as on_ray
from vcn_ray.execution.on_ray.executor import RayExecutor
from vcn_ray.execution.on_ray.session import Cluster
from vcn_ray.execution.on_ray.warm_groups import WarmGroups
from vcn_ray.monitoring.monitor import NullMonitor
from vcn_ray.pipeline.tasks import Tasks

_TITLES = [f"title {number}" for number in range(9)]


class _Groups(WarmGroups):
    """None is started; so many are `there`."""

    def __init__(self) -> None:
        super().__init__(None, lambda *_: None, "g", lambda *_: 1.0)  # type: ignore[arg-type]
        self.there = 0

    @property
    def staying(self) -> int:
        return self.there


class _Stages(CountingStages):
    def __init__(self) -> None:
        """It is asked for memory alone."""

    def adapt_memory_bytes(self, tracks: float, crops: float, options: Any) -> int:
        return 0


@contextmanager
def _started(monkeypatch: pytest.MonkeyPatch, cpus: int, groups: _Groups, device: str = "cpu") -> Iterator[RayExecutor]:
    @contextmanager
    def session(_: Any) -> Iterator[Cluster]:
        yield Cluster(((cpus, int(device == "cuda")),))

    monkeypatch.setattr(on_ray, "ray_session", session)
    monkeypatch.setattr(on_ray, "make_event_actor", lambda _: None)
    monkeypatch.setattr(on_ray, "warm_groups", lambda *_: groups)
    options = make_options()
    tasks = Tasks(_Stages(), dict.fromkeys(_TITLES, options))
    executor = RayExecutor()
    with executor.open(RunContext(tasks, options.run, NullMonitor(), "run", device)):
        executor.start(extracting=True)
        executor.scheduler.expect(len(_TITLES))
        yield executor


def _state(minutes: float, title: str = "title 0") -> Any:
    return SimpleNamespace(minutes=minutes, options=make_options(), title=SimpleNamespace(id=title))


@pytest.mark.parametrize(
    ("minutes", "cpus", "device", "titles", "small"),
    [
        (2.0, 4, "cpu", 9, True),
        (4.0, 4, "cpu", 9, False),
        (2.0, 4, "cpu", 3, False),
        (2.0, 4, "cuda", 9, False),
    ],
)
def test_titles_that_one_worker_takes_all_the_way(
    monkeypatch: pytest.MonkeyPatch, minutes: float, cpus: int, device: str, titles: int, small: bool
) -> None:
    with _started(monkeypatch, cpus, _Groups(), device) as executor:
        executor.scheduler.expect(titles)
        assert executor.in_one_turn(_state(minutes)) == small


@pytest.mark.parametrize(("tasks", "groups", "kept"), [(False, 2, True), (True, 2, False), (True, 1, True)])
def test_worker_goes_to_the_next_title_unless_a_longer_ones_task_has_no_cpu(
    monkeypatch: pytest.MonkeyPatch, tasks: bool, groups: int, kept: bool
) -> None:
    released: list[bool] = []
    monkeypatch.setattr(
        on_ray, "TitleWorker", lambda *_: SimpleNamespace(release=lambda *, keep: released.append(keep))
    )
    there = _Groups()
    there.there = groups
    with _started(monkeypatch, 2, there) as executor:
        with executor.one_worker(_state(1.0), 1):
            if tasks:
                executor._stack.enter_context(executor.scheduler.task())
        assert released == [kept]


def test_title_that_fails_in_its_turn_gives_its_worker_back(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Worker:
        def do_task(self, row: dict[str, Any], *_: Any) -> None:
            done.append(row["title"])
            raise TitleError("no face", "")

        def release(self, *, keep: bool) -> None:
            done.append(f"kept: {keep}")

    monkeypatch.setattr(on_ray, "TitleWorker", lambda *_: Worker())
    monkeypatch.setattr(on_ray, "run_task", lambda row, *_: row | {"error": "in a task"})
    with _started(monkeypatch, 4, _Groups()) as executor:
        with pytest.raises(TitleError, match="no face"), executor.one_worker(_state(1.0), 1):
            executor.assemble({"title": "title 0"})
        assert done == ["title 0", "kept: True"]
        assert executor.assemble({"title": "title 0", "minutes": 1.0})["error"] == "in a task"
        assert executor.scheduler.tasks == 0


def _rows(*titles: tuple[str, int, int]) -> list[dict[str, Any]]:
    """Shards of (title, how many, frames of each)."""
    return [
        {"title": title, "first_frame": n * frames, "end_frame": (n + 1) * frames}
        for title, shards, frames in titles
        for n in range(shards)
    ]


@pytest.mark.parametrize(
    ("rows", "done_before", "when"),
    [
        # after how many shards the first worker is started
        (_rows(("title 0", 1, 1500)), {}, 0),
        (_rows(("title 0", 6, 500)), {}, 2),
        (_rows(("title 0", 1, 1500)), {"title 0": 100_000}, None),
        (_rows(("title 0", 1, 100_000), ("title 1", 3, 500)), {}, 1),
        (_rows(("title 0", 6, 50_000), ("title 1", 6, 500)), {}, 8),
    ],
)
def test_first_worker_is_started_for_the_last_shards_of_a_small_title(
    monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], done_before: dict[str, int], when: int | None
) -> None:
    landed, started, groups = [], [], _Groups()

    def run(rows: list[dict[str, Any]], *_: Any) -> Iterator[dict[str, Any]]:
        for row in rows:
            landed.append(row)
            yield row

    monkeypatch.setattr(on_ray, "run_on_ray", run)
    monkeypatch.setattr(groups, "prepare", lambda _: started.append(len(landed)))
    with _started(monkeypatch, 4, groups) as executor:
        assert list(executor.extract(rows, 0, done_before)) == rows
    assert started == ([] if when is None else [when])
