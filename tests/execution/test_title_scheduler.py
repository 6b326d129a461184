"""Which titles may adapt, in what order, and with how many CPUs.

- While anything is extracted, titles get one CPU each, of half of the CPUs; none on a single CPU.
- Afterwards a title gets its threads, or one CPU where there is not room for two such titles and others wait; no more
  CPUs or GPUs are promised than there are.
- Of those that wait, the first of the season goes first.
"""

import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.execution.on_ray.session import Cluster
from vcn_ray.execution.title_scheduler import Resources, TitleScheduler


class _Asked(threading.Event):
    """Never set until it is; counts how often each thread has asked, which is once before each wait for a slot."""

    def __init__(self) -> None:
        super().__init__()
        self._times: Counter[int] = Counter()
        self._asked = threading.Condition()

    def is_set(self) -> bool:
        with self._asked:
            self._times[threading.get_ident()] += 1
            self._asked.notify_all()
        return super().is_set()

    def wait_until_asked(self, threads: int, times: int = 1) -> None:
        with self._asked:
            assert self._asked.wait_for(lambda: sum(n >= times for n in self._times.values()) >= threads, timeout=30)


def _takes_at_once(scheduler: TitleScheduler, titles: int, expected: int) -> list[int]:
    """CPUs of the titles that get a slot while nobody gives one back; waits for the expected number, and a little."""
    taken: list[int] = []
    gave_up, done = threading.Event(), threading.Event()

    def title(place: int) -> None:
        try:
            with scheduler.take(place, gave_up) as cpus:
                taken.append(cpus)
                done.wait()
        except InterruptedError:
            pass

    threads = [threading.Thread(target=title, args=(place,)) for place in range(titles)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(taken) + scheduler.waiting < titles or len(taken) < expected:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.05)
    gave_up.set()
    done.set()
    for thread in threads:
        thread.join()
    return taken


@pytest.mark.parametrize(
    ("cpus", "gpus", "needs", "extracting", "expected"),
    [
        (1, 0, Resources(cpus=2), True, []),
        (2, 0, Resources(cpus=2), True, [1]),
        (8, 0, Resources(cpus=2), True, [1, 1, 1, 1]),
        (8, 0, Resources(cpus=2, workers=2), True, [1, 1]),
        (1, 0, Resources(cpus=2), False, [1]),
        (2, 0, Resources(cpus=2), False, [1, 1]),
        (3, 0, Resources(cpus=2), False, [1, 1, 1]),
        (8, 0, Resources(cpus=2), False, [2, 2, 2, 2]),
        (8, 0, Resources(cpus=2, workers=2), False, [2, 2]),
        (16, 1, Resources(cpus=2, gpus=1), False, [2]),
        (16, 1, Resources(cpus=2, gpus=0.25), False, [2, 2, 2, 2]),
        (16, 2, Resources(cpus=2, gpus=0.4), False, [2, 2, 2, 2]),
        (16, 4, Resources(cpus=2, workers=2, gpus=1), False, [2, 2]),
        (3, 1, Resources(cpus=1, gpus=0.125), False, [1, 1]),  # the third CPU joins and writes titles meanwhile
        (1, 1, Resources(cpus=1, gpus=0.125), False, [1]),
        (16, 0, Resources(cpus=2, gpus=1), False, [2]),  # a cluster without a GPU yet grows by being asked
    ],
)
def test_scheduler(cpus: int, gpus: int, needs: Resources, extracting: bool, expected: list[int]) -> None:
    assert (
        _takes_at_once(TitleScheduler(cpus, gpus, needs, extracting=extracting, titles=5), 5, len(expected)) == expected
    )


def test_titles_that_have_no_use_for_a_second_cpu_leave_none_idle() -> None:
    scheduler = TitleScheduler(4, 0, Resources(cpus=2), extracting=False, titles=9)
    with ExitStack() as stack:
        assert [stack.enter_context(scheduler.take(0, threading.Event(), most_cpus=1)) for _ in range(3)] == [1] * 3
        assert not scheduler.leaves_room(), "for a title of two CPUs"
        assert stack.enter_context(scheduler.take(0, threading.Event(), most_cpus=1)) == 1


