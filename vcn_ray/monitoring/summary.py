"""What a run took: time, CPU and GPU hours, repetitions and money, by stage and by title."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vcn_ray.config import RunOptions
from vcn_ray.monitoring.monitor import NullMonitor
from vcn_ray.monitoring.spans import covered_s

#: Where the driver keeps it in the folder of results.
SUMMARY_KEY = "summary.json"

_HOUR_S = 3600.0
_LOOK_EVERY_S = 5.0
_LAST_LOOK_S = 10.0


@dataclass
class Share:
    """What a stage or a title took; CPU and GPU seconds as reserved by work that was finished."""

    steps: int = 0
    cpu_s: float = 0.0
    gpu_s: float = 0.0
    bytes_read: float = 0.0
    retries: int = 0
    spans: list[tuple[float, float]] = field(default_factory=list)  # of its steps, seconds since 1970

    @property
    def wall_s(self) -> float:
        """Time during which at least one of its steps was under way."""
        return covered_s(self.spans)


@dataclass
class _Machines:
    """What there was to work with, added up over the run; all 0 where no Ray was up."""

    cpu_s: float = 0.0
    gpu_s: float = 0.0


class Summary(NullMonitor):
    """Adds up what a run takes; a thread of its own looks every few seconds at what machines there are.

    Args:
        options: for the prices of an hour, `cpu_hour_cost` and `gpu_hour_cost`.
        capacity: gives the CPUs and GPUs that there are now, None while none are known.
        every_s: how often.
        last_look_s: how long the end of a run waits for a `capacity` that does not answer.
    """

    def __init__(
        self,
        options: RunOptions,
        capacity: Callable[[], tuple[float, float] | None] = lambda: None,
        every_s: float = _LOOK_EVERY_S,
        last_look_s: float = _LAST_LOOK_S,
    ):
        self._options = options
        self._capacity = capacity
        self._every_s, self._last_look_s = every_s, last_look_s
        self._started = time.time()
        self._wall_s: float | None = None  # once it is over
        self._machines = _Machines()
        self._looked = time.monotonic()
        self._had: tuple[float, float] | None = None  # CPUs and GPUs at the last look
        self._stages: dict[str, Share] = {}
        self._titles: dict[str, Share] = {}
        self._states: dict[str, str] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="summary", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The run is over; to be called while Ray is still up."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join(self._last_look_s)
            self._wall_s = time.time() - self._started

    @property
    def worked(self) -> bool:
        """Whether anything was done: a run that finds all of it done has nothing to sum up."""
        with self._lock:
            return bool(self._stages)

    def moved(self, title: str, state: str) -> None:
        """Keep the title's state."""
        with self._lock:
            self._states[title] = state

    def landed(self, title: str, stage: str, step: str, stats: Mapping[str, Any]) -> None:
        """Add a task."""
        started, ended = float(stats.get("started", 0.0)), float(stats.get("ended", 0.0))
        seconds = ended - started
        with self._lock:
            for share in self._shares(title, stage):
                share.steps += 1
                share.cpu_s += seconds * stats.get("cpus", 1)
                share.gpu_s += seconds * stats.get("gpus", 0)
                share.bytes_read += stats.get("bytes_read", 0)
                share.spans.append((started, ended))

    def retried(self, title: str, stage: str, why: str) -> None:
        """Count it."""
        with self._lock:
            for share in self._shares(title, stage):
                share.retries += 1

    def to_json(self) -> dict[str, Any]:
        """The whole summary; seconds, bytes, and money in the unit of the prices (None where none was given)."""
        with self._lock:
            wall_s = time.time() - self._started if self._wall_s is None else self._wall_s
            reserved = _sum(self._stages.values())
            there = self._machines
            return {
                "started": self._started,
                "wall_s": wall_s,
                "reserved": self._numbers(reserved),
                "machines": {
                    "cpu_s": there.cpu_s,
                    "gpu_s": there.gpu_s,
                    "cpu_idle_share": _idle(reserved.cpu_s, there.cpu_s),
                    "gpu_idle_share": _idle(reserved.gpu_s, there.gpu_s),
                    "cost": self._cost(there.cpu_s, there.gpu_s),
                },
                "stages": {stage: self._numbers(share) for stage, share in self._stages.items()},
                "titles": {
                    title: self._numbers(share) | {"state": self._states.get(title, "")}
                    for title, share in sorted(self._titles.items())
                },
            }

    def table(self) -> list[tuple[str, ...]]:
        """The summary by stage and by title for people: rows of cells, the first of them the heads of the columns."""
        content = self.to_json()
        priced = content["reserved"]["cost"] is not None
        heads = ("", "steps", "time", "CPU h", "GPU h", "retries", "read", *(("cost",) if priced else ()))
        rows = [heads]
        for name, share in [*content["stages"].items(), *content["titles"].items(), ("work", content["reserved"])]:
            rows.append(_cells(name, share, priced))
        machines = content["machines"]
        if machines["cpu_s"]:
            total = {"steps": "", "wall_s": content["wall_s"], "retries": "", "bytes_read": 0.0} | machines
            rows.append(_cells("machines", total, priced))
        return rows

    def sentence(self) -> str:
        """'took 812 s; 0.410 of 0.451 CPU hours were used, 9 % idle'."""
        content = self.to_json()
        machines, reserved = content["machines"], content["reserved"]
        text = f"took {content['wall_s']:.0f} s"
        if machines["cpu_s"]:
            text += f"; {_hours(reserved['cpu_s'])} of {_hours(machines['cpu_s'])} CPU hours were used, "
            text += f"{100 * machines['cpu_idle_share']:.0f} % idle"
        if machines["gpu_s"]:
            text += f"; {_hours(reserved['gpu_s'])} of {_hours(machines['gpu_s'])} GPU hours, "
            text += f"{100 * machines['gpu_idle_share']:.0f} % idle"
        return text

    def _shares(self, title: str, stage: str) -> tuple[Share, Share]:
        return self._stages.setdefault(stage, Share()), self._titles.setdefault(title, Share())

    def _numbers(self, share: Share) -> dict[str, Any]:
        return {
            "steps": share.steps,
            "wall_s": share.wall_s,
            "cpu_s": share.cpu_s,
            "gpu_s": share.gpu_s,
            "bytes_read": share.bytes_read,
            "retries": share.retries,
            "cost": self._cost(share.cpu_s, share.gpu_s),
        }

    def _cost(self, cpu_s: float, gpu_s: float) -> float | None:
        prices = (self._options.cpu_hour_cost, self._options.gpu_hour_cost)
        if prices == (None, None):
            return None
        return (cpu_s * (prices[0] or 0.0) + gpu_s * (prices[1] or 0.0)) / _HOUR_S

    def _keep_looking(self) -> None:
        self._look()
        while not self._over.wait(self._every_s):
            self._look()
        self._look()

    def _look(self) -> None:
        """Add the machines of the time since the last look: as many as there were then."""
        now = time.monotonic()
        if self._had is not None:
            with self._lock:
                self._machines.cpu_s += self._had[0] * (now - self._looked)
                self._machines.gpu_s += self._had[1] * (now - self._looked)
        self._looked, self._had = now, self._capacity()


