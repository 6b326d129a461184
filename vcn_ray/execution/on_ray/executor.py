"""A run on Ray: extraction and views as Ray Data Datasets, adaptation as Ray Train runs, the rest as tasks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from vcn_ray.config import RunOptions
from vcn_ray.errors import OptionError
from vcn_ray.execution.base import AdaptationTask, Executor, RunContext, Took, Trainer
from vcn_ray.execution.local import probe_here
from vcn_ray.execution.on_ray.datasets import run_on_ray, run_task
from vcn_ray.execution.on_ray.event_actor import make_event_actor
from vcn_ray.execution.on_ray.session import Cluster, ray_session, settled_device
from vcn_ray.execution.on_ray.train import adapt_on_ray
from vcn_ray.execution.request_batcher import RequestBatcher
from vcn_ray.execution.stage_monitor import ShownViews, shown_adaptation
from vcn_ray.execution.title_scheduler import Resources, TitleScheduler
from vcn_ray.execution.worker_events import EventReceiver
from vcn_ray.pipeline.tasks import TaskRow, view_rows
from vcn_ray.pipeline.title_state import TitleState

_LOOK_EVERY_S = 5.0  # for machines that have come or gone
_SMALL_CPUS = 4  # below, a title's views wait for its turn: two Datasets and a trainer would starve one another


class RayExecutor(Executor):
    """The Ray at the options' address, this process's own where it has one, or one that is started when first needed.

    Args:
        trainer: runs a title's adaptation; another one is for tests and simulations.
    """

    many_titles = True

    def __init__(self, trainer: Trainer = adapt_on_ray):
        self._trainer = trainer

    def device(self, options: RunOptions) -> AbstractContextManager[str]:
        """What the Ray in use offers where the option is "auto", else this process's answer."""
        return settled_device(options)

    @contextmanager
    def open(self, context: RunContext) -> Iterator[None]:
        """A Ray that was started for the run is stopped at the end."""
        self._run, self._gpu = context, context.device == "cuda"
        self._started = False  # one executor may do run after run
        self._closed = threading.Event()
        with ExitStack() as self._stack:
            try:
                yield
            finally:
                self._closed.set()

    def start(self, *, extracting: bool) -> None:
        """Start Ray, or connect to it, unless that has been done."""
        if self._started:
            return
        options, say = self._run.options, self._run.monitor.say
        say("starting Ray" if options.address is None else f"connecting to Ray at {options.address}")
        self._cluster = cluster = self._stack.enter_context(ray_session(options))
        if cluster.dashboard_url:
            say(f"Ray's dashboard: {cluster.dashboard_url}")
        if self._gpu and cluster.gpus == 0 and options.max_titles_adapting is None:
            raise OptionError(
                "option 'device': cuda was asked for and Ray has no GPU; use cpu or, on a cluster that starts machines "
                "with GPUs when asked, say with --set max_titles_adapting=N how many titles may ask for one"
            )
        gpus = options.gpus_per_title if self._gpu else 0.0
        self._asked = Resources(options.workers_per_title, self._cpus_of(cluster), gpus)
        self.scheduler = TitleScheduler(
            cluster.cpus,
            cluster.gpus,
            self._asked,
            extracting=extracting,
            titles=len(self._run.tasks.options),
            most_titles=options.max_titles_adapting,
        )
        self._views = RequestBatcher(self._run_views, lambda: 1 if self.views_need_turn else 2)
        self._receiver = EventReceiver(self._run.monitor, self._run.tasks.options)
        self._events = make_event_actor(self._run.run_id)
        threading.Thread(target=self._listen, name="events", daemon=True).start()
        self._started = True

    @property
    def views_need_turn(self) -> bool:
        """Whether the cluster, as large as it is now, is too small for both."""
        return self._cluster.cpus < _SMALL_CPUS

    def _cpus_of(self, cluster: Cluster) -> int:
        """CPUs that a worker of a title asks for, when there is nothing else to do."""
        return min(self._run.options.threads_per_title, cluster.cpus_on_one_node(gpu=self._gpu))

    def probe(self, rows: Sequence[TaskRow]) -> Iterator[TaskRow]:
        """Look at the videos, spread over the cluster; here, where Ray would have to be started for it."""
        run = self._run
        if run.options.address is None:
            return probe_here(rows, run.tasks, run.run_id)
        self.start(extracting=True)
        return run_on_ray(rows, run.tasks.probe, run.run_id, "probe_videos")

    def extract(self, rows: Sequence[TaskRow], memory_bytes: int, done_before: Mapping[str, int]) -> Iterator[TaskRow]:
        """Extract the shards of all titles in one streaming Dataset."""
        self._receiver.done_before = done_before
        tasks, events = self._run.tasks, self._events

        def extract(row: TaskRow) -> TaskRow:
            return tasks.extract(row, events.put.remote)

        return run_on_ray(rows, extract, self._run.run_id, "extract_tracks", self._cluster.fitting(memory_bytes))

    def assemble(self, row: TaskRow) -> TaskRow:
        """Join a title's shards in a task."""
        return run_task(row, self._run.tasks.assemble, self._run.run_id, "assemble_tracks", self._title_memory(row))

    def views(self, state: TitleState) -> Took:
        """Compute the views as tasks spread over the cluster."""
        started = time.monotonic()
        keys = state.stages.view_chunks(state.work, state.options, self._run.device)
        shown = ShownViews(state, len(keys), self._run.monitor)
        if keys:
            with shown:
                self._views.do(state.place, view_rows(state, keys), shown.landed)
        return Took(time.monotonic() - started, shown.cpu_s)

    def adapt(self, state: TitleState, cpus: int) -> Took:
        """Adapt in Ray Train workers."""
        workers, gpus, title = self._asked.workers, self._asked.gpus, state.title
        adaptation = AdaptationTask(
            state.stages, title.id, title.slug, state.work, state.options, self._run.device, state.results_digest
        )
        with shown_adaptation(state, self._run.monitor, cpus * workers, gpus * workers) as took:
            self._trainer(adaptation, Resources(workers, cpus, gpus), self._events)
        return took()

    def finish(self, row: TaskRow) -> TaskRow:
        """Write a title's results in a task."""
        return run_task(row, self._run.tasks.finish, self._run.run_id, "write_results", self._title_memory(row))

    def _title_memory(self, row: TaskRow) -> int:
        return self._cluster.fitting(self._run.tasks.stages.title_memory_bytes(row["minutes"]))

    def _run_views(self, rows: Sequence[TaskRow]) -> Iterator[TaskRow]:
        tasks = self._run.tasks
        memory_bytes = self._cluster.fitting(tasks.stages.views_memory_bytes)
        return run_on_ray(rows, tasks.views, self._run.run_id, "embed_views", memory_bytes)

    def _listen(self) -> None:
        import ray

        looked = time.monotonic()
        while not self._closed.wait(0.5) and ray.is_initialized():
            # What goes wrong with one look (the actor or the head is started again) may be well at the next.
            with suppress(Exception):
                for event in ray.get(self._events.take.remote()):
                    self._receiver.receive(event)
            with suppress(Exception):
                if time.monotonic() - looked > _LOOK_EVERY_S:
                    looked = time.monotonic()
                    self._cluster = now = Cluster.of_ray()
                    self.scheduler.resize(now.cpus, now.gpus, self._cpus_of(now))
