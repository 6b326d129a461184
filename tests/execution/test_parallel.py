"""Every item is done, whatever goes wrong with others; nobody waits for the rest after Ctrl-C."""

import _thread
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from vcn_ray.execution.parallel import side_by_side


def test_all_are_done_and_the_error_is_told() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 3:
            raise ValueError("three")
        done.append(item)

    with pytest.raises(ValueError, match="three"):
        side_by_side(work, range(10), 4)
    assert sorted(done) == [n for n in range(10) if n != 3]


@pytest.fixture
def heard_interrupt() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interruption_waits_for_nobody(heard_interrupt: None) -> None:
    threading.Timer(0.3, _thread.interrupt_main).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        side_by_side(lambda _: time.sleep(20), range(8), 4)
    assert time.monotonic() - began < 10
