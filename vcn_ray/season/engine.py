"""Where a season's work is done: on Ray, or in this process. The driver says what, an engine says where."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from vcn_ray.config import Options
from vcn_ray.errors import OptionError
from vcn_ray.season.adaptation import Slots, TitleError, adapt_here, adapt_on_ray, make_reports
from vcn_ray.season.progress import Monitor
from vcn_ray.season.session import quiet_ray_logs, ray_session
from vcn_ray.season.stages import Report, Stages
from vcn_ray.season.state import stored_info
from vcn_ray.season.tasks import Row, run_here, run_on_ray
from vcn_ray.storage import Store


class Engine(Protocol):
    """What the driver asks for. Each method blocks; stages that take long give their seconds."""

    slots: Slots

    def extract(self, rows: Sequence[Row], done_before: Mapping[str, int]) -> Iterator[Row]:
        """Extract shards; rows come back in any order. `done_before`: frames of each title from earlier runs."""

    def views(self, title: str, work: Store) -> dict[str, float]:
        """Compute a title's missing cached views."""

    def adapt(self, title: str, work: Store, inputs_digest: str, cpus: int) -> dict[str, float]:
        """Adapt and cluster a title."""


@contextmanager
def open_engine(
    options: Options, stages: Stages, monitor: Monitor, run_id: str, device: str, *, local: bool, extracting: bool
) -> Iterator[Engine]:
    """The engine for a run, with adaptation on "cpu" or "cuda"; a Ray started for it is stopped at the end."""
    if local:
        quiet_ray_logs()
        yield _Here(options, stages, monitor, run_id, device)
        return
    monitor.say("starting Ray" if options.run.address is None else f"connecting to Ray at {options.run.address}")
    with ray_session(options.run) as cluster:
        gpu = device == "cuda"
        if gpu and cluster.gpus == 0:
            raise OptionError("option 'device': cuda was asked for and Ray has no GPU; use cpu")
        cpus_per_title = min(options.run.threads_per_title, cluster.cpus_on_one_node(gpu=gpu))
        slots = Slots(cluster.cpus, cluster.gpus if gpu else None, cpus_per_title, extracting=extracting)
        engine = _OnRay(options, stages, monitor, run_id, device, slots)
        try:
            yield engine
        finally:
            engine.close()


def _extract_step(stages: Stages, options: Options, row: Row, report: Report) -> Row:
    """Extract one shard, write it, mark it done."""
    store = Store(row["work"])
    info = stored_info(stages, store, row["video"])
    done, last_said = 0, time.monotonic()

    def on_frames(more: int) -> None:
        nonlocal done, last_said
        done += more
        now = time.monotonic()
        if now - last_said >= 1.0:
            last_said = now
            report({"title": row["title"], "stage": "tracks", "step": row["step"], "done": done})

    store.begin(row["step"])
    started = time.time()
    stats = stages.extract(
        store, row["step"], info, row["first_frame"], row["end_frame"], options, on_frames, row["starts"]
    )
    frames = row["end_frame"] - row["first_frame"]
    ended = time.time()
    store.mark_done(row["step"], row["digest"], started=started, ended=ended, **stats)
    report({"title": row["title"], "stage": "tracks", "step": row["step"], "done": frames})
    return {"frames_per_s": frames / max(ended - started, 1e-6), **stats}


def adapt_epochs(options: Options, iterations: int) -> int:
    """Epochs in so many iterations of adaptation."""
    return options.adapt.first_epochs * (iterations > 0) + options.adapt.later_epochs * max(0, iterations - 1)


class _Progress:
    """Turns what workers report into what a monitor shows."""

    def __init__(self, monitor: Monitor, options: Options):
        self._monitor, self._options = monitor, options
        self.done_before: Mapping[str, int] = {}
        self._frames: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    def hear(self, event: Row) -> None:
        """An event of a worker: its title, its stage and how far it is."""
        title, stage = event["title"], event["stage"]
        with self._lock:
            if stage == "tracks":
                steps = self._frames.setdefault(title, {})
                steps[event["step"]] = max(event["done"], steps.get(event["step"], 0))
                done = self.done_before.get(title, 0) + sum(steps.values())
        if stage == "tracks":
            self._monitor.update(title, stage, done)
        else:
            self._hear_adaptation(title, event)

    def _hear_adaptation(self, title: str, event: Row) -> None:
        """After each epoch: iteration, epoch and loss; after each iteration: its number and that of its clusters."""
        iteration, options = event["iteration"], self._options
        if "epoch" in event:
            epochs_before = adapt_epochs(options, iteration - 1) + event["epoch"] + 1
            note = f"iteration {iteration}, loss {event['loss']:.4f}"
        else:
            epochs_before = adapt_epochs(options, iteration)
            note = f"iteration {iteration}: {event['clusters']} clusters"
        self._monitor.update(title, "adapt", epochs_before, note=f"{note}; stops when clusters stay the same")
        if event.get("warning"):
            self._monitor.say(f"{title}: {event['warning']}")


