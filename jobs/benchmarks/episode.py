"""One long file from the start of the command to its page, stage by stage, against the time that it plays."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.benchmarks.processes import run_command
from vcn_ray.errors import InputError


@dataclass(frozen=True)
class StageTook:
    """A stage of a run: seconds after the command's start between which it worked, how long, and CPU seconds."""

    stage: str
    first_s: float
    last_s: float
    wall_s: float  # during which at least one of its tasks was under way
    cpu_s: float  # as reserved


def episode(video: str, cpus: Sequence[int], settings: Sequence[str], folder: str) -> None:
    """Print what a whole command takes of the film's length, and each stage of it; once for each number of CPUs.

    Each command starts with nothing, and starts and stops its own Ray.
    """
    for number, count in enumerate(cpus):
        out = Path(folder) / f"episode-{number}-{count}cpus"
        if out.exists():
            raise InputError(f"{out} is there; name a new folder with --folder, so that nothing of it is done already")
        arguments = [video, "--out", str(out), "--num-cpus", str(count)]
        arguments += [argument for setting in settings for argument in ("--set", setting)]
        started = time.time()
        took_s = run_command(arguments, out.with_suffix(".log"))
        film_s = 60 * sum(title["minutes"] for title in json.loads((out / "season.json").read_text())["titles"])
        summary = json.loads((out / "summary.json").read_text())
        counts = json.loads((out / "season.json").read_text())["titles"][0]["counts"]
        print(f"{count} CPUs: {film_s:.1f} s of film, {counts['tracks']} tracks, {counts['characters']} characters")
        _show(stages_of(summary, landed_in(out), started), summary, film_s, took_s)


def landed_in(out: Path) -> list[dict[str, Any]]:
    """The tasks that landed in a run, from the log in its results."""
    lines = [line for log in sorted((out / "logs").glob("*.jsonl")) for line in log.read_text().splitlines()]
    return [event for event in map(json.loads, lines) if event["event"] == "landed"]


def stages_of(summary: Mapping[str, Any], landed: Sequence[Mapping[str, Any]], started: float) -> list[StageTook]:
    """The stages of a run in the order in which they began.

    Args:
        summary: its ``summary.json``.
        landed: its tasks, see `landed_in`.
        started: when the command was, seconds since 1970.
    """
    found = []
    for stage, share in summary["stages"].items():
        spans = [(event["started"], event["ended"]) for event in landed if event["stage"] == stage]
        if spans:
            first, last = min(begun for begun, _ in spans), max(ended for _, ended in spans)
            found.append(StageTook(stage, first - started, last - started, share["wall_s"], share["cpu_s"]))
    return sorted(found, key=lambda took: took.first_s)


def _show(stages: Sequence[StageTook], summary: Mapping[str, Any], film_s: float, took_s: float) -> None:
    table = Table("stage", "from s", "to s", "seconds", "of the film", "CPU s", "CPU of the film")
    for took in stages:
        table.add_row(
            took.stage,
            f"{took.first_s:.1f}",
            f"{took.last_s:.1f}",
            f"{took.wall_s:.1f}",
            f"{took.wall_s / film_s:.3f}",
            f"{took.cpu_s:.1f}",
            f"{took.cpu_s / film_s:.3f}",
        )
    reserved = summary["reserved"]
    idle_s = took_s - reserved["wall_s"]
    table.add_row("starting, waiting, stopping", "", "", f"{idle_s:.1f}", f"{idle_s / film_s:.3f}", "", "")
    table.add_row(
        "whole command",
        "0.0",
        f"{took_s:.1f}",
        f"{took_s:.1f}",
        f"{took_s / film_s:.3f}",
        f"{reserved['cpu_s']:.1f}",
        f"{reserved['cpu_s'] / film_s:.3f}",
    )
    Console(width=110).print(table)
