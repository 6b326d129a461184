"""Many small titles: what a whole command takes beside the sum of the work on them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.benchmarks.processes import run_command
from vcn_ray.monitoring.summary import SUMMARY_KEY


def titles(videos: Sequence[str], copies: int, num_cpus: int, settings: Sequence[str], folder: str) -> None:
    """Run so many copies of short clips as a season, and print its wall time against the sum of its steps.

    Work is the steps' own seconds of CPUs as reserved, by the clocks of the workers that did them, over the CPUs that
    there were: what the season would take if nothing but its steps took time, on all CPUs to the end. Also tells
    whether all copies of a clip have the same clusters.
    """
    clips, out = Path(folder) / "clips", Path(folder) / "titles"
    shutil.rmtree(clips, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    clips.mkdir(parents=True)
    for number in range(copies):
        source = Path(videos[number % len(videos)])
        shutil.copyfile(source, clips / f"c{number:03d}{source.suffix}")
    options = [argument for setting in settings for argument in ("--set", setting)]
    wall_s = run_command(
        [str(clips), "--out", str(out), "--num-cpus", str(num_cpus), *options], out.with_suffix(".log")
    )
    show(json.loads((out / SUMMARY_KEY).read_text()), wall_s, copies, num_cpus)
    print(f"{different_copies(out, copies, len(videos))} of {copies} titles differ from the first of their clip")


def show(summary: dict[str, Any], wall_s: float, copies: int, num_cpus: int) -> None:
    """Print the table; `summary`: of the run, `wall_s`: of the whole command."""
    table = Table("", "steps", "CPU s", "CPU s a title")
    stages = {name: (stage["steps"], stage["cpu_s"]) for name, stage in summary["stages"].items()}
    stages["work"] = (summary["reserved"]["steps"], summary["reserved"]["cpu_s"])
    for name, (steps, cpu_s) in stages.items():
        table.add_row(name, str(steps), f"{cpu_s:.1f}", f"{cpu_s / copies:.2f}")
    Console(width=110).print(table)
    work_s = stages["work"][1] / num_cpus
    print(
        f"{copies} titles in {wall_s:.1f} s, {wall_s / copies:.1f} s each, on {num_cpus} CPUs; the sum of their work "
        f"over the CPUs is {work_s:.1f} s: {wall_s / work_s:.2f} times that; {summary['reserved']['retries']} retries"
    )


def different_copies(out: Path, copies: int, clips: int) -> int:
    """Titles of which an iteration's clusters are not, byte for byte, those of the first title of the same clip."""

    def iterations(number: int) -> dict[str, bytes]:
        steps = (out / "titles" / f"c{number:03d}" / "work" / "adapt").glob("*/clustering.json")
        return {path.parent.name: path.read_bytes() for path in steps}

    return sum(not iterations(number) or iterations(number) != iterations(number % clips) for number in range(copies))
