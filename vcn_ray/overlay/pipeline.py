"""Frames on their way from the decoder to the encoder: decoded ahead, looked at side by side, in order."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

_AHEAD = 12  # frames


def read_ahead(items: Iterator[T], depth: int = _AHEAD) -> Iterator[T]:
    """The same items; the next ones are got meanwhile, in a thread. What it raises is raised here.

    PyAV holds no lock of Python's while FFmpeg works, so that decoding goes on beside encoding.
    """
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: tuple[bool, Any]) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        end: Any = None
        try:
            for item in items:
                if not put((True, item)):
                    return
        except BaseException as error:
            end = error
        put((False, end))

    threading.Thread(target=read, name="decode", daemon=True).start()
    try:
        while True:
            more, item = ready.get()
            if not more:
                if item is not None:
                    raise item
                return
            yield item
    finally:
        stopped.set()


def looked_at(
    frames: Iterable[tuple[int, Any]], look: Callable[[int, Any], T] | None, reach: int, threads: int
) -> Generator[tuple[int, Any, list[tuple[int, T]]], None, None]:
    """Each frame with what `look` found in it and in those up to `reach` frames before and after.

    Args:
        frames: numbers rising.
        look: called in `threads` threads, on several frames at once; None: nothing is looked for.
    """
    if look is None:
        yield from ((number, frame, []) for number, frame in frames)
        return
    with ThreadPoolExecutor(threads, "look") as pool:
        waiting: deque[tuple[int, Any, Future[T]]] = deque()
        past: deque[tuple[int, Future[T]]] = deque()

        def next_one() -> tuple[int, Any, list[tuple[int, T]]]:
            number, frame, found = waiting.popleft()
            while past and past[0][0] < number - reach:
                past.popleft()
            near = [*past, (number, found), *((at, later) for at, _, later in waiting if at <= number + reach)]
            past.append((number, found))
            return number, frame, [(at, future.result()) for at, future in near]

        try:
            for number, frame in frames:
                waiting.append((number, frame, pool.submit(look, number, frame)))
                # Some more than are asked for, so that all threads have something to do.
                while waiting[-1][0] - waiting[0][0] > reach and len(waiting) > reach + 2 * threads:
                    yield next_one()
            while waiting:
                yield next_one()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
