"""Where a season's work is done: on Ray, or in this process. The driver says what, an engine says where."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol

from vcn_ray.config import Options, RunOptions
from vcn_ray.errors import OptionError
from vcn_ray.execution.attempts import Row, run_here, run_on_ray, run_task
from vcn_ray.execution.on_ray.session import Cluster, quiet_ray_logs, ray_session
from vcn_ray.execution.on_ray.train import Resources, TitleError, adapt_here, adapt_on_ray
from vcn_ray.execution.request_batcher import Waves
from vcn_ray.execution.title_scheduler import Slots, TitleNeeds
from vcn_ray.execution.worker_events import Hearer, adapt_epochs, make_reports, tell_landed
from vcn_ray.monitoring.monitor import Monitor
from vcn_ray.pipeline.tasks import Steps, view_rows
from vcn_ray.pipeline.title_state import TitleState

_LOOK_EVERY_S = 5.0  # for machines that have come or gone
_SMALL_CPUS = 4  # below, a title's views wait for its turn: two Datasets and a trainer would starve one another


class Took(NamedTuple):
    """What a stage took: wall time, and CPU time as reserved."""

    wall_s: float
    cpu_s: float


class Engine(Protocol):
    """What the driver asks for. Each method blocks; rows of pieces come back with their error, if any."""

    slots: Slots

    def probe(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Look at videos; rows come back in any order."""

    def extract(self, rows: Sequence[Row], memory_bytes: int, done_before: Mapping[str, int]) -> Iterator[Row]:
        """Extract shards; rows come back in any order. `done_before`: frames of each title from earlier runs."""

    def assemble(self, row: Row) -> Row:
        """Join a title's shards."""

    def views(self, state: TitleState) -> Took:
        """Compute a title's missing cached views. `TitleError` where one fails."""

    def adapt(self, state: TitleState, cpus: int) -> Took:
        """Adapt and cluster a title with so many CPUs a worker. Raises `TitleError`."""

    def finish(self, row: Row) -> Row:
        """Write a title's results."""

    @property
    def views_need_slot(self) -> bool:
        """Whether a title's views are to wait for its turn to adapt."""


@contextmanager
def open_engine(
    steps: Steps, options: Options, monitor: Monitor, run_id: str, device: str, *, local: bool, extracting: bool
) -> Iterator[Engine]:
    """The engine for a run, with adaptation on "cpu" or "cuda"; a Ray started for it is stopped at the end."""
    if local:
        quiet_ray_logs()
        yield _Here(steps, monitor, run_id, device)
        return
    monitor.say("starting Ray" if options.run.address is None else f"connecting to Ray at {options.run.address}")
    with ray_session(options.run) as cluster:
        if cluster.dashboard_url:
            monitor.say(f"Ray's dashboard: {cluster.dashboard_url}")
        gpu = device == "cuda"
        if gpu and cluster.gpus == 0 and options.run.max_titles_adapting is None:
            raise OptionError(
                "option 'device': cuda was asked for and Ray has no GPU; use cpu or, on a cluster that starts machines "
                "with GPUs when asked, say with --set max_titles_adapting=N how many titles may ask for one"
            )
        engine = _OnRay(steps, options.run, monitor, run_id, device, cluster, extracting=extracting)
        try:
            yield engine
        finally:
            engine.close()


