"""The whole pipeline through Ray beside the same functions called in one process."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.benchmarks.chaos.evidence import delivered, differing
from jobs.benchmarks.processes import run_command

_WAYS = {
    "one process (--local)": ["--local"],
    "Ray, 1 CPU": ["--num-cpus", "1"],
    "Ray, 2 CPUs": ["--num-cpus", "2"],
}


def overhead(videos: Sequence[str], settings: Sequence[str], repeats: int, threads: int, folder: str) -> None:
    """Print the wall time of whole commands, with and without Ray, in turn; and whether all delivered the same tables.

    Each command starts with nothing and, on Ray, starts and stops its own. `threads` is the number of a title's
    adaptation, the same in all.
    """
    options = [argument for setting in (f"threads_per_title={threads}", *settings) for argument in ("--set", setting)]
    seconds: dict[str, list[float]] = {way: [] for way in _WAYS}
    tables: dict[str, str] = {}
    different: set[str] = set()
    for repeat in range(repeats):
        for number, (way, arguments) in enumerate(_WAYS.items()):
            out = Path(folder) / f"overhead-{repeat}-{number}"
            seconds[way].append(
                run_command([*videos, "--out", str(out), *arguments, *options], out.with_suffix(".log"))
            )
            print(f"{way}: {seconds[way][-1]:.1f} s", flush=True)
            found = delivered(out)
            tables = tables or found
            different |= set(differing(tables, found))
    table = Table("way", "seconds, median", "least", "most", "against one process")
    alone = statistics.median(next(iter(seconds.values())))
    for way, took in seconds.items():
        middle = statistics.median(took)
        table.add_row(way, f"{middle:.1f}", f"{min(took):.1f}", f"{max(took):.1f}", f"{middle / alone:.2f}")
    Console(width=110).print(table)
    print(f"{len(tables)} tables, {len(different)} of them not the same everywhere{': ' if different else ''}", end="")
    print(", ".join(sorted(different)))
