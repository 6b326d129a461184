"""The look at a season's videos before any work: what each is, and so which shards there are."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from vcn_ray.execution.base import Executor
from vcn_ray.execution.parallel import LOOKS_AT_ONCE, side_by_side
from vcn_ray.monitoring.monitor import Monitor
from vcn_ray.pipeline.tasks import TaskRow, probe_rows
from vcn_ray.pipeline.title_state import ProbeTask, TitleState
from vcn_ray.season.outcome import Ledger

#: Looking goes on for so long before the titles that are known by then are worked on; the look at the rest goes on
#: beside that work. Most seasons are known whole by then.
FIRST_WAVE_S = 5.0


class Probing:
    """Has the executor look at all videos that nobody has looked at yet, and plans the titles' shards.

    A title that has a video that cannot be used fails alone.

    Args:
        states: of the titles, by title.
        ledger: where errors, lengths of titles are kept.
        monitor: told of progress and of warnings.
        gave_up: set when the run is given up; no further video is then looked at.
    """

    def __init__(self, states: Mapping[str, TitleState], ledger: Ledger, monitor: Monitor, gave_up: threading.Event):
        self._states, self._ledger, self._monitor, self._gave_up = states, ledger, monitor, gave_up
        self._tasks: dict[str, list[ProbeTask]] = {}
        self._rows: dict[str, list[TaskRow]] = {}  # videos of each title that are still to be looked at
        self._known: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()  # None: all are
        self.unknown: set[str] = set()

    def waves(self, executor: Executor, check: Callable[[], None]) -> Iterator[list[str]]:
        """Titles without an error whose states know their shards, each once, in the season's order.

        All at once where that takes no more than `FIRST_WAVE_S`; else those that are known by then, and then, whenever
        more are asked for, those that have become known. `unknown` has the titles that are in no wave yet.
        `check` is called while a wave is waited for; what it raises ends the waiting.
        """
        side_by_side(self._find_missing, self._states, LOOKS_AT_ONCE)
        todo = set(self._ledger.alive())
        rows = sorted((row for rows in self._rows.values() for row in rows), key=self._place)
        self.unknown = set(todo)
        for title in todo - self._rows.keys():
            self._known.put(title)
        if rows:
            self._monitor.start("season", "probe", len(rows), "videos")
            landing = executor.probe(rows)  # here: what it has to start is not to be started twice
            threading.Thread(target=self._look, args=(landing,), name="probing", daemon=True).start()
        else:
            self._known.put(None)
        until = time.monotonic() + FIRST_WAVE_S
        more = True
        while more:
            wave, more = self._next_wave(until, check)
            until = 0.0
            side_by_side(self._plan_shards, wave, LOOKS_AT_ONCE)
            self.unknown -= wave
            planned = [title for title in self._ledger.alive() if title in wave]
            for title in planned:
                self._ledger.results[title].minutes = self._states[title].minutes
                for warning in (warning for video in self._states[title].videos for warning in video.warnings):
                    self._monitor.say(f"{title}: {warning}")
            if planned:
                yield planned

    def _place(self, row: TaskRow) -> int:
        return self._states[row["title"]].place

    def _find_missing(self, title: str) -> None:
        with self._ledger.failing_alone(title, "probe"):
            tasks = self._states[title].probes()
            rows = probe_rows(self._states[title], self._states[title].missing_probes(tasks))
            self._tasks[title] = tasks
            if rows:
                self._rows[title] = rows

    def _look(self, landing: Iterator[TaskRow]) -> None:
        """Take in what was found, in a thread of its own."""
        left = {title: len(rows) for title, rows in self._rows.items()}
        try:
            for done, landed in enumerate(landing, 1):
                if self._gave_up.is_set():
                    return
                title = landed["title"]
                if landed["error"]:
                    self._ledger.fail(title, "probe", landed["error"], landed["traceback"])
                self._monitor.update("season", "probe", done)
                left[title] -= 1
                if not left[title]:
                    self._known.put(title)
            self._monitor.end("season", "probe")
            self._known.put(None)
        except BaseException as error:  # whoever asks for the next wave is to hear of it
            self._known.put(error)

    def _next_wave(self, until: float, check: Callable[[], None]) -> tuple[set[str], bool]:
        """Titles that are known, one at least and all that come before a time; and whether more will come."""
        wave: set[str] = set()
        while True:
            try:
                # In short waits, so that Ctrl-C is heard.
                known = self._known.get(timeout=min(0.2, max(0.0, until - time.monotonic())) if wave else 0.2)
            except queue.Empty:
                check()
                if wave and time.monotonic() >= until:
                    return wave, True
                continue
            if known is None:
                return wave, False
            if isinstance(known, BaseException):
                raise known
            wave.add(known)

    def _plan_shards(self, title: str) -> None:
        if self._ledger.results[title].error is None:
            with self._ledger.failing_alone(title, "probe"):
                self._states[title].plan_shards(self._tasks[title])