def _sum(shares: Iterable[Share]) -> Share:
    total = Share()
    for share in shares:
        total.steps += share.steps
        total.cpu_s += share.cpu_s
        total.gpu_s += share.gpu_s
        total.bytes_read += share.bytes_read
        total.retries += share.retries
        total.spans += share.spans
    return total


def _idle(used_s: float, there_s: float) -> float | None:
    """Share of what was there that no work had reserved; None where nothing was there."""
    return max(0.0, 1 - used_s / there_s) if there_s else None


def _hours(seconds: float) -> str:
    """'0.029' or '12.4': seconds as hours."""
    hours = seconds / _HOUR_S
    return f"{hours:.{3 if hours < 1 else 1}f}"


def _size(size_bytes: float) -> str:
    """'0.4 MB', '812 MB' or '3.1 GB'."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.{0 if size_bytes >= 10e6 else 1}f} MB"


def _cells(name: str, share: Mapping[str, Any], priced: bool) -> tuple[str, ...]:
    cells = (
        name,
        str(share["steps"]),
        f"{share['wall_s']:.0f} s",
        _hours(share["cpu_s"]),
        _hours(share["gpu_s"]) if share["gpu_s"] else "",
        str(share["retries"] or ""),
        _size(share["bytes_read"]) if share["bytes_read"] else "",
    )
    return (*cells, f"{share['cost']:.{2 if share['cost'] >= 1 else 4}f}") if priced else cells
