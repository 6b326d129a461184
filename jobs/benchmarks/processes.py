"""Whole commands, timed; CPU seconds and memory of this process and the Ray that it started (Linux: reads /proc)."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vcn_ray.errors import VcnError

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_MIB = 2**20
_PAGE = os.sysconf("SC_PAGE_SIZE")


def run_command(arguments: Sequence[str], log: Path) -> float:
    """Seconds that ``vcn-ray run`` with these arguments takes, in a process of its own; what it says goes to the log.

    Raises `VcnError` where it fails.
    """
    command = [sys.executable, "-m", "vcn_ray", "run", *arguments]
    started = time.perf_counter()
    with open(log, "wb") as sink:
        code = subprocess.run(command, stdout=sink, stderr=sink, check=False).returncode  # noqa: S603  # ourselves
    if code != 0:
        raise VcnError(f"{shlex.join(command[1:])} ended with exit code {code}; what it said is in {log}")
    return time.perf_counter() - started


def processes() -> dict[int, dict[str, Any]]:
    """Every process by its id: name, parent, state, CPU seconds, resident MiB, threads."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text()
        except OSError:  # it has ended meanwhile
            continue
        name, _, rest = text.partition("(")[2].rpartition(")")
        fields = rest.split()
        found[int(folder.name)] = {
            "name": name,
            "parent": int(fields[1]),
            "state": fields[0],
            "cpu_s": (int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
            "threads": int(fields[17]),
            "rss_mib": int(fields[21]) * _PAGE / _MIB,
        }
    return found


def descendants(root: int, table: dict[int, dict[str, Any]]) -> list[int]:
    """Ids of all processes that come from this one, itself left out."""
    children: dict[int, list[int]] = {}
    for pid, process in table.items():
        children.setdefault(process["parent"], []).append(pid)
    found, queue = [], [root]
    while queue:
        more = children.get(queue.pop(), [])
        found += more
        queue += more
    return found


def sample(cpu_s: dict[int, float]) -> dict[str, float]:
    """Where this process and its Ray stand: CPU seconds so far and MiB of driver, GCS, raylet and workers together.

    `cpu_s` holds the CPU seconds of the workers' processes from one sample to the next: those of processes that have
    ended stay in it.
    """
    table, me = processes(), os.getpid()
    values = {
        "driver_cpu_s": table[me]["cpu_s"],
        "driver_rss_mib": table[me]["rss_mib"],
        "driver_threads": table[me]["threads"],
    }
    values |= dict.fromkeys(("gcs_cpu_s", "gcs_rss_mib", "raylet_cpu_s", "raylet_rss_mib"), 0.0)
    values["others_rss_mib"] = 0.0
    for pid in descendants(me, table):
        process = table[pid]
        kind = {"gcs_server": "gcs", "raylet": "raylet"}.get(process["name"])
        if kind is None:
            cpu_s[pid] = process["cpu_s"]
            values["others_rss_mib"] += process["rss_mib"]
        else:
            values[f"{kind}_cpu_s"] += process["cpu_s"]
            values[f"{kind}_rss_mib"] += process["rss_mib"]
    values["others_cpu_s"] = sum(cpu_s.values())
    return {name: round(value, 2) for name, value in values.items()}


class Watch:
    """Samples in a thread of its own for the time of a block; `samples` have "at_s", seconds from its start."""

    def __init__(self, every_s: float):
        self.samples: list[dict[str, float]] = []
        self._every_s, self._over = every_s, threading.Event()
        self._cpu_s: dict[int, float] = {}
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._take()

    def _take(self) -> None:
        self.samples.append({"at_s": round(time.monotonic() - self._started, 2), **sample(self._cpu_s)})

    def _run(self) -> None:
        self._take()
        while not self._over.wait(self._every_s):
            self._take()
