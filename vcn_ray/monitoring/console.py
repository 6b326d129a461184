"""What a run says while it runs: one bar per title and stage with rate and remaining time, or plain lines."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from vcn_ray.monitoring.monitor import NullMonitor


@dataclass
class _Stage:
    total: int
    unit: str
    first: int  # units that an earlier run had done
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    said: float = field(default_factory=time.monotonic)


class Lines(NullMonitor):
    """Plain lines, for logs and pipes: a stage's beginning and end, and how far it is every so often."""

    def __init__(self, console: Console, every_s: float = 15.0):
        self._console = console
        self._every_s = every_s
        self._stages: dict[tuple[str, str], _Stage] = {}
        self._lock = threading.Lock()

    def start(self, title: str, stage: str, total: int, unit: str, done: int = 0) -> None:
        """Print that the stage begins."""
        with self._lock:
            self._stages[title, stage] = _Stage(total, unit, done, done=done)
        earlier = f", {done} done before" if done else ""
        self.say(f"{title}: {stage} begins ({total} {unit}{earlier})")

    def update(self, title: str, stage: str, done: int, total: int | None = None, note: str = "") -> None:
        """Print how far the stage is, if it is time again."""
        with self._lock:
            state = self._stages.get((title, stage))
            if state is None:
                return
            state.done, state.total = done, total or state.total
            now = time.monotonic()
            if now - state.said < self._every_s:
                return
            state.said = now
            rate = (done - state.first) / max(now - state.started, 1e-6)
            left = f", {(state.total - done) / rate:.0f} s left" if rate > 0 else ""
            text = f"{title}: {stage} {done}/{state.total} {state.unit}, {rate:.1f} {state.unit}/s{left}"
        self.say(f"{text}{'  ' if note else ''}{note}")

    def end(self, title: str, stage: str, note: str = "") -> None:
        """Print that the stage is over and how long it took."""
        with self._lock:
            state = self._stages.pop((title, stage), None)
        if state is not None:
            took = time.monotonic() - state.started
            self.say(f"{title}: {stage} done in {took:.1f} s{'  ' if note else ''}{note}")

    def say(self, text: str) -> None:
        """Print a line."""
        _print(self._console, text)


def _print(console: Console, text: str) -> None:
    """Print a line; a reader who has gone (``| head``) does not stop the run."""
    with suppress(OSError, SystemExit):  # rich exits where its reader is gone
        console.print(text, soft_wrap=True, markup=False, highlight=False)


class _Rate(ProgressColumn):
    """Units per second, over the last half minute."""

    def render(self, task: Task) -> Text:
        """'61.3 frames/s', or '' as long as nothing is known."""
        if not task.speed:
            return Text("")
        digits = 1 if task.speed >= 1 else 3
        return Text(f"{task.speed:.{digits}f} {task.fields['unit']}/s", style="progress.data.speed")


class Bars(NullMonitor):
    """Bars at the bottom of a terminal, from a stage's first progress on; when it is over it leaves a line."""

    def __init__(self, console: Console):
        self._progress = Progress(
            TextColumn("{task.fields[title]}", style="bold", markup=False),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=console,
            expand=True,
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def start(self, title: str, stage: str, total: int, unit: str, done: int = 0) -> None:
        """Keep a bar for the stage; of a long season most stages wait for their turn."""
        with self._lock:
            self._tasks[title, stage] = self._progress.add_task(
                stage, total=max(total, 1), completed=done, title=title, unit=unit, note="", start=False, visible=False
            )

    def update(self, title: str, stage: str, done: int, total: int | None = None, note: str = "") -> None:
        """Show and move the bar."""
        with self._lock:
            task = self._tasks.get((title, stage))
        if task is not None:
            self._progress.start_task(task)
            self._progress.update(task, completed=done, total=total or None, note=note, visible=True)

    def end(self, title: str, stage: str, note: str = "") -> None:
        """Take the bar away and leave a line."""
        with self._lock:
            task = self._tasks.pop((title, stage), None)
        if task is None:
            return
        took = next((bar.elapsed for bar in self._progress.tasks if bar.id == task), None) or 0.0
        self._progress.remove_task(task)
        self.say(f"{title}: {stage} done in {took:.1f} s{'  ' if note else ''}{note}")

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        _print(self._progress.console, text)
