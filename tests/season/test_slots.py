"""Which titles may have a worker, and how many CPUs.

- While anything is extracted, titles get one CPU each, of half of the CPUs; none on a single CPU.
- Afterwards a title gets its threads, and no more CPUs are promised than there are.
"""

import threading
from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.season.adaptation import Slots
from vcn_ray.season.session import Cluster


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


def _takes_at_once(slots: Slots, titles: int) -> list[int]:
    """CPUs of the titles that get a slot while nobody gives one back."""
    taken: list[int] = []
    gave_up = _Asked()
    done = threading.Event()

    def title() -> None:
        try:
            with slots.take(gave_up) as cpus:
                taken.append(cpus)
                done.wait()
        except InterruptedError:
            pass

    threads = [threading.Thread(target=title) for _ in range(titles)]
    for thread in threads:
        thread.start()
    gave_up.wait_until_asked(titles)
    gave_up.set()
    done.set()
    for thread in threads:
        thread.join()
    return taken


@pytest.mark.parametrize(
    ("cpus", "gpus", "threads", "extracting", "expected"),
    [
        (1, None, 2, True, []),
        (2, None, 2, True, [1]),
        (8, None, 2, True, [1, 1, 1, 1]),
        (1, None, 2, False, [1]),
        (2, None, 2, False, [2]),
        (8, None, 2, False, [2, 2, 2, 2]),
        (8, 1, 2, False, [2]),
    ],
)
def test_slots(cpus: int, gpus: int | None, threads: int, extracting: bool, expected: list[int]) -> None:
    assert _takes_at_once(Slots(cpus, gpus, threads, extracting=extracting), 6)[: len(expected) + 1] == expected


@given(st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_slots_are_given_back_and_never_promise_too_much(cpus: int, threads: int, extracting: bool) -> None:
    slots = Slots(cpus, None, threads, extracting=extracting)
    slots.extraction_over()
    for _ in range(3):
        with ExitStack() as stack:
            taken = 0
            while taken + min(threads, cpus) <= cpus:
                taken += stack.enter_context(slots.take(threading.Event()))
            assert 0 < taken <= cpus


def test_waiting_title_starts_when_extraction_is_over() -> None:
    slots = Slots(1, None, 1, extracting=True)
    started = threading.Event()

    gave_up = _Asked()

    def title() -> None:
        with slots.take(gave_up):
            started.set()

    thread = threading.Thread(target=title)
    thread.start()
    gave_up.wait_until_asked(1, times=2)  # it has waited in between
    assert not started.is_set()
    slots.extraction_over()
    assert started.wait(30)
    thread.join()


def test_title_asks_for_no_more_than_one_machine_has() -> None:
    cluster = Cluster(((3, 0), (2, 1), (4, 0)))
    assert (cluster.cpus, cluster.gpus) == (9, 1)
    assert cluster.cpus_on_one_node(gpu=False) == 4
    assert cluster.cpus_on_one_node(gpu=True) == 2
