"""What a run leaves behind, and what two of them must agree on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_MARKER = ".done.json"


@dataclass(frozen=True)
class Marker:
    """A done-marker as it was found: the digest in it, and when it was written (nanoseconds)."""

    digest: str
    written_ns: int


def delivered(out: Path) -> dict[str, str]:
    """SHA-256 of every table that a run delivers: the season's and those of each title, Parquet and CSV, by key."""
    found = [
        path for pattern in ("*", "titles/*/*") for path in out.glob(pattern) if path.suffix in (".parquet", ".csv")
    ]
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(found)}


def differing(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Keys of tables that differ, are missing or should not be there."""
    return sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key))


def markers(out: Path) -> dict[str, Marker]:
    """Every done-marker below the titles, by key; one that is just being replaced may be left out."""
    found = {}
    for path in out.glob(f"titles/**/*{_MARKER}"):
        try:
            written_ns = path.stat().st_mtime_ns
            digest = json.loads(path.read_bytes())["digest"]
        except (OSError, ValueError, KeyError):
            continue
        found[path.relative_to(out).as_posix()] = Marker(digest, written_ns)
    return found


def repeated(snapshots: Iterable[Mapping[str, Marker]], end: Mapping[str, Marker]) -> set[str]:
    """Keys of steps that were done again although they were done, for the same inputs, when something was killed.

    A marker that is gone at the end is not counted: shards of a joined title may be cleared away.
    """
    return {
        key
        for snapshot in snapshots
        for key, marker in snapshot.items()
        if key in end and end[key].digest == marker.digest and end[key].written_ns != marker.written_ns
    }


def stages_under_way(log: str) -> list[str]:
    """Stages that a run's printed lines say have begun and not ended, in order; ["start"] before the first one."""
    open_stages: dict[tuple[str, str], None] = {}
    any_begun = False
    for line in log.splitlines():
        if begun := re.match(r"(.+): (\w+) begins \(", line):
            any_begun = True
            open_stages[begun[1], begun[2]] = None
        elif ended := re.match(r"(.+): (\w+) done in ", line):
            open_stages.pop((ended[1], ended[2]), None)
    return sorted({stage for _, stage in open_stages}) or (["between"] if any_begun else ["start"])
