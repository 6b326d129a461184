r"""Kills at random what a small season runs on, again and again, and looks whether the results are still the same.

    python -m jobs.benchmarks.chaos --demo --kills 40                         # the demo season
    python -m jobs.benchmarks.chaos VIDEO... --set max_iterations=2 --kills 40 --seed 1 --folder chaos

A season is first run undisturbed. Then it is run anew, in turn on a Ray of its own and on a small cluster, while Ray
workers, machines of the cluster and the command itself are killed (kill -9) at moments drawn from the seed. A command
that was killed or failed is given again, until it succeeds; the tables that it delivered must then be those of the
undisturbed run, byte for byte. Ends with exit code 1 where one is not, or where a run never succeeds.

Only processes that this program has started, and what these have started, are ever killed. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.benchmarks.chaos import victims
from jobs.benchmarks.chaos.evidence import Marker, delivered, differing, markers, repeated, stages_under_way
from jobs.benchmarks.chaos.places import SmallCluster, ThisMachine
from vcn_ray.errors import VcnError

_MOST_KILLS_A_RUN = 6
_MOST_FAILURES = 8  # of a command that nothing was killed under, one after another
_LONGEST_S = 1800.0  # of one command; longer counts as hung
_PAUSE_S = 2.0  # before a command is given again


@dataclass(frozen=True)
class Kill:
    """What was killed, when (seconds from the run's first command), and in which stages it hit."""

    kind: str
    victim: str
    stages: list[str]
    at_s: float


@dataclass
class Run:
    """A season that was disturbed until it was done."""

    place: str
    kills: list[Kill] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)  # one a command
    differing: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    recovered: bool = True
    seconds: float = 0.0


class Command:
    """``vcn-ray run`` in a process of its own, its output in a file."""

    def __init__(self, videos: Sequence[str], out: Path, log: Path, arguments: Sequence[str]):
        self._log = log
        command = [sys.executable, "-m", "vcn_ray", "run", *videos, "--out", str(out), *arguments]
        with open(log, "wb") as sink:
            self._process = subprocess.Popen(command, stdout=sink, stderr=sink, start_new_session=True)  # noqa: S603

    @property
    def pid(self) -> int:
        """Of the driver."""
        return self._process.pid

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code; None where it is still running after so long."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")


def disturbed_run(
    place: ThisMachine,
    videos: Sequence[str],
    folder: Path,
    options: Sequence[str],
    rng: random.Random,
    *,
    most_kills: int,
    mean_wait_s: float,
    start_command: Callable[[Sequence[str], Path, Path, Sequence[str]], Command] = Command,
    family_of: Callable[[int], dict[int, str]] = victims.family,
    pause_s: float = _PAUSE_S,
) -> Run:
    """Run a season in this folder, disturbing it, until its command succeeds or never will.

    `start_command` starts the command on videos, with the folder of results, the file for its output and more
    arguments; `family_of` gives the processes that one has started; `pause_s` is before it is given again.
    """
    run, out = Run(place.name), folder / "out"
    snapshots: list[dict[str, Marker]] = []
    started, failures = time.monotonic(), 0
    while True:
        command = start_command(videos, out, folder / f"run-{len(run.exit_codes)}.log", [*options, *place.arguments])
        family: dict[int, str] = {}
        killed_before, began = len(run.kills), time.monotonic()
        code = None
        while code is None and time.monotonic() - began < _LONGEST_S:
            if len(run.kills) >= most_kills:
                code = command.wait(5.0)
                continue
            code = command.wait(rng.uniform(0.2, 1.8) * mean_wait_s)
            if code is not None:
                break
            kind = rng.choice(place.kinds)
            snapshot, stages = markers(out), stages_under_way(command.said())
            family |= family_of(command.pid)
            victim = place.strike(kind, command.pid, rng)
            if victim is not None:
                snapshots.append(snapshot)
                run.kills.append(Kill(kind, victim, stages, round(time.monotonic() - started, 1)))
                print(f"  {run.kills[-1].at_s:7.1f} s  killed {kind} ({victim}) in {', '.join(stages)}", flush=True)
        if code is None:
            victims.kill(command.pid)
            code = command.wait(60.0) or -1
            run.recovered = False
        victims.clear_away(family)
        run.exit_codes.append(code)
        failures = 0 if len(run.kills) > killed_before else failures + (code != 0)
        if failures >= _MOST_FAILURES:
            run.recovered = False
        if code == 0 or not run.recovered:
            break
        time.sleep(pause_s)
    run.repeated = sorted(repeated(snapshots, markers(out)))
    run.seconds = round(time.monotonic() - started, 1)
    return run


