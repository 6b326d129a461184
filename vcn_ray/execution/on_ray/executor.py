"""A run on Ray: extraction and views as Ray Data Datasets, adaptation as Ray Train runs, the rest as tasks."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import cast

from vcn_ray.config import RunOptions
from vcn_ray.errors import OptionError
from vcn_ray.execution.base import AdaptationTask, Executor, RunContext, Took, Trainer
from vcn_ray.execution.local import probe_here
from vcn_ray.execution.on_ray.datasets import run_on_ray, run_task
from vcn_ray.execution.on_ray.event_actor import make_event_actor
from vcn_ray.execution.on_ray.session import Cluster, ray_session, settled_device
from vcn_ray.execution.on_ray.title_worker import TitleWorker, warm_groups
from vcn_ray.execution.on_ray.train import adapt_on_ray
from vcn_ray.execution.on_ray.warm_groups import WarmGroups
from vcn_ray.execution.on_ray.worker_needs import WorkerNeeds
from vcn_ray.execution.request_batcher import RequestBatcher
from vcn_ray.execution.stage_monitor import ShownViews, shown_adaptation
from vcn_ray.execution.title_scheduler import Resources, TitleScheduler
from vcn_ray.execution.worker_events import EventReceiver
from vcn_ray.pipeline.layout import TRACKS
from vcn_ray.pipeline.tasks import TaskRow, view_rows
from vcn_ray.pipeline.title_state import TitleState

_HEAR_S = 10.0  # for the actor to answer
_LOOK_EVERY_S = 5.0  # for machines that have come or gone
_SMALL_MINUTES = 3.0  # of a title that one worker takes all the way
_FPS = 25  # of a video of which only the frames are known here
_SMALL_CPUS = 4  # below, a title's views wait for its turn: two Datasets and a trainer would starve one another


class RayExecutor(Executor):
    """The Ray at the options' address, this process's own where it has one, or one that is started when first needed.

    Args:
        trainer: runs a title's adaptation, for tests and simulations. None: warm workers, or, where several share a
            title, a group of its own.
    """

    many_titles = True

    def __init__(self, trainer: Trainer | None = None):
        self._trainer = trainer

    def device(self, options: RunOptions) -> AbstractContextManager[str]:
        """What the Ray in use offers where the option is "auto", else this process's answer."""
        return settled_device(options)

    @contextmanager
    def open(self, context: RunContext) -> Iterator[None]:
        """A Ray that was started for the run is stopped at the end."""
        self._run, self._gpu = context, context.device == "cuda"
        self._started = False  # one executor may do run after run
        self._prepared = False  # whether a warm worker has been started ahead
        self._at_work: dict[str, TitleWorker] = {}  # by title: who does all of it
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
        self._needs = WorkerNeeds(self._run, lambda: self._cluster)
        self._asked = Resources(options.workers_per_title, self._cpus_of(cluster), self._needs.gpus())
        self.scheduler = TitleScheduler(
            cluster.cpus,
            cluster.gpus,
            self._asked,
            extracting=extracting,
            titles=len(self._run.tasks.options),
            most_titles=options.max_titles_adapting,
        )
        self._views = RequestBatcher(self._run_views, lambda: 1 if self.views_need_turn else 2)
        self._receiver, self._hearing = EventReceiver(self._run.monitor, self._run.tasks.options), threading.Lock()
        self._events = make_event_actor(self._run.run_id)
        self._groups: WarmGroups | None = None
        if self._trainer is None and options.workers_per_title == 1:
            self._groups = warm_groups(self._events, self._run.run_id)
            self._stack.callback(self._groups.close)
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
        """Extract the shards of all titles in one streaming Dataset; a worker is started for the first to be done."""
        self._receiver.done_before = done_before
        self.scheduler.extraction_begins()
        tasks, events = self._run.tasks, self._events

        def extract(row: TaskRow) -> TaskRow:
            return tasks.extract(row, events.put.remote)

        left = Counter(row["title"] for row in rows)
        frames = Counter(done_before)
        for row in rows:
            frames[row["title"]] += row["end_frame"] - row["first_frame"]
        self._prepare(left, frames)
        fitting = self._cluster.fitting(memory_bytes)
        for landed in run_on_ray(rows, extract, self._run.run_id, "extract_tracks", fitting):
            left[landed["title"]] -= 1
            self._prepare(left, frames)
            yield landed

    def _prepare(self, left: Counter[str], frames: Counter[str]) -> None:
        """Have the first warm worker started once the last shards are under way of a title that will go to it at once.

        A start takes about as long as a shard: earlier it would keep a CPU from extraction for nothing. `left`: shards
        of each title; `frames`: of all of it.
        """
        under_way = [(shards, title) for title, shards in left.items() if shards]
        if self._groups is None or self._prepared or not under_way or not self.scheduler.leaves_room():
            return
        shards, title = min(under_way, key=lambda of_title: of_title[0])
        minutes = frames[title] / _FPS / 60
        if shards <= self._cluster.cpus and (self._gpu or self._is_small(minutes)):
            self._prepared = True
            memory_bytes = self._needs.memory_bytes(minutes, self._run.tasks.options[title])
            self._groups.prepare(replace(self._asked, cpus=1, memory_bytes=memory_bytes))

    def _is_small(self, minutes: float) -> bool:
        return minutes <= _SMALL_MINUTES and self.scheduler.expected >= self._cluster.cpus

    def in_one_turn(self, state: TitleState) -> bool:
        """For small titles on CPUs, as many as there are CPUs or more.

        Their steps are so short that waiting for other titles' tasks, and starting Datasets, would take longer; and a
        warm worker has the libraries and networks of all of them.
        """
        return self._groups is not None and not self._gpu and self._is_small(state.minutes)

    @contextmanager
    def one_worker(self, state: TitleState, cpus: int) -> Iterator[None]:
        """A warm one; it goes to the next title unless other titles' tasks then had no CPU."""
        groups, memory_bytes = cast(WarmGroups, self._groups), self._needs.memory_bytes(state.minutes, state.options)
        asked = replace(self._asked, cpus=cpus, memory_bytes=memory_bytes)
        worker = TitleWorker(groups, state.title.id, asked, self._events)
        self._at_work[state.title.id] = worker
        try:
            yield
        finally:
            del self._at_work[state.title.id]
            worker.release(keep=not self.scheduler.tasks or groups.staying < self._cluster.cpus)

    def assemble(self, row: TaskRow) -> TaskRow:
        """Join a title's shards, in a task or by its worker."""
        return self._one_task(row, self._run.tasks.assemble, "assemble_tracks")

    def views(self, state: TitleState) -> Took:
        """Compute the views as tasks spread over the cluster, or by the title's worker."""
        started = time.monotonic()
        keys = state.stages.view_chunks(state.work, state.options, self._run.device)
        shown = ShownViews(state, len(keys), self._run.monitor)
        if keys:
            rows, worker = view_rows(state, keys), self._at_work.get(state.title.id)
            with shown:
                if worker is None:
                    # In its turn it has CPUs for them.
                    with nullcontext() if self.views_need_turn else self.scheduler.task():
                        self._views.do(state.place, rows, shown.landed)
                else:
                    for row in rows:
                        shown.landed(worker.do_task(row, self._run.tasks.views, self._run.run_id))
        return Took(time.monotonic() - started, shown.cpu_s)

    def adapt(self, state: TitleState, cpus: int) -> Took:
        """Adapt in a warm worker; where several share the title, or another trainer is given, by that."""
        workers, gpus, title = self._asked.workers, self._asked.gpus, state.title
        adaptation = AdaptationTask(
            state.stages, title.id, title.slug, state.work, state.options, self._run.device, state.results_digest
        )
        with shown_adaptation(state, self._run.monitor, cpus * workers, gpus * workers) as shown:
            times = self._adapt(adaptation, state, cpus)
            if times is not None:
                shown.started, shown.ended, shown.cpus = times["started"], times["ended"], int(times["cpus"])
            self._hear()  # a warm worker's title may be over, and the run, before the next look
        return shown.took()

    def _adapt(self, adaptation: AdaptationTask, state: TitleState, cpus: int) -> dict[str, float] | None:
        """Gives when its worker began and ended, and its CPUs, where that is known."""
        at_work = self._at_work.get(adaptation.title)
        if at_work is not None:
            return at_work.adapt(adaptation)
        found = state.work.done_info(TRACKS, state.tracks_digest) or {}
        memory_bytes = self._needs.memory_bytes(state.minutes, state.options, found.get("counts", {}))
        asked = replace(self._asked, cpus=cpus, memory_bytes=memory_bytes)
        if self._groups is None:
            (self._trainer or adapt_on_ray)(adaptation, asked, self._events)
            return None
        worker = TitleWorker(self._groups, adaptation.title, asked, self._events)
        try:
            return worker.adapt(adaptation)
        finally:
            # On CPUs its own results, and others' tracks, wait for the CPUs that a kept worker holds.
            worker.release(keep=self._gpu or self._cluster.cpus_left())

    def finish(self, row: TaskRow) -> TaskRow:
        """Write a title's results, in a task or by its worker."""
        return self._one_task(row, self._run.tasks.finish, "write_results")

    def _one_task(self, row: TaskRow, do: Callable[[TaskRow], TaskRow], name: str) -> TaskRow:
        worker = self._at_work.get(row["title"])
        if worker is not None:
            return worker.do_task(row, do, self._run.run_id)
        with self.scheduler.task():
            return run_task(row, do, self._run.run_id, name, self._title_memory(row))

    def _title_memory(self, row: TaskRow) -> int:
        return self._cluster.fitting(self._run.tasks.stages.title_memory_bytes(row["minutes"]))

    def _run_views(self, rows: Sequence[TaskRow]) -> Iterator[TaskRow]:
        tasks = self._run.tasks
        memory_bytes = self._cluster.fitting(tasks.stages.views_memory_bytes)
        return run_on_ray(rows, tasks.views, self._run.run_id, "embed_views", memory_bytes)

    def _hear(self) -> None:
        """Take what workers have told by now."""
        import ray

        # What goes wrong with one look (the actor or the head is started again) may be well at the next.
        with self._hearing, suppress(Exception):
            for event in ray.get(self._events.take.remote(), timeout=_HEAR_S):
                self._receiver.receive(event)

    def _listen(self) -> None:
        import ray

        looked = time.monotonic()
        while not self._closed.wait(0.5) and ray.is_initialized():
            self._hear()
            with suppress(Exception):
                if time.monotonic() - looked > _LOOK_EVERY_S:
                    looked = time.monotonic()
                    self._cluster = now = Cluster.of_ray()
                    self.scheduler.resize(now.cpus, now.gpus, self._cpus_of(now))
