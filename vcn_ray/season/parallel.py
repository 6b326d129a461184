"""The same for many things at once, in threads that nobody waits for when the run is stopped."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def side_by_side(function: Callable[[T], None], items: Iterable[T], at_once: int) -> None:
    """Call it for each item, so many at a time; returns when all are done, and at once when it is interrupted.

    An executor would wait for what is under way: a look at a film in an object store takes minutes. What a call raises
    is raised here when all are done.
    """
    todo: queue.SimpleQueue[T] = queue.SimpleQueue()
    for item in items:
        todo.put(item)
    errors: list[BaseException] = []

    def work() -> None:
        while True:
            try:
                item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                function(item)
            except BaseException as error:  # whatever it is, the others go on
                errors.append(error)

    threads = [threading.Thread(target=work, name=f"look {n}", daemon=True) for n in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # in short waits, so that Ctrl-C is heard
            thread.join(0.2)
    if errors:
        raise errors[0]
