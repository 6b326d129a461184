r"""A season of many titles through the real driver, with sleeping in the place of work: what does spreading it cost?

    python -m jobs.benchmarks.simulation                                        # 200 titles of 40 shards: 4 to 5 min
    python -m jobs.benchmarks.simulation --titles 20 --shards 10 --json small.json

Ray is told of CPUs and GPUs that are not there; a sleeping piece of work needs none. Every piece sleeps for as long as
drawn beforehand, the driver's work is real, adaptation is replaced where the driver calls for its trainer by a task
that sleeps. Compared with a greedy schedule of the same pieces that knows their lengths and costs nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.benchmarks.processes import Watch
from jobs.benchmarks.simulation import schedule, sleeping_stages
from jobs.benchmarks.simulation.schedule import Machine, TitleSeconds, both_s, draw_work, list_schedule, lower_bounds
from vcn_ray.config import make_options
from vcn_ray.errors import InputError, VcnError
from vcn_ray.execution.on_ray.executor import RayExecutor
from vcn_ray.execution.on_ray.session import WORKER_ENVIRONMENT
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season.run import run_season
from vcn_ray.storage.store import Store

_MIB = 2**20
_WARM_UP_S = 2.0


@contextmanager
def pretended_ray(cpus: int, gpus: int) -> Iterator[None]:
    """A Ray of this process's own on 127.0.0.1, told of so many CPUs and GPUs, its workers started and warm.

    Starting a worker costs a real CPU second or so, which a machine that had these CPUs would have to spare.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray
    from ray import cloudpickle

    for module in (sleeping_stages, schedule):  # this folder is not on the workers' path
        cloudpickle.register_pickle_by_value(module)
    ray.init(
        address="local",
        num_cpus=cpus,
        num_gpus=gpus,
        include_dashboard=False,
        object_store_memory=128 * _MIB,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": WORKER_ENVIRONMENT},
        _node_ip_address="127.0.0.1",
    )

    @ray.remote(num_cpus=1)
    def warm_up() -> int:
        import ray.data  # noqa: F401

        import vcn_ray.pipeline.videoclusternet  # noqa: F401

        time.sleep(_WARM_UP_S)
        return os.getpid()

    try:
        workers: set[int] = set()
        while len(workers) < cpus:  # until every one has had a turn
            workers |= set(ray.get([warm_up.remote() for _ in range(cpus)]))
        yield
    finally:
        ray.shutdown()


def simulate(work: Sequence[TitleSeconds], cpus: int, gpus: int, folder: Path) -> dict[str, Any]:
    """Run the titles through the driver on a pretended Ray; gives what was measured, beside the schedules."""
    videos, events = folder / "videos", folder / "events.jsonl"
    videos.mkdir(parents=True, exist_ok=True)
    events.touch()
    for number in range(len(work)):
        (videos / f"{sleeping_stages.title_name(number)}.mp4").write_text("no video")
    options = make_options({"device": "cuda" if gpus else "cpu", "threads_per_title": 1, "window_s": 1})
    with pretended_ray(cpus, gpus), Watch(every_s=1.0) as watch:
        started = time.time()
        outcome = run_season(
            find_season([videos]),
            Store(folder / "out"),
            options,
            stages=sleeping_stages.SleepingStages(work, events),
            executor=RayExecutor(sleeping_stages.sleep_on_ray),
        )
        wall_s = time.time() - started
    if outcome.failed:
        raise VcnError(f"{len(outcome.failed)} titles failed, the first with: {outcome.failed[0].error}")
    noted = [json.loads(line) for line in events.read_text().splitlines()]
    spans = {
        kind: [(event["start"] - started, event["end"] - started) for event in noted if event["kind"] == kind]
        for kind in ("tracks", "views", "adapt", "finished")
    }
    machine = Machine(cpus, gpus)
    ideal, bounds = list_schedule(work, machine), lower_bounds(work, machine)
    finished = sorted(end for _, end in spans["finished"])
    return {
        "titles": len(work),
        "shards": sum(len(title.shards) for title in work),
        "cpus": cpus,
        "gpus": gpus,
        "wall_s": wall_s,
        "ideal_s": ideal.wall_s,
        "bounds_s": bounds,
        "efficiency": ideal.wall_s / wall_s,
        "efficiency_by_bound": max(bounds.values()) / wall_s,
        "first_shard_began_s": min(start for start, _ in spans["tracks"]),
        "last_shard_ended_s": max(end for _, end in spans["tracks"]),
        "finished_s": deciles(finished),
        "ideal_finished_s": deciles(sorted(ideal.ends)),
        "both_stages_share": both_s(spans["tracks"], spans["adapt"]) / wall_s,
        "slept_s": {kind: sum(end - start for start, end in spans[kind]) for kind in ("tracks", "views", "adapt")},
        "processes": watch.samples,
    }


