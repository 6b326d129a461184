"""What the bench's commands work with, beside what is asked of them: its methods, and who does the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from jobs.benchmarks.progress import counted
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import Extracted, Footage, extract
from jobs.benchmarks.quality.held_out_calibration import labelled_pairs
from jobs.benchmarks.quality.methods import KnownMethods
from vcn_ray.cluster.calibrating import LabelledPairs
from vcn_ray.config import Options, RunOptions
from vcn_ray.execution.on_ray.session import ray_session

T = TypeVar("T")
U = TypeVar("U")

_ROOT = Path(__file__).parents[3]  # where workers find this package


def spread(work: Callable[[T], U], jobs: Sequence[T], what: str) -> Iterator[U | str]:
    """Do the jobs as Ray tasks of one CPU each; results in the jobs' order, a sentence where a worker died.

    `work` is a function of a module that workers can import, some of its arguments given. `what` is what is counted
    meanwhile.
    """
    import ray

    def do(job: T) -> U:
        return work(job)

    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    task = ray.remote(num_cpus=1, max_retries=0, runtime_env={"env_vars": {"PYTHONPATH": path}})(do)
    pending = {task.options(name=f"quality {job}").remote(job): number for number, job in enumerate(jobs)}
    results: dict[int, U | str] = {}
    with counted(what, len(jobs)) as advance:
        while pending:
            done, _ = ray.wait(list(pending))
            number = pending.pop(done[0])
            try:
                results[number] = ray.get(done[0])
            except ray.exceptions.RayError as error:
                results[number] = f"its worker died ({str(error).splitlines()[0]})"
            advance()
    return iter([results[number] for number in range(len(jobs))])


def one_by_one(work: Callable[[T], U], jobs: Sequence[T], what: str) -> Iterator[U]:
    """As `spread`, in this process; whatever kills a worker ends it."""
    with counted(what, len(jobs)) as advance:
        for job in jobs:
            yield work(job)
            advance()


@dataclass(frozen=True)
class Bench:
    """The bench as it stands: on Ray, with the product's own stage 1 and the installed face models."""

    methods: KnownMethods = field(default_factory=KnownMethods)
    session: Callable[[RunOptions], AbstractContextManager[Any]] = ray_session  # in which `spread` and `extract` work
    spread: Callable[[Callable[[Any], Any], Sequence[Any], str], Iterable[Any]] = spread
    extract: Callable[[Footage, Options, str], Extracted] = extract
    pairs: Callable[[Case, Options], LabelledPairs] = labelled_pairs


def local_bench() -> Bench:
    """The bench in this process, without Ray: for a few cases whose tracks and views are there already."""
    return Bench(session=lambda options: nullcontext(), spread=one_by_one, extract=partial(extract, executor="local"))
