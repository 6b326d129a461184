"""What a run tells whoever watches it, as an interface, and monitors that show nothing or pass it on."""

from __future__ import annotations

from collections.abc import Mapping

#: Where a title is in the season, in order; a title that failed stays there.
STATES = ("queued", "tracks", "views", "waiting", "adapt", "results", "done", "failed")


def duration(seconds: float) -> str:
    """'48 s', '12 min', '3.5 h' or '4 days'."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 3 * 86400 else f"{seconds / 86400:.0f} days"


class Monitor:
    """Told by the season what goes on; what a subclass leaves out is nothing to it.

    Methods may be called from several threads and must not raise.
    """

    def start(self, title: str, stage: str, total: int, unit: str, done: int = 0) -> None:
        """A stage of a title begins; `done` of its `total` units were there from an earlier run."""

    def update(self, title: str, stage: str, done: int, total: int | None = None, note: str = "") -> None:
        """So much of the stage is done by now."""

    def end(self, title: str, stage: str, note: str = "") -> None:
        """The stage is over."""

    def moved(self, title: str, state: str) -> None:
        """The title is now in this one of `STATES`."""

    def landed(self, title: str, stage: str, step: str, stats: Mapping[str, float]) -> None:
        """A task of a stage is done: a shard, a chunk of views; `stats` are numbers on its work."""

    def epoch(self, title: str, iteration: int, epoch: int, loss: float) -> None:
        """An epoch of adaptation is done."""

    def retried(self, title: str, stage: str, why: str) -> None:
        """A task is done again, since its worker died or was lost."""

    def failed(self, title: str, stage: str, sentence: str) -> None:
        """The title has failed; the others go on."""

    def say(self, text: str) -> None:
        """A sentence worth reading now."""


class NullMonitor(Monitor):
    """Says nothing: for programs, and to inherit from."""


class MonitorGroup(Monitor):
    """Passes what it is told on to several monitors: a terminal, metrics, a status file, a log."""

    def __init__(self, *monitors: Monitor):
        self._monitors = monitors

    def start(self, title: str, stage: str, total: int, unit: str, done: int = 0) -> None:
        """Pass it on."""
        for monitor in self._monitors:
            monitor.start(title, stage, total, unit, done)

    def update(self, title: str, stage: str, done: int, total: int | None = None, note: str = "") -> None:
        """Pass it on."""
        for monitor in self._monitors:
            monitor.update(title, stage, done, total, note)

    def end(self, title: str, stage: str, note: str = "") -> None:
        """Pass it on."""
        for monitor in self._monitors:
            monitor.end(title, stage, note)

    def moved(self, title: str, state: str) -> None:
        """Pass it on."""
        for monitor in self._monitors:
            monitor.moved(title, state)

    def landed(self, title: str, stage: str, step: str, stats: Mapping[str, float]) -> None:
        """Pass it on."""
        for monitor in self._monitors:
            monitor.landed(title, stage, step, stats)

    def epoch(self, title: str, iteration: int, epoch: int, loss: float) -> None:
        """Pass it on."""
        for monitor in self._monitors:
            monitor.epoch(title, iteration, epoch, loss)

    def retried(self, title: str, stage: str, why: str) -> None:
        """Pass it on."""
        for monitor in self._monitors:
            monitor.retried(title, stage, why)

    def failed(self, title: str, stage: str, sentence: str) -> None:
        """Pass it on."""
        for monitor in self._monitors:
            monitor.failed(title, stage, sentence)

    def say(self, text: str) -> None:
        """Pass it on."""
        for monitor in self._monitors:
            monitor.say(text)
