"""The same for many things at once, in threads that nobody waits for when the run is stopped."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")

#: Looks at stores and files from here at once; each takes milliseconds, or a while in an object store.
LOOKS_AT_ONCE = 8


def in_threads(function: Callable[[T], U], items: Iterable[T], at_once: int) -> Iterator[U]:
    """What the function gives for each item, as it comes, called for so many at a time.

    A ThreadPoolExecutor would wait for what is under way when it is interrupted: a look at a film in an object store
    takes minutes. What a call raises is raised here when all others are done; where nobody asks any more, no further
    call is begun.
    """
    todo: queue.SimpleQueue[T] = queue.SimpleQueue()
    left = 0
    for item in items:
        todo.put(item)
        left += 1
    stopped = threading.Event()
    ends: queue.SimpleQueue[tuple[list[U], BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        while not stopped.is_set():
            try:
                item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                ends.put(([function(item)], None))
            except BaseException as error:  # whatever it is, the others go on
                ends.put(([], error))

    for number in range(min(at_once, left)):
        threading.Thread(target=work, name=f"look {number}", daemon=True).start()
    first_error: BaseException | None = None
    try:
        while left:
            try:
                found, error = ends.get(timeout=0.2)  # in short waits, so that Ctrl-C is heard
            except queue.Empty:
                continue
            left -= 1
            first_error = first_error or error
            yield from found
    finally:
        stopped.set()
    if first_error is not None:
        raise first_error


def side_by_side(function: Callable[[T], None], items: Iterable[T], at_once: int) -> None:
    """Call it for each item, as `in_threads` does; returns when all are done."""
    for _ in in_threads(function, items, at_once):
        pass
