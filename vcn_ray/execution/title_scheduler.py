"""Which titles may adapt now, and with how many CPUs: in the order of the season, as many as the machines carry."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Resources:
    """What a title's adaptation asks for; a scheduler is told what it asks for when nothing is being extracted."""

    workers: int = 1  # processes that share the title
    cpus: float = 1.0  # of each worker
    gpus: float = 0.0  # of each worker; 0: it runs on CPUs
    memory_bytes: int = 0  # of each worker; 0: none is kept free for it

    def __str__(self) -> str:
        """For messages: "2 workers of 1 CPU and 0.5 GPU with 2.1 GB of memory"."""
        gpus = f" and {self.gpus:g} GPU" if self.gpus else ""
        memory = f" with {self.memory_bytes / 1e9:.1f} GB of memory" if self.memory_bytes else ""
        return f"{self.workers} worker{'s' * (self.workers > 1)} of {self.cpus:g} CPU{gpus}{memory}"


class TitleScheduler:
    """Gives titles leave to adapt, first come by their place in the season.

    While anything is being extracted, half of the CPUs stay with extraction and a worker gets one; on a single CPU
    titles wait. A worker that asked for more would wait for the end of extraction and slow it down meanwhile. When
    nothing is left to extract, a worker gets its threads' number, or one where that would leave no room for another
    title that is to come: one's views fill the time in which the other's worker starts. Where titles adapt on GPUs,
    their workers leave a CPU for what is joined and written meanwhile. Where machines come and go, `resize` tells.

    Args:
        cpus: of all machines.
        gpus: of all machines.
        needs: of a title.
        extracting: whether anything is still to be extracted.
        titles: that will come, as far as is known; `expect` tells it later.
        most_titles: titles that may adapt at once whatever there is now, for clusters that grow when asked; None:
            as many as fit on what is there.
    """

    def __init__(
        self,
        cpus: int,
        gpus: int,
        needs: Resources,
        *,
        extracting: bool,
        titles: int = 1,
        most_titles: int | None = None,
    ):
        self._cpus, self._gpus, self._needs, self._most = cpus, gpus, needs, most_titles
        self._extracting = extracting
        self._used = self._titles = 0
        self._left = self._expected = titles
        self._waiting: list[tuple[int, int]] = []  # (place in the season, number of the request)
        self._requests = self._tasks = 0
        self._changed = threading.Condition()

    def extraction_begins(self) -> None:
        """From now on half of the CPUs are for extraction."""
        with self._changed:
            self._extracting = True

    def extraction_over(self) -> None:
        """From now on all CPUs are for titles."""
        with self._changed:
            self._extracting = False
            self._changed.notify_all()

    def expect(self, titles: int) -> None:
        """So many titles will come."""
        with self._changed:
            self._left = self._expected = titles
            self._changed.notify_all()

    def resize(self, cpus: int, gpus: int, cpus_per_worker: int) -> None:
        """The machines have so many CPUs and GPUs by now, and a worker may ask for so many CPUs."""
        with self._changed:
            self._cpus, self._gpus = cpus, gpus
            self._needs = replace(self._needs, cpus=cpus_per_worker)
            self._changed.notify_all()

    @property
    def expected(self) -> int:
        """Titles that were said to come, those that have been here included."""
        with self._changed:
            return self._expected

    def leaves_room(self) -> bool:
        """Whether a title that came now would have its turn at once."""
        with self._changed:
            return not self._waiting and self._fits()

    @property
    def waiting(self) -> int:
        """Titles that wait for their turn."""
        with self._changed:
            return len(self._waiting)

    @contextmanager
    def task(self) -> Iterator[None]:
        """For the time of the block, a title has something done that is no part of its turn."""
        with self._changed:
            self._tasks += 1
        try:
            yield
        finally:
            with self._changed:
                self._tasks -= 1
                self._changed.notify_all()

    @property
    def tasks(self) -> int:
        """Such tasks under way; a small one may wait for a CPU."""
        with self._changed:
            return self._tasks

    @contextmanager
    def take(self, place: int, gave_up: threading.Event, most_cpus: int | None = None) -> Iterator[int]:
        """Wait for the title's turn; gives the number of CPUs that each of its workers is to ask for.

        `place` is the title's in the season: of those that wait, the first goes first. `most_cpus`: a worker of it has
        no use for more, and does the title's tasks, too; it leaves a CPU to those of other titles. Raises
        `InterruptedError` when the run is given up.
        """
        with self._changed:
            self._requests += 1
            ticket = (place, self._requests)
            heapq.heappush(self._waiting, ticket)
            while not (self._waiting[0] == ticket and self._fits(most_cpus)) and not gave_up.is_set():
                self._changed.wait(timeout=0.5)
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
            if gave_up.is_set():
                raise InterruptedError
            cpus = self._cpus_per_worker(most_cpus)
            taken = cpus * self._needs.workers
            self._used += taken
            self._titles += 1
            self._changed.notify_all()
        try:
            yield cpus
        finally:
            with self._changed:
                self._used -= taken
                self._titles -= 1
                self._left -= 1
                self._changed.notify_all()

    def _cpus_per_worker(self, most_cpus: int | None) -> int:
        crowded = self._left > 1 and self._cpus < 2 * self._needs.cpus * self._needs.workers
        if self._extracting or crowded:
            return 1
        cpus = max(1, min(int(self._needs.cpus), self._cpus // self._needs.workers))
        return cpus if most_cpus is None else min(cpus, most_cpus)

    def _fits(self, most_cpus: int | None = None) -> bool:
        if self._most is not None:
            return self._titles < self._most
        if self._needs.gpus and self._titles >= self._titles_on_gpus():
            return False
        wanted = self._cpus_per_worker(most_cpus) * self._needs.workers
        room = self._cpus - (self._needs.gpus > 0 or (self._tasks > 0 and most_cpus is not None))
        return self._used + wanted <= (self._cpus // 2 if self._extracting else max(room, wanted))

    def _titles_on_gpus(self) -> int:
        """Titles that the GPUs carry; a share of one cannot lie on two. One at least: it makes a cluster grow."""
        if self._needs.gpus < 1:
            workers = self._gpus * int(1 / self._needs.gpus + 1e-9)
        else:
            workers = int(self._gpus / self._needs.gpus)
        return max(1, workers // self._needs.workers)