class _Here:
    """Everything in this process, one thing after the other."""

    views_need_slot = True

    def __init__(self, steps: Steps, monitor: Monitor, run_id: str, device: str):
        self._steps, self._monitor, self._run_id, self._device = steps, monitor, run_id, device
        self._hearer = Hearer(monitor, steps.options)
        self.slots = Slots(1, 0, TitleNeeds(), extracting=False)

    def probe(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Look at the videos in order."""
        return run_here(rows, self._steps.probe, self._run_id)

    def extract(self, rows: Sequence[Row], memory_bytes: int, done_before: Mapping[str, int]) -> Iterator[Row]:
        """Extract the shards in order."""
        self._hearer.done_before = done_before
        return run_here(rows, lambda row: self._steps.extract(row, self._hearer.hear), self._run_id)

    def assemble(self, row: Row) -> Row:
        """Join a title's shards."""
        return next(run_here([row], self._steps.assemble, self._run_id))

    def views(self, state: TitleState) -> Took:
        """Compute the views in order."""
        started = time.monotonic()
        keys = self._steps.stages.view_chunks(state.work, state.options, self._device)
        with _Shown(state, len(keys), self._monitor) as shown:
            for row in run_here(view_rows(state, keys), self._steps.views, self._run_id):
                shown.landed(row)
        return Took(time.monotonic() - started, shown.cpu_s)

    def adapt(self, state: TitleState, cpus: int) -> Took:
        """Adapt in Ray Train's local mode."""
        with _adapting(state, self._monitor, cpus=1, gpus=0) as took:
            adapt_here(
                self._steps.stages,
                state.work,
                state.options,
                self._device,
                lambda event: self._hearer.hear({"title": state.title.id, "stage": "adapt", **event}),
            )
        return took()

    def finish(self, row: Row) -> Row:
        """Write a title's results."""
        return next(run_here([row], self._steps.finish, self._run_id))


class _OnRay:
    """Extraction and views as Ray Data Datasets, adaptation as Ray Train runs, the rest as tasks."""

    def __init__(
        self,
        steps: Steps,
        run: RunOptions,
        monitor: Monitor,
        run_id: str,
        device: str,
        cluster: Cluster,
        *,
        extracting: bool,
    ):
        self._steps, self._monitor, self._run_id, self._device = steps, monitor, run_id, device
        gpus = run.gpus_per_title if device == "cuda" else 0.0
        self._run, self._cluster = run, cluster
        self._needs = TitleNeeds(self._cpus_of(cluster), run.workers_per_title, gpus)
        self.slots = Slots(
            cluster.cpus,
            cluster.gpus,
            self._needs,
            extracting=extracting,
            titles=len(steps.options),
            most_titles=run.max_titles_adapting,
        )
        self._waves = Waves(self._run_views, lambda: 1 if self.views_need_slot else 2)
        self._hearer = Hearer(monitor, steps.options)
        self._reports = make_reports(run_id)
        self._closed = threading.Event()
        threading.Thread(target=self._listen, name="reports", daemon=True).start()

    @property
    def views_need_slot(self) -> bool:
        """Whether the cluster, as large as it is now, is too small for both."""
        return self._cluster.cpus < _SMALL_CPUS

    def _cpus_of(self, cluster: Cluster) -> int:
        """CPUs that a worker of a title asks for, when there is nothing else to do."""
        return min(self._run.threads_per_title, cluster.cpus_on_one_node(gpu=self._device == "cuda"))

    def close(self) -> None:
        """Stop listening to workers."""
        self._closed.set()

    def probe(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Look at the videos, spread over the cluster."""
        return run_on_ray(rows, self._steps.probe, self._run_id, "probe_videos")

    def extract(self, rows: Sequence[Row], memory_bytes: int, done_before: Mapping[str, int]) -> Iterator[Row]:
        """Extract the shards of all titles in one streaming Dataset."""
        self._hearer.done_before = done_before
        steps, reports = self._steps, self._reports

        def step(row: Row) -> Row:
            return steps.extract(row, reports.put.remote)

        return run_on_ray(rows, step, self._run_id, "extract_tracks", self._cluster.fitting(memory_bytes))

    def assemble(self, row: Row) -> Row:
        """Join a title's shards in a task."""
        memory_bytes = self._cluster.fitting(self._steps.stages.title_memory_bytes(row["minutes"]))
        return run_task(row, self._steps.assemble, self._run_id, "assemble_tracks", memory_bytes)

    def views(self, state: TitleState) -> Took:
        """Compute the views as tasks spread over the cluster."""
        started = time.monotonic()
        keys = self._steps.stages.view_chunks(state.work, state.options, self._device)
        shown = _Shown(state, len(keys), self._monitor)
        if keys:
            with shown:
                self._waves.do(state.place, view_rows(state, keys), shown.landed)
        return Took(time.monotonic() - started, shown.cpu_s)

    def adapt(self, state: TitleState, cpus: int) -> Took:
        """Adapt in Ray Train workers."""
        trainer = self._steps.stages.trainer or adapt_on_ray
        needs = self._needs
        with _adapting(state, self._monitor, cpus * needs.workers, needs.gpus * needs.workers) as took:
            trainer(
                self._steps.stages,
                state.title.id,
                state.title.slug,
                state.work,
                state.options,
                self._device,
                state.results_digest,
                Resources(needs.workers, cpus, needs.gpus),
                self._reports,
            )
        return took()

    def finish(self, row: Row) -> Row:
        """Write a title's results in a task."""
        memory_bytes = self._cluster.fitting(self._steps.stages.title_memory_bytes(row["minutes"]))
        return run_task(row, self._steps.finish, self._run_id, "write_results", memory_bytes)

    def _run_views(self, rows: Sequence[Row]) -> Iterator[Row]:
        memory_bytes = self._cluster.fitting(self._steps.stages.views_memory_bytes)
        return run_on_ray(rows, self._steps.views, self._run_id, "embed_views", memory_bytes)

    def _listen(self) -> None:
        import ray

        looked = time.monotonic()
        while not self._closed.wait(0.5) and ray.is_initialized():
            # What goes wrong with one look (the actor or the head is started again) may be well at the next.
            with suppress(Exception):
                for event in ray.get(self._reports.take.remote()):
                    self._hearer.hear(event)
            with suppress(Exception):
                if time.monotonic() - looked > _LOOK_EVERY_S:
                    looked = time.monotonic()
                    self._cluster = now = Cluster.of_ray()
                    self.slots.resize(now.cpus, now.gpus, self._cpus_of(now))


class _Shown:
    """A title's views on the monitor: how many chunks have landed. `TitleError` for one that failed."""

    def __init__(self, state: TitleState, chunks: int, monitor: Monitor):
        self._title, self._chunks, self._monitor, self._done = state.title.id, chunks, monitor, 0
        self.cpu_s = 0.0

    def __enter__(self) -> _Shown:
        self._monitor.moved(self._title, "views")
        self._monitor.start(self._title, "views", self._chunks, "chunks")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._monitor.end(self._title, "views")

    def landed(self, row: Row) -> None:
        tell_landed(self._monitor, "views", row)
        if row["error"]:
            raise TitleError(row["error"], row["traceback"])
        self._done += 1
        self.cpu_s += row["ended"] - row["started"]
        self._monitor.update(self._title, "views", self._done)


@contextmanager
def _adapting(state: TitleState, monitor: Monitor, cpus: int, gpus: float) -> Iterator[Callable[[], Took]]:
    """A title's adaptation on the monitor; what is given tells afterwards what it took."""
    title = state.title.id
    monitor.moved(title, "adapt")
    monitor.start(title, "adapt", adapt_epochs(state.options, state.options.adapt.max_iterations), "epochs")
    started = time.time()
    ended = started
    yield lambda: Took(ended - started, (ended - started) * cpus)
    ended = time.time()
    monitor.landed(title, "adapt", "adapt", {"started": started, "ended": ended, "cpus": cpus, "gpus": gpus})
    monitor.end(title, "adapt")
