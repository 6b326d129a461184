"""Every item is done, whatever goes wrong with others; nobody waits for the rest after Ctrl-C."""

import _thread
import threading
import time

import pytest

from vcn_ray.season.threads import side_by_side


def test_all_are_done_and_the_error_is_told() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 3:
            raise ValueError("three")
        done.append(item)

    with pytest.raises(ValueError, match="three"):
        side_by_side(work, range(10), 4)
    assert sorted(done) == [n for n in range(10) if n != 3]


def test_interruption_waits_for_nobody() -> None:
    threading.Timer(0.3, _thread.interrupt_main).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        side_by_side(lambda _: time.sleep(20), range(8), 4)
    assert time.monotonic() - began < 10
