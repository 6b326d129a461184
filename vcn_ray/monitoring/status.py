"""How far a run is, kept beside its results so that anybody who can read them can see it, from any machine."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter, ValidationError

from vcn_ray.errors import InputError, OutputError
from vcn_ray.monitoring.monitor import STATES, NullMonitor, duration
from vcn_ray.storage import objectstore
from vcn_ray.storage.store import Store

_STATUS = "status.json"

#: How often it is written, and after how much silence a run counts as dead.
WRITE_EVERY_S = 5.0
SILENT_S = 60.0

_LAST_WRITE_S = 10.0
_SEASON = "season"  # as whose stage the driver tells what is done for all titles; a title may have that name, too
_TITLE_STAGES = ("tracks", "views", "adapt")


@dataclass
class StageStatus:
    """A stage under way."""

    name: str
    total: int
    unit: str
    done: int = 0
    per_s: float = 0.0  # units a second, without what an earlier run had done
    note: str = ""

    @property
    def progress(self) -> str:
        """'320 of 1940 frames (16 %), 61.3/s, 26 s left'."""
        text = f"{self.done} of {self.total} {self.unit}"
        if self.total:
            text += f" ({100 * self.done // self.total} %)"
        if self.per_s > 0 and self.done < self.total:
            text += f", {self.per_s:.3g}/s, {duration((self.total - self.done) / self.per_s)} left"
        return f"{text}; {self.note}" if self.note else text


@dataclass
class TitleStatus:
    """Where a title is: its state, of `monitor.STATES`, the stage under way, if one is, and what went wrong."""

    title: str
    state: str = "queued"
    stage: StageStatus | None = None
    seconds: float = 0.0  # from its first stage until now or its end, in this run
    retries: int = 0
    error: str = ""


@dataclass
class SeasonStatus:
    """A run as its last sign of life told it. `state` is "running", "finished" or "stopped"; times since 1970."""

    state: str
    host: str
    process: int
    started: float
    written: float
    stage: StageStatus | None = None  # of the season as a whole
    titles: list[TitleStatus] = field(default_factory=list)
    silent_s: float = 0.0  # since it was written; told by `read_status`

    @property
    def verdict(self) -> str:
        """Running, finished, or stopped, as also a run is that gave no sign of life for `SILENT_S`."""
        return "stopped" if self.state == "running" and self.silent_s > SILENT_S else self.state

    @property
    def failed(self) -> bool:
        """Whether a title has failed, or the run stopped before its end."""
        return self.verdict == "stopped" or any(title.error for title in self.titles)

    @property
    def headline(self) -> str:
        """One sentence: running, finished, or dead."""
        who = f"process {self.process} on {self.host}"
        counts = Counter(title.state for title in self.titles)
        states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
        if self.state == "running" and self.verdict == "stopped":
            text = f"stopped without finishing: no sign of life from {who} for {duration(self.silent_s)}"
        elif self.state == "running":
            text = f"running for {duration(self.written - self.started)}, {who}, last sign of life "
            text += f"{duration(self.silent_s)} ago"
        else:
            text = f"{self.state} after {duration(self.written - self.started)}, {who}, {duration(self.silent_s)} ago"
        if self.verdict == "stopped":
            text += "; the same command goes on from there"
        elif self.stage is not None:
            text += f"; {self.stage.name}: {self.stage.progress}"
        return f"{text} ({states})" if states else text


class StatusFile(NullMonitor):
    """Writes the status into the folder of results every few seconds, from a thread of its own.

    Nothing here holds up a run or stops it: a place that cannot be written leaves the last status standing, and the
    run finds out by itself.

    Args:
        out: the season's store.
        lost: once it is set the place is another run's, and nothing more is written.
        every_s: how often it is written.
        last_write_s: how long the end of a run waits for its last status.
    """

    def __init__(
        self,
        out: Store,
        lost: threading.Event | None = None,
        every_s: float = WRITE_EVERY_S,
        last_write_s: float = _LAST_WRITE_S,
    ):
        now = time.time()
        self._every_s, self._last_write_s = every_s, last_write_s
        self._out, self._lost = out, lost or threading.Event()
        self._status = SeasonStatus("running", socket.gethostname(), os.getpid(), now, now)
        self._titles: dict[str, TitleStatus] = {}
        self._began: dict[str, float] = {}  # monotonic time of a title's first stage
        self._stage_began: dict[tuple[str, str], tuple[float, int]] = {}  # its time, and units done before
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, name="status", daemon=True)
        self._thread.start()

    def close(self, state: str) -> None:
        """Write it a last time: "finished" or "stopped"."""
        with self._lock:
            self._status.state, self._status.stage = state, None
        self._over.set()
        self._thread.join(self._last_write_s)

    def moved(self, title: str, state: str) -> None:
        """Keep the title's state; one that failed stays so."""
        with self._lock:
            status = self._of(title)
            if status.state != "failed":
                status.seconds = self._seconds(status)
                if state != "queued":
                    self._began.setdefault(title, time.monotonic())
                status.state = state
                if status.stage is not None and status.stage.name == state:  # told beforehand; now it begins
                    self._stage_began[title, state] = time.monotonic(), status.stage.done
                else:
                    status.stage = None

    def start(self, title: str, stage: str, total: int, unit: str, done: int = 0) -> None:
        """Keep what a stage is made of."""
        with self._lock:
            self._stage_began[title, stage] = time.monotonic(), done
            self._place(title, stage).stage = StageStatus(stage, total, unit, done)

    def update(self, title: str, stage: str, done: int, total: int | None = None, note: str = "") -> None:
        """Keep how far the stage is."""
        with self._lock:
            status = self._place(title, stage).stage
            if status is None or status.name != stage:  # told late: it is over
                return
            began, before = self._stage_began[title, stage]
            status.per_s = (done - before) / max(time.monotonic() - began, 1e-3)
            status.done, status.total, status.note = done, total or status.total, note

    def end(self, title: str, stage: str, note: str = "") -> None:
        """The stage is over."""
        with self._lock:
            place = self._place(title, stage)
            if place.stage is not None and place.stage.name == stage:
                place.stage = None

    def retried(self, title: str, stage: str, why: str) -> None:
        """Count it."""
        with self._lock:
            self._of(title).retries += 1

    def failed(self, title: str, stage: str, sentence: str) -> None:
        """Keep why."""
        with self._lock:
            status = self._of(title)
            status.seconds = self._seconds(status)
            status.state, status.stage, status.error = "failed", None, sentence

    def _of(self, title: str) -> TitleStatus:
        return self._titles.setdefault(title, TitleStatus(title))

    def _place(self, title: str, stage: str) -> TitleStatus | SeasonStatus:
        """Whose stage it is: the title's, or the season's."""
        return self._status if title == _SEASON and stage not in _TITLE_STAGES else self._of(title)

    def _seconds(self, status: TitleStatus) -> float:
        """How long the title has been in work by now, or was until its end."""
        began = self._began.get(status.title)
        if began is None or status.state in ("done", "failed"):
            return status.seconds
        return time.monotonic() - began

    def _keep_writing(self) -> None:
        self._write()
        while not self._over.wait(self._every_s):
            self._write()
        self._write()

    def _write(self) -> None:
        if self._lost.is_set():
            return
        with self._lock:
            self._status.written = time.time()
            for status in self._titles.values():
                status.seconds = self._seconds(status)
            self._status.titles = list(self._titles.values())
            content = asdict(self._status)
        with suppress(OutputError):
            self._out.write_json(_STATUS, content)


def read_status(out: Store) -> SeasonStatus:
    """The status of the last run in a folder; `InputError` where none was ever started.

    The silence since then is told by the store's own clock where it has one, else by this machine's.
    """
    if not out.exists(_STATUS):
        raise InputError(f"{out.url}: no run has been started there; give the folder named by --out")
    try:
        status = TypeAdapter(SeasonStatus).validate_python(out.read_json(_STATUS))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise OutputError(
            f"{out.where(_STATUS)} is not what a run of this version wrote ({place}: {first['msg'].lower()}); "
            "the next run writes it anew"
        ) from None
    status.silent_s = max(0.0, time.time() - status.written)
    if not out.is_local:
        with objectstore.explained(out.where(_STATUS), "read"):
            age_s = objectstore.age_s(objectstore.parse_url(out.where(_STATUS)))
        status.silent_s = status.silent_s if age_s is None else age_s
    if status.verdict != "running":
        for title in status.titles:
            if title.stage is not None:
                title.stage.per_s = 0.0
    return status
