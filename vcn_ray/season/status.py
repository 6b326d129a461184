"""How far a run is, kept beside its results so that anybody who can read them can see it, from any machine."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from vcn_ray.errors import InputError, OutputError
from vcn_ray.season.progress import STATES, Silent
from vcn_ray.storage import Store

_STATUS = "status.json"

#: How often it is written, and after how much silence a run counts as dead.
WRITE_EVERY_S = 5.0
SILENT_S = 60.0


@dataclass
class TitleStatus:
    """Where a title is: its state, of `progress.STATES`, and the stage under way."""

    title: str
    state: str = "queued"
    stage: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    per_s: float = 0.0
    retries: int = 0
    error: str = ""
    note: str = ""

    @property
    def progress(self) -> str:
        """'320 of 1940 frames (16 %), 61.3/s, 26 s left', or '' between stages."""
        if not self.total:
            return ""
        text = f"{self.done} of {self.total} {self.unit} ({100 * self.done // self.total} %)"
        if self.per_s > 0 and self.done < self.total:
            text += f", {self.per_s:.1f}/s, {(self.total - self.done) / self.per_s:.0f} s left"
        return text


@dataclass
class SeasonStatus:
    """A run as its last sign of life told it. `state` is "running", "finished" or "stopped"; times since 1970."""

    state: str
    host: str
    process: int
    started: float
    written: float
    titles: list[TitleStatus] = field(default_factory=list)

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life, by this machine's clock."""
        return max(0.0, time.time() - self.written)

    @property
    def headline(self) -> str:
        """One sentence: running, finished, or dead."""
        where = f"process {self.process} on {self.host}"
        counts = Counter(title.state for title in self.titles)
        states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
        if self.state == "running" and self.silent_s > SILENT_S:
            return (
                f"stopped without finishing: no sign of life from {where} for {self.silent_s:.0f} s; "
                f"the same command goes on from there ({states})"
            )
        if self.state == "running":
            return f"running for {time.time() - self.started:.0f} s, {where}, {self.silent_s:.0f} s ago: {states}"
        took = self.written - self.started
        more = "" if self.state == "finished" else "; the same command goes on from there"
        return f"{self.state} after {took:.0f} s, {where}: {states}{more}"


class StatusFile(Silent):
    """Writes the status into the folder of results every few seconds, from a thread of its own.

    A place that cannot be written makes it silent, not the run: the run finds that out by itself.
    """

    def __init__(self, out: Store):
        now = time.time()
        self._out = out
        self._status = SeasonStatus("running", socket.gethostname(), os.getpid(), now, now)
        self._titles: dict[str, TitleStatus] = {}
        self._began: dict[str, tuple[float, int]] = {}  # time and units done when the stage began
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, name="status", daemon=True)
        self._thread.start()

    def close(self, state: str) -> None:
        """Write it a last time: "finished" or "stopped"."""
        self._over.set()
        self._thread.join()
        with self._lock:
            self._status.state = state
        self._write()

    def moved(self, title: str, state: str) -> None:
        """Keep the title's state."""
        with self._lock:
            status = self._of(title)
            status.state, status.stage, status.total, status.note = state, "", 0, ""

    def start(self, title: str, stage: str, total: int, unit: str, done: int = 0) -> None:
        """Keep what a stage is made of."""
        with self._lock:
            status = self._of(title)
            status.stage, status.total, status.unit, status.done, status.per_s = stage, total, unit, done, 0.0
            self._began[title] = time.monotonic(), done

    def update(self, title: str, stage: str, done: int, total: int | None = None, note: str = "") -> None:
        """Keep how far the stage is."""
        with self._lock:
            status = self._of(title)
            if title in self._began:
                began, first = self._began[title]
                status.per_s = (done - first) / max(time.monotonic() - began, 1e-6)
            status.done, status.total, status.note = done, total or status.total, note

    def end(self, title: str, stage: str, note: str = "") -> None:
        """The stage is over."""
        with self._lock:
            status = self._of(title)
            status.stage, status.total = "", 0

    def retried(self, title: str, stage: str, why: str) -> None:
        """Count it."""
        with self._lock:
            self._of(title).retries += 1

    def failed(self, title: str, stage: str, sentence: str) -> None:
        """Keep why."""
        with self._lock:
            self._of(title).error = sentence

    def _of(self, title: str) -> TitleStatus:
        return self._titles.setdefault(title, TitleStatus(title))

    def _keep_writing(self) -> None:
        while not self._over.wait(WRITE_EVERY_S):
            self._write()

    def _write(self) -> None:
        with self._lock:
            self._status.written = time.time()
            self._status.titles = [status for title, status in self._titles.items() if title != "season"]
            content: dict[str, Any] = asdict(self._status)
        try:
            self._out.write_json(_STATUS, content)
        except OutputError:
            return


def read_status(out: Store) -> SeasonStatus:
    """The status of the last run in a folder; `InputError` where none was ever started."""
    if not out.exists(_STATUS):
        raise InputError(f"{out.url}: no run has been started there; give the folder named by --out")
    content = out.read_json(_STATUS)
    try:
        titles = [TitleStatus(**title) for title in content.pop("titles")]
        return SeasonStatus(**content, titles=titles)
    except (TypeError, AttributeError, KeyError) as error:
        raise OutputError(f"{out.where(_STATUS)} is not what a run wrote ({error}); it is written anew") from None
