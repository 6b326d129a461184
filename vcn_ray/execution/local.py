"""Everything in this process, one thing after the other and without Ray: to debug, or for a single clip."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from vcn_ray.config import RunOptions
from vcn_ray.execution.attempts import run_here
from vcn_ray.execution.base import Executor, RunContext, Took
from vcn_ray.execution.parallel import LOOKS_AT_ONCE, in_threads
from vcn_ray.execution.stage_monitor import ShownViews, shown_adaptation
from vcn_ray.execution.title_scheduler import Resources, TitleScheduler
from vcn_ray.execution.worker_events import EventReceiver
from vcn_ray.pipeline.tasks import TaskRow, Tasks, view_rows
from vcn_ray.pipeline.title_state import TitleState


class LocalExecutor(Executor):
    """This process. Progress is told, tasks are put on record, as on Ray.

    `context` is what the run is, `events` where workers' events go; both there from `open` on.
    """

    many_titles = False
    views_need_turn = True

    @contextmanager
    def device(self, options: RunOptions) -> Iterator[str]:
        """This process's own answer where the option is "auto"."""
        yield device_here(options)

    @contextmanager
    def open(self, context: RunContext) -> Iterator[None]:
        """There is nothing to start."""
        self.context = context
        self.events = EventReceiver(context.monitor, context.tasks.options)
        self.scheduler = TitleScheduler(1, 0, Resources(), extracting=False)
        yield

    def start(self, *, extracting: bool) -> None:
        """It is ready."""

    def probe(self, rows: Sequence[TaskRow]) -> Iterator[TaskRow]:
        """Look at several videos at once: most of it is waiting for them."""
        return probe_here(rows, self.context.tasks, self.context.run_id)

    def extract(self, rows: Sequence[TaskRow], memory_bytes: int, done_before: Mapping[str, int]) -> Iterator[TaskRow]:
        """Extract the shards in order."""
        self.events.done_before = done_before
        receive, tasks = self.events.receive, self.context.tasks
        return run_here(rows, lambda row: tasks.extract(row, receive), self.context.run_id)

    def assemble(self, row: TaskRow) -> TaskRow:
        """Join a title's shards."""
        return next(run_here([row], self.context.tasks.assemble, self.context.run_id))

    def views(self, state: TitleState) -> Took:
        """Compute the views in order."""
        started = time.monotonic()
        keys = state.stages.view_chunks(state.work, state.options, self.context.device)
        with ShownViews(state, len(keys), self.context.monitor) as shown:
            for row in run_here(view_rows(state, keys), self.context.tasks.views, self.context.run_id):
                shown.landed(row)
        return Took(time.monotonic() - started, shown.cpu_s)

    def adapt(self, state: TitleState, cpus: int) -> Took:
        """Adapt with the threads that the options name."""

        def tell(event: dict) -> None:
            self.events.receive({"title": state.title.id, "stage": "adapt", **event})

        with shown_adaptation(state, self.context.monitor, cpus=1, gpus=0) as shown:
            threads = state.options.run.threads_per_title
            state.stages.adapt(state.work, state.options, self.context.device, threads, tell)
        return shown.took()

    def finish(self, row: TaskRow) -> TaskRow:
        """Write a title's results."""
        return next(run_here([row], self.context.tasks.finish, self.context.run_id))


def device_here(options: RunOptions) -> str:
    """Where a title would adapt in this process: "cpu" or "cuda"."""
    if options.device != "auto":
        return options.device
    import torch  # takes a second, which a run that finds all done need not wait for

    return "cuda" if torch.cuda.is_available() else "cpu"


def probe_here(rows: Sequence[TaskRow], tasks: Tasks, run_id: str) -> Iterator[TaskRow]:
    """Look at videos in threads of this process, several at once."""
    return in_threads(lambda row: next(run_here([row], tasks.probe, run_id)), rows, LOOKS_AT_ONCE)