def test_titles_in_one_turn_leave_a_cpu_to_the_tasks_of_others() -> None:
    scheduler, gave_up, second = TitleScheduler(2, 0, Resources(), extracting=False, titles=9), _Asked(), []

    def title() -> None:
        with scheduler.take(1, gave_up, most_cpus=1):
            second.append(scheduler.tasks)

    thread = threading.Thread(target=title)
    with scheduler.take(0, threading.Event(), most_cpus=1):
        with scheduler.task():
            thread.start()
            gave_up.wait_until_asked(1, times=2)
            assert not second
        thread.join(30)
        assert second == [0]
    alone = TitleScheduler(1, 0, Resources(), extracting=False)
    with alone.task(), alone.take(0, threading.Event(), most_cpus=1):
        pass


def test_limit_that_was_asked_for_holds_whatever_is_there_now() -> None:
    assert len(_takes_at_once(TitleScheduler(1, 0, Resources(gpus=1), extracting=True, most_titles=3), 5, 3)) == 3


@given(st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_scheduler_are_given_back_and_never_promise_too_much(cpus: int, threads: int, extracting: bool) -> None:
    scheduler = TitleScheduler(cpus, 0, Resources(cpus=threads), extracting=extracting)
    scheduler.extraction_over()
    for _ in range(3):
        with ExitStack() as stack:
            taken = 0
            while taken + min(threads, cpus) <= cpus:
                taken += stack.enter_context(scheduler.take(0, threading.Event()))
            assert 0 < taken <= cpus


def test_first_of_the_season_goes_first_whoever_asked_before() -> None:
    scheduler = TitleScheduler(1, 0, Resources(), extracting=False)
    order: list[int] = []
    gave_up = _Asked()

    def title(place: int) -> None:
        with scheduler.take(place, gave_up):
            order.append(place)

    with scheduler.take(0, threading.Event()):
        threads = []
        for asked, place in enumerate((3, 1, 2), 1):
            threads.append(threading.Thread(target=title, args=(place,)))
            threads[-1].start()
            gave_up.wait_until_asked(asked)
        assert scheduler.waiting == 3
    for thread in threads:
        thread.join()
    assert order == [1, 2, 3]


def test_room_is_for_whoever_comes_first() -> None:
    scheduler = TitleScheduler(4, 0, Resources(), extracting=True)
    scheduler.expect(7)
    assert scheduler.leaves_room()
    with scheduler.take(0, threading.Event()), scheduler.take(1, threading.Event()):
        assert not scheduler.leaves_room()
        scheduler.extraction_over()
        assert scheduler.leaves_room()
    assert scheduler.expected == 7


def test_waiting_titles_start_when_machines_come() -> None:
    scheduler = TitleScheduler(1, 0, Resources(), extracting=True)
    assert _takes_at_once(scheduler, 3, 0) == []
    scheduler.resize(4, 0, 1)
    assert _takes_at_once(scheduler, 3, 2) == [1, 1]


def test_extraction_has_its_half_back_when_it_begins_again() -> None:
    scheduler = TitleScheduler(1, 0, Resources(), extracting=True)
    scheduler.extraction_over()
    assert scheduler.leaves_room()
    scheduler.extraction_begins()
    assert not scheduler.leaves_room()


def test_waiting_title_starts_when_extraction_is_over() -> None:
    scheduler = TitleScheduler(1, 0, Resources(), extracting=True)
    started = threading.Event()
    gave_up = _Asked()

    def title() -> None:
        with scheduler.take(0, gave_up):
            started.set()

    thread = threading.Thread(target=title)
    thread.start()
    gave_up.wait_until_asked(1, times=2)  # it has waited in between
    assert not started.is_set()
    scheduler.extraction_over()
    assert started.wait(30)
    thread.join()


def test_title_asks_for_no_more_than_one_machine_has() -> None:
    cluster = Cluster(((3, 0), (2, 1), (4, 0)))
    assert (cluster.cpus, cluster.gpus) == (9, 1)
    assert cluster.cpus_on_one_node(gpu=False) == 4
    assert cluster.cpus_on_one_node(gpu=True) == 2
