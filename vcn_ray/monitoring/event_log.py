"""A log that machines can read: what happened in a run, kept beside its results.

A run's log has one JSON object a line: ``time`` (ISO 8601, UTC), ``run``, ``event``, ``title``, ``stage``, ``step``,
and the event's numbers. Nothing can be appended to an object in an object store, so the log is kept in parts of
`_PART_BYTES`, ``logs/TIME-RUN.000.jsonl`` and so on, and the last of them is put anew every half minute.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vcn_ray.errors import OutputError
from vcn_ray.monitoring.monitor import NullMonitor
from vcn_ray.storage.store import Store

_log = logging.getLogger(__name__)

_FOLDER = "logs/"
_WRITE_EVERY_S = 30.0
_PART_BYTES = 2**20
_MOST_PARTS = 64
_LAST_WRITE_S = 10.0  # that the end of a run waits for a place that does not answer
_RUNS_KEPT = 20


class EventLog(NullMonitor):
    """Writes the log of a run into the folder of results, from a thread of its own.

    A run that finds everything done leaves none. A place that cannot be written silences the log, not the run, which
    finds that out by itself.

    Args:
        out: the season's store.
        run_id: the run's.
        every_s: how often what is new is written.
        part_bytes: a part that has as many is full.
        most_parts: as many are written; a line says so where events were left out.
        runs_kept: logs of older runs are cleared away.
    """

    def __init__(
        self,
        out: Store,
        run_id: str,
        every_s: float = _WRITE_EVERY_S,
        part_bytes: int = _PART_BYTES,
        most_parts: int = _MOST_PARTS,
        runs_kept: int = _RUNS_KEPT,
    ):
        self._out, self._run, self._every_s = out, run_id[:8], every_s
        self._part_bytes, self._most_parts, self._runs_kept = part_bytes, most_parts, runs_kept
        self._name = f"{_FOLDER}{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{self._run}"
        self._lines: list[bytes] = []  # of the part that is being filled
        self._bytes = 0
        self._full: list[tuple[int, bytes]] = []  # parts that will not change, not written yet
        self._part = 0
        self._new = self._worked = self._closed = self._begun = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, name="log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what there is, and stop."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join(_LAST_WRITE_S)

    def start(self, title: str, stage: str, total: int, unit: str, done: int = 0) -> None:
        """Log that a stage begins."""
        self._add("start", title, stage, total=total, unit=unit, done=done)

    def end(self, title: str, stage: str, note: str = "") -> None:
        """Log that it is over."""
        self._add("end", title, stage)

    def moved(self, title: str, state: str) -> None:
        """Log a title's state."""
        self._add("moved", title, "", state=state)

    def landed(self, title: str, stage: str, step: str, stats: Mapping[str, Any]) -> None:
        """Log a task with its numbers."""
        self._add("landed", title, stage, step=step, **{name: _short(value) for name, value in stats.items()})

    def epoch(self, title: str, iteration: int, epoch: int, loss: float) -> None:
        """Log an epoch."""
        self._add("epoch", title, "adapt", iteration=iteration, epoch=epoch, loss=_short(loss))

    def retried(self, title: str, stage: str, why: str) -> None:
        """Log that work is done again."""
        self._add("retried", title, stage, why=why)

    def failed(self, title: str, stage: str, sentence: str) -> None:
        """Log a title's failure."""
        self._add("failed", title, stage, error=sentence)

    def say(self, text: str) -> None:
        """Log what the user was told."""
        self._add("say", "", "", text=text)

    def _add(self, event: str, title: str, stage: str, **more: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        known = {"time": now, "run": self._run, "event": event, "title": title, "stage": stage}
        content = {name: value for name, value in known.items() if value} | more
        line = json.dumps(content, ensure_ascii=False, default=str).encode() + b"\n"
        with self._lock:
            if self._closed:
                return
            self._worked |= event not in ("moved", "say")
            self._new = True
            self._lines.append(line)
            self._bytes += len(line)
            if self._bytes >= self._part_bytes:
                self._next_part()

    def _next_part(self) -> None:
        """Begin the next part, or end the log with a line that says so; with the lock held."""
        if self._part == self._most_parts - 1:
            self._lines.append(json.dumps({"run": self._run, "event": "full"}).encode() + b"\n")
            self._closed = True
            return
        self._full.append((self._part, b"".join(self._lines)))
        self._part, self._lines, self._bytes = self._part + 1, [], 0

    def _keep_writing(self) -> None:
        while not self._over.wait(self._every_s):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            if not (self._new and self._worked):
                return
            parts = [*self._full, (self._part, b"".join(self._lines))]
            self._full, self._new = [], False
        try:
            if not self._begun:
                self._begun = True
                self._clear_old()
            for number, content in parts:
                self._out.write_bytes(f"{self._name}.{number:03d}.jsonl", content)
        except OutputError as error:
            with self._lock:
                self._closed = True
            _log.warning("the run goes on without a log: %s", error)

    def _clear_old(self) -> None:
        """Keep the logs of the last runs."""
        runs: dict[str, list[str]] = {}
        for key in self._out.keys(_FOLDER):
            runs.setdefault(key.partition(".")[0], []).append(key)
        for run in sorted(runs)[: -(self._runs_kept - 1)]:
            for key in runs[run]:
                self._out.delete(key)


def _short(value: Any) -> Any:
    """Numbers with the digits that say something."""
    return round(value, 6) if isinstance(value, float) else value
