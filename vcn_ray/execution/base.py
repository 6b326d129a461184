"""Who does the work of a run, as an interface: the driver says what, an executor says where.

`local.LocalExecutor` is this process, `on_ray.executor.RayExecutor` a cluster; `factory.make_executor` chooses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from vcn_ray.config import Options, RunOptions
from vcn_ray.execution.title_scheduler import Resources, TitleScheduler
from vcn_ray.monitoring.monitor import Monitor
from vcn_ray.pipeline.stages import Stages
from vcn_ray.pipeline.tasks import TaskRow, Tasks
from vcn_ray.pipeline.title_state import TitleState
from vcn_ray.storage.store import Store


class TitleError(Exception):
    """A title's work failed in a worker: one sentence, and the traceback where it is no fault of the user."""

    def __init__(self, sentence: str, trace: str):
        super().__init__(sentence)
        self.trace = trace

    def __reduce__(self) -> tuple[type[TitleError], tuple[str, str]]:
        """It comes from another process."""
        return TitleError, (str(self), self.trace)


class Took(NamedTuple):
    """What a stage took: wall time, and CPU time as reserved."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class RunContext:
    """What an executor has to know of the run that it works for."""

    tasks: Tasks
    options: RunOptions
    monitor: Monitor
    run_id: str
    device: str  # where titles adapt, "cpu" or "cuda"


class Executor(ABC):
    """Does the work of a run at a time. Each method blocks; rows of tasks come back with their error, if any."""

    #: Which titles may adapt now; there from `start` on.
    scheduler: TitleScheduler

    #: Whether several titles may be taken on side by side, each from a thread of its own.
    many_titles: bool

    @abstractmethod
    def device(self, options: RunOptions) -> AbstractContextManager[str]:
        """Where titles will adapt, "cpu" or "cuda", known before any work; asked before `open`, and held for the block.

        `OptionError` where what the options ask for cannot be had.
        """

    @abstractmethod
    def open(self, context: RunContext) -> AbstractContextManager[None]:
        """Work for this run for the time of the block. What it takes is started when it is first needed."""

    @abstractmethod
    def start(self, *, extracting: bool) -> None:
        """Be ready: work will come. `extracting`: shards among it."""

    @abstractmethod
    def probe(self, rows: Sequence[TaskRow]) -> Iterator[TaskRow]:
        """Look at videos; rows come back in any order."""

    @abstractmethod
    def extract(self, rows: Sequence[TaskRow], memory_bytes: int, done_before: Mapping[str, int]) -> Iterator[TaskRow]:
        """Extract shards; rows come back in any order. `done_before`: frames of each title from earlier runs."""

    @abstractmethod
    def assemble(self, row: TaskRow) -> TaskRow:
        """Join a title's shards."""

    def in_one_turn(self, state: TitleState) -> bool:
        """Whether all that is left of a title after its shards is to be done in its turn, by `one_worker`."""
        return False

    def one_worker(self, state: TitleState, cpus: int) -> AbstractContextManager[None]:
        """For the time of the block, one worker with so many CPUs does all that is asked for this title."""
        return nullcontext()

    @abstractmethod
    def views(self, state: TitleState) -> Took:
        """Compute a title's missing cached views. `TitleError` where one fails."""

    @property
    @abstractmethod
    def views_need_turn(self) -> bool:
        """Whether a title's views are to wait for its turn to adapt."""

    @abstractmethod
    def adapt(self, state: TitleState, cpus: int) -> Took:
        """Adapt and cluster a title with so many CPUs a worker. Raises `TitleError`."""

    @abstractmethod
    def finish(self, row: TaskRow) -> TaskRow:
        """Write a title's results."""


@dataclass(frozen=True)
class AdaptationTask:
    """A title's adaptation, as a trainer is given it."""

    stages: Stages
    title: str  # its id, for messages
    slug: str  # its id as a name, for the dashboard
    work: Store  # the title's working store
    options: Options  # `threads_per_title` is the number of a worker's threads whatever it asks for
    device: str  # "cpu" or "cuda"
    inputs_digest: str  # what the title's results depend on


class Trainer(Protocol):
    """Whoever runs a title's adaptation on Ray: `on_ray.train.adapt_on_ray`, or another for tests and simulations."""

    def __call__(self, adaptation: AdaptationTask, resources: Resources, event_actor: Any) -> None:
        """Adapt and cluster; blocks until it is over, also while there is no room. Raises `TitleError`.

        `event_actor`: its ``put`` hears of progress ({"title", "stage": "adapt", "iteration", ...}), of repetitions
        ({..., "retry": why}) and of what the user should know ({..., "say": sentence}).
        """