def deciles(ends: Sequence[float]) -> list[float]:
    """When the first title, a tenth of them, two tenths, ... and all of them had ended."""
    return [ends[max(0, -(-len(ends) * tenth // 10) - 1)] for tenth in range(11)]


def show(result: dict[str, Any]) -> None:
    """Print the result as tables."""
    console = Console(width=120)
    facts = Table("what", "value", title=f"{result['titles']} titles, {result['shards']} shards")
    bounds = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result["bounds_s"].items())
    for name, value in (
        ("pretended CPUs, GPUs", f"{result['cpus']}, {result['gpus']}"),
        ("wall time", f"{result['wall_s']:.1f} s"),
        ("greedy schedule that knows all and costs nothing", f"{result['ideal_s']:.1f} s"),
        ("lower bounds", f"{bounds} s"),
        ("efficiency: greedy schedule / wall time", f"{result['efficiency']:.1%}"),
        ("largest bound / wall time", f"{result['efficiency_by_bound']:.1%}"),
        (
            "first shard began, last one ended",
            "{first_shard_began_s:.1f} s, {last_shard_ended_s:.1f} s".format(**result),
        ),
        ("share of time that both stages were busy", f"{result['both_stages_share']:.1%}"),
    ):
        facts.add_row(name, value)
    console.print(facts)
    names = ["first", *(f"{tenth * 10} %" for tenth in range(1, 10)), "all"]
    ends = Table("titles finished, s", *names)
    for name, key in (("run", "finished_s"), ("greedy schedule", "ideal_finished_s")):
        ends.add_row(name, *(f"{end:.0f}" for end in result[key]))
    console.print(ends)
    columns = ("driver CPU s", "driver MiB", "threads", "GCS CPU s", "raylet CPU s", "other CPU s", "other MiB")
    keys = ("driver_cpu_s", "driver_rss_mib", "driver_threads", "gcs_cpu_s", "raylet_cpu_s", "others_cpu_s")
    over_time = Table("at s", *columns, title="processes (CPU since the start of the run)")
    samples = result["processes"]
    for position in range(11):
        at = samples[round(position * (len(samples) - 1) / 10)]
        since = [at[key] - samples[0][key] if key.endswith("cpu_s") else at[key] for key in (*keys, "others_rss_mib")]
        over_time.add_row(f"{at['at_s']:.0f}", *(f"{value:.0f}" for value in since))
    console.print(over_time)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, simulate, print, and write JSON where asked."""
    given = parser().parse_args(arguments)
    work = draw_work(
        given.titles,
        given.shards,
        given.shard_s,
        given.views,
        given.view_s,
        given.adapt_s,
        spread=given.spread,
        seed=given.seed,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="vcn-simulate-") as temporary:
            folder = Path(given.folder or temporary)
            if (folder / "out").exists():
                raise InputError(f"{folder} holds a simulation already; name another --folder")
            result = simulate(work, given.num_cpus, given.num_gpus, folder)
    except VcnError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    show(result)
    if given.json:
        Path(given.json).write_text(json.dumps({"arguments": vars(given), **result}, indent=1))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        prog="python -m jobs.benchmarks.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--titles", type=int, default=200)
    command.add_argument("--shards", type=int, default=40, help="of each title")
    command.add_argument("--shard-s", type=float, default=0.95, help="mean seconds of a shard")
    command.add_argument("--views", type=int, default=2, help="chunks of views of each title")
    command.add_argument("--view-s", type=float, default=0.5, help="mean seconds of a chunk")
    command.add_argument("--adapt-s", type=float, default=8.0, help="mean seconds of a title's adaptation")
    command.add_argument("--spread", type=float, default=0.4, help="deviation of the logarithm of all seconds")
    command.add_argument("--num-cpus", type=int, default=32, help="CPUs that Ray is told of")
    command.add_argument("--num-gpus", type=int, default=8, help="GPUs that Ray is told of; 0: adaptation on CPUs")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--folder", help="keep results and the list of events there")
    command.add_argument("--json", help="file for all that was measured")
    return command


if __name__ == "__main__":
    main()
