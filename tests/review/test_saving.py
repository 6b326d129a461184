"""The tables follow the last edit; whoever holds the folder is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vcn_ray.errors import OutputError
from vcn_ray.review.saving import Saver


def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def test_many_edits_are_written_once() -> None:
    written = []
    saver = Saver(lambda: written.append(1), pause_s=0.1)
    assert saver.state() == ("saved", None)
    for _ in range(5):
        saver.edited()
    assert saver.state() == ("waiting", None)
    until(lambda: saver.state() == ("saved", None))
    assert len(written) == 1
    assert saver.close() is None
    assert len(written) == 1


def test_a_run_that_holds_the_folder_is_waited_for() -> None:
    held = threading.Event()
    held.set()

    def apply() -> None:
        if held.is_set():
            raise OutputError("another run is writing there")

    saver = Saver(apply, pause_s=0, retry_s=0.02)
    saver.edited()
    until(lambda: saver.state() == ("waiting", "another run is writing there"))
    held.clear()
    until(lambda: saver.state() == ("saved", None))
    assert saver.close() is None


def test_an_edit_while_it_writes_is_written_after_it() -> None:
    begun, go_on, written = threading.Event(), threading.Event(), []

    def apply() -> None:
        written.append(1)
        begun.set()
        go_on.wait(5)

    saver = Saver(apply, pause_s=0)
    saver.edited()
    assert begun.wait(5)
    assert saver.state() == ("writing", None)
    saver.edited()
    go_on.set()
    until(lambda: saver.state() == ("saved", None))
    assert len(written) == 2
    saver.close()


def test_what_takes_long_is_written_less_often() -> None:
    written: list[float] = []

    def apply() -> None:
        written.append(time.monotonic())
        time.sleep(0.1)

    saver = Saver(apply, pause_s=0.01)
    for number in (1, 2):
        saver.edited()
        until(lambda: len(written) == number and saver.state() == ("saved", None))  # noqa: B023
    assert written[1] - written[0] > 0.29
    saver.edited()
    saver.save_now()
    until(lambda: len(written) == 3)
    saver.close()


def test_the_end_writes_what_is_left_and_says_why_it_cannot() -> None:
    written = []
    saver = Saver(lambda: written.append(1), pause_s=60)
    saver.edited()
    assert saver.close() is None
    assert len(written) == 1

    def fail() -> None:
        raise ZeroDivisionError("oh")

    saver = Saver(fail, pause_s=60)
    saver.edited()
    assert saver.close() == "this is a fault of vcn-ray: ZeroDivisionError: oh"
