"""Work of several titles in few Datasets: what has gathered since the last one began goes together into the next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from vcn_ray.pipeline.tasks import TaskRow


@dataclass(eq=False)
class _Request:
    place: int
    rows: Sequence[TaskRow]
    on_landed: Callable[[TaskRow], None]
    left: set[tuple[str, str]] = field(default_factory=set)
    begun: bool = False
    error: BaseException | None = None

    @property
    def over(self) -> bool:
        return self.error is not None or not self.left


class RequestBatcher:
    """Runs requests of many threads in at most `at_once()` calls at a time.

    Each Dataset costs seconds to start and a share of the CPUs while it runs, so one a title would be too many. Whoever
    asks while there is room runs a batch of all requests that wait, the season's first title first; the others wait for
    their own rows, and one of them runs the next.
    """

    def __init__(self, run: Callable[[Sequence[TaskRow]], Iterator[TaskRow]], at_once: Callable[[], int]):
        self._run, self._at_once = run, at_once
        self._waiting: list[_Request] = []
        self._running = 0
        self._changed = threading.Condition()

    def do(self, place: int, rows: Sequence[TaskRow], on_landed: Callable[[TaskRow], None]) -> None:
        """Have the rows done; returns when all have landed. What `on_landed` or the run raises, is raised here."""
        request = _Request(place, rows, on_landed, {(row["title"], row["step"]) for row in rows})
        with self._changed:
            self._waiting.append(request)
        while True:
            with self._changed:
                while not request.over and (request.begun or self._running >= self._at_once()):
                    self._changed.wait()
                if request.over:
                    break
                batch, self._waiting = sorted(self._waiting, key=lambda r: r.place), []
                for other in batch:
                    other.begun = True
                self._running += 1
            self._work(batch)
        if request.error is not None:
            raise request.error

    def _work(self, batch: list[_Request]) -> None:
        owner = {(row["title"], row["step"]): request for request in batch for row in request.rows}
        error: BaseException = RuntimeError("not all of it was done")
        try:
            for landed in self._run([row for request in batch for row in request.rows]):
                key = landed["title"], landed["step"]
                request = owner[key]
                try:
                    request.on_landed(landed)
                except Exception as problem:
                    request.error = request.error or problem
                with self._changed:
                    request.left.discard(key)
                    self._changed.notify_all()
        except BaseException as problem:
            error = problem
            raise
        finally:
            with self._changed:
                for request in batch:
                    if not request.over:
                        request.error = error
                self._running -= 1
                self._changed.notify_all()
