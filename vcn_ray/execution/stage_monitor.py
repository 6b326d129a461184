"""A title's views and adaptation as a monitor sees them, whoever does the work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from vcn_ray.execution.base import TitleError, Took
from vcn_ray.execution.worker_events import adapt_epochs, tell_landed
from vcn_ray.monitoring.monitor import Monitor
from vcn_ray.pipeline.tasks import TaskRow
from vcn_ray.pipeline.title_state import TitleState


class ShownViews:
    """A title's views on the monitor: how many chunks have landed. `TitleError` for one that failed."""

    def __init__(self, state: TitleState, chunks: int, monitor: Monitor):
        self._title, self._chunks, self._monitor, self._done = state.title.id, chunks, monitor, 0
        self.cpu_s = 0.0

    def __enter__(self) -> ShownViews:
        self._monitor.moved(self._title, "views")
        self._monitor.start(self._title, "views", self._chunks, "chunks")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._monitor.end(self._title, "views")

    def landed(self, row: TaskRow) -> None:
        """A chunk has been computed, or not."""
        tell_landed(self._monitor, "views", row)
        if row["error"]:
            raise TitleError(row["error"], row["traceback"])
        self._done += 1
        self.cpu_s += row["ended"] - row["started"]
        self._monitor.update(self._title, "views", self._done)


@dataclass
class ShownAdaptation:
    """A title's adaptation on the monitor; `started`, `ended` (seconds since 1970), `cpus` are set to the worker's."""

    cpus: int
    started: float = field(default_factory=time.time)
    ended: float | None = None

    def took(self) -> Took:
        """What it took, once it is over."""
        wall_s = (self.ended or time.time()) - self.started
        return Took(wall_s, wall_s * self.cpus)


@contextmanager
def shown_adaptation(state: TitleState, monitor: Monitor, cpus: int, gpus: float) -> Iterator[ShownAdaptation]:
    """A title's adaptation on the monitor; what is given tells afterwards what it took."""
    title = state.title.id
    monitor.moved(title, "adapt")
    monitor.start(title, "adapt", adapt_epochs(state.options, state.options.adapt.max_iterations), "epochs")
    shown = ShownAdaptation(cpus)
    yield shown
    shown.ended = shown.ended or time.time()
    times = {"started": shown.started, "ended": shown.ended, "cpus": shown.cpus, "gpus": gpus}
    monitor.landed(title, "adapt", "adapt", times)
    monitor.end(title, "adapt")
