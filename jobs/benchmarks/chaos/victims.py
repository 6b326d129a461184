"""Processes that may be killed: this program's own children and theirs, nothing else on the machine."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from jobs.benchmarks.processes import descendants, processes

# Parts of a machine's raylet that only look like workers: it ends with them, which is another kind of loss.
_NO_WORKERS = ("IDLE", "RuntimeEnvAgent", "DashboardAgent")


def workers() -> list[tuple[int, str]]:
    """(id, title) of the Ray workers below this process that have something to do: tasks, actors, train workers."""
    found = []
    for pid in descendants(os.getpid(), processes()):
        title = _title(pid)
        if title.startswith("ray::") and not title.removeprefix("ray::").startswith(_NO_WORKERS):
            found.append((pid, title.removeprefix("ray::")))
    return sorted(found)


def kill(pid: int) -> bool:
    """Kill -9; whether it was still there. Refuses (`ValueError`) what does not come from this process."""
    if pid not in descendants(os.getpid(), processes()):
        raise ValueError(f"process {pid} is not below this one")
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def family(pid: int) -> dict[int, str]:
    """The process and all below it, each with what tells it from a later one of the same id: when it was started."""
    table = processes()
    return {member: _started(member) for member in (pid, *descendants(pid, table)) if member in table}


def clear_away(members: dict[int, str], patience_s: float = 30.0) -> int:
    """Wait until a family whose head was killed is gone; kill what is left of it then. Gives how many were left.

    A Ray that was started by a program ends by itself soon after the program.
    """
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if not _alive(members):
            return 0
        time.sleep(0.2)
    left = _alive(members)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left)


def _alive(members: dict[int, str]) -> list[int]:
    table = processes()
    return [
        pid
        for pid, started in members.items()
        if pid in table and table[pid]["state"] != "Z" and _started(pid) == started
    ]


def _started(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
    except OSError:
        return ""