class _Here:
    """Everything in this process, one thing after the other."""

    def __init__(self, options: Options, stages: Stages, monitor: Monitor, run_id: str, device: str):
        self._options, self._stages, self._monitor, self._run_id = options, stages, monitor, run_id
        self._device = device
        self._progress = _Progress(monitor, options)
        self.slots = Slots(1, None, 1, extracting=False)

    def extract(self, rows: Sequence[Row], done_before: Mapping[str, int]) -> Iterator[Row]:
        """Extract the shards in order."""
        self._progress.done_before = done_before
        return run_here(
            rows, lambda row: _extract_step(self._stages, self._options, row, self._progress.hear), self._run_id
        )

    def views(self, title: str, work: Store) -> dict[str, float]:
        """Compute the views in order."""
        keys = self._stages.view_chunks(work, self._options, self._device)
        started = time.monotonic()
        self._monitor.start(title, "views", len(keys), "chunks")
        for done, key in enumerate(keys, 1):
            self._stages.embed_views(work, self._options, key)
            self._monitor.update(title, "views", done)
        self._monitor.end(title, "views")
        return {"views": time.monotonic() - started}

    def adapt(self, title: str, work: Store, inputs_digest: str, cpus: int) -> dict[str, float]:
        """Adapt in Ray Train's local mode."""
        options = self._options
        started = time.monotonic()
        self._monitor.start(title, "adapt", adapt_epochs(options, options.adapt.max_iterations), "epochs")
        adapt_here(
            self._stages,
            work,
            self._options,
            self._device,
            lambda event: self._progress.hear({"title": title, "stage": "adapt", **event}),
        )
        self._monitor.end(title, "adapt")
        return {"adapt": time.monotonic() - started}


class _OnRay:
    """Extraction and views as Ray Data Datasets, adaptation as Ray Train runs."""

    def __init__(self, options: Options, stages: Stages, monitor: Monitor, run_id: str, device: str, slots: Slots):
        self._options, self._stages, self._monitor, self._run_id = options, stages, monitor, run_id
        self._device, self.slots = device, slots
        self._progress = _Progress(monitor, options)
        self._reports = make_reports()
        self._closed = threading.Event()
        # Each Dataset gets an equal share of whole CPUs, none where there are more Datasets than CPUs: one at a time
        # beside extraction.
        self._views = threading.Lock()
        threading.Thread(target=self._listen, name="reports", daemon=True).start()

    def close(self) -> None:
        """Stop listening to workers."""
        self._closed.set()

    def extract(self, rows: Sequence[Row], done_before: Mapping[str, int]) -> Iterator[Row]:
        """Extract the shards of all titles in one streaming Dataset."""
        self._progress.done_before = done_before
        stages, options, reports = self._stages, self._options, self._reports

        def step(row: Row) -> Row:
            return _extract_step(stages, options, row, reports.put.remote)

        return run_on_ray(rows, step, self._run_id, "extract_tracks")

    def views(self, title: str, work: Store) -> dict[str, float]:
        """Compute the views as tasks spread over the cluster."""
        stages, options = self._stages, self._options
        started = time.monotonic()
        keys = stages.view_chunks(work, options, self._device)
        if keys:
            rows = [{"work": str(work.root), "title": title, "what": f"{title}, {key}", "step": key} for key in keys]

            def step(row: Row) -> Row:
                return stages.embed_views(Store(row["work"]), options, row["step"])

            with self._views:
                started = time.monotonic()
                self._monitor.start(title, "views", len(keys), "chunks")
                for done, landed in enumerate(run_on_ray(rows, step, self._run_id, "embed_views"), 1):
                    if landed["error"]:
                        raise TitleError(landed["error"], landed["traceback"])
                    self._monitor.update(title, "views", done)
                self._monitor.end(title, "views")
        return {"views": time.monotonic() - started}

    def adapt(self, title: str, work: Store, inputs_digest: str, cpus: int) -> dict[str, float]:
        """Adapt in a Ray Train worker."""
        options = self._options
        started = time.monotonic()
        self._monitor.start(title, "adapt", adapt_epochs(options, options.adapt.max_iterations), "epochs")
        adapt_on_ray(self._stages, title, work, self._options, self._device, inputs_digest, cpus, self._reports)
        self._monitor.end(title, "adapt")
        work.delete("ray")
        return {"adapt": time.monotonic() - started}

    def _listen(self) -> None:
        import ray

        while not self._closed.wait(0.5):
            try:
                events = ray.get(self._reports.take.remote())
            except Exception:  # Ray is being stopped
                return
            for event in events:
                self._progress.hear(event)