def chaos(
    videos: Sequence[str], folder: Path, options: Sequence[str], *, kills: int, seed: int, cpus: int, mean_wait_s: float
) -> list[Run]:
    """Runs with so many kills in all; the first one in the list is the undisturbed one.

    Args:
        videos: as ``vcn-ray run`` takes them.
        folder: for results and the commands' output.
        options: further arguments of the command.
        kills: how many in all.
        seed: of kinds, victims and moments.
        cpus: of the local Ray, and machines of the cluster.
        mean_wait_s: between two kills; 0: a third of the undisturbed run's time.

    Raises:
        VcnError: the undisturbed run fails.
    """
    rng = random.Random(seed)  # noqa: S311  # not for secrets
    reference = folder / "undisturbed"
    reference.mkdir(parents=True)
    first = disturbed_run(ThisMachine(cpus), videos, reference, options, rng, most_kills=0, mean_wait_s=1.0)
    if not first.recovered or first.exit_codes != [0]:
        raise VcnError(f"the undisturbed run fails; see {reference / 'run-0.log'}")
    expected = delivered(reference / "out")
    print(f"undisturbed: {first.seconds} s, {len(expected)} tables", flush=True)
    mean_wait_s = mean_wait_s or first.seconds / 3
    runs = [first]
    while (left := kills - sum(len(run.kills) for run in runs)) > 0:
        number = len(runs)
        here = folder / f"run-{number:03d}"
        here.mkdir()
        place = ThisMachine(cpus) if number % 2 else SmallCluster(cpus)
        print(f"run {number}, {place.name}", flush=True)
        with place:
            most = min(left, _MOST_KILLS_A_RUN)
            run = disturbed_run(place, videos, here, options, rng, most_kills=most, mean_wait_s=mean_wait_s)
        run.differing = differing(expected, delivered(here / "out"))
        runs.append(run)
        print(
            f"  {run.seconds} s, {len(run.kills)} kills, {len(run.exit_codes)} commands, {len(run.differing)} tables "
            f"differ, {len(run.repeated)} steps repeated{'' if run.recovered else ', NOT RECOVERED'}",
            flush=True,
        )
        if not run.recovered:
            break
    return runs


def show(runs: Sequence[Run]) -> None:
    """Print what came of the runs."""
    disturbed = runs[1:]
    kills = [kill for run in disturbed for kill in run.kills]
    by_kind = Counter((kill.kind, stage) for kill in kills for stage in kill.stages)
    stages = sorted({stage for _, stage in by_kind})
    table = Table("killed", "times", *stages, title="kills by the stage that they hit (several may be under way)")
    for kind, times in sorted(Counter(kill.kind for kill in kills).items()):
        table.add_row(kind, str(times), *(str(by_kind[kind, stage]) for stage in stages))
    console = Console(width=110)
    console.print(table)
    facts = Table("what", "value")
    for name, value in (
        ("runs", len(disturbed)),
        ("kills", len(kills)),
        ("commands given again", sum(len(run.exit_codes) - 1 for run in disturbed)),
        ("tables that differ", sum(len(run.differing) for run in disturbed)),
        ("steps done again although they were done", sum(len(run.repeated) for run in disturbed)),
        ("runs that did not recover", sum(not run.recovered for run in disturbed)),
        ("seconds of the undisturbed run", runs[0].seconds),
        ("seconds of the disturbed ones", round(sum(run.seconds for run in disturbed), 1)),
    ):
        facts.add_row(name, str(value))
    console.print(facts)
    for run in disturbed:
        for key in run.differing:
            print(f"differs: {key}")
        for key in run.repeated:
            print(f"done again: {key}")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        prog="python -m jobs.benchmarks.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("videos", nargs="*", metavar="VIDEO", help="as `vcn-ray run` takes them")
    command.add_argument("--demo", action="store_true", help="the demo season instead of videos")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any option, repeatable")
    command.add_argument("--kills", type=int, default=40, help="in all")
    command.add_argument("--seed", type=int, default=0, help="of kinds, victims and moments")
    command.add_argument("--num-cpus", type=int, default=os.cpu_count(), help="of the Ray; machines of the cluster")
    command.add_argument("--mean-wait-s", type=float, default=0.0, help="between kills; 0: a third of a run's time")
    command.add_argument("--folder", help="keep results and the commands' output there")
    command.add_argument("--json", help="file for all that was found")
    return command


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, run, print; exit code 1 where a table differs or a run never succeeds."""
    given = parser().parse_args(arguments)
    if bool(given.videos) == given.demo:
        parser().error("name videos, or give --demo")
    options = [argument for setting in given.set for argument in ("--set", setting)]
    try:
        with tempfile.TemporaryDirectory(prefix="vcn-chaos-") as temporary:
            folder = Path(given.folder or temporary)
            if given.demo:
                from vcn_ray.demo import render_demo

                given.videos = [str(video) for video in render_demo(folder / "demo").videos]
            runs = chaos(
                given.videos,
                folder,
                options,
                kills=given.kills,
                seed=given.seed,
                cpus=given.num_cpus,
                mean_wait_s=given.mean_wait_s,
            )
    except VcnError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    show(runs)
    if given.json:
        Path(given.json).write_text(json.dumps([asdict(run) for run in runs], indent=1))
    sys.exit(any(run.differing or not run.recovered for run in runs))


if __name__ == "__main__":
    main()
