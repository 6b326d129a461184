"""Numbers of a run for Prometheus: how fast it is, where its titles are, what goes wrong.

Each machine's Ray tells them at its own address, beside Ray's numbers on the machine; `docs/watching.md` says how to
read them. The names are listed once, here; the Grafana board and the docs are checked against that list.

A title is a label only of what is told while it adapts. Ray forgets a gauge that is not set again within 20 to 30
seconds but keeps a counter as long as its process lives: a season of 200 titles leaves no 200 series behind. The label
is the name of the title's folder, since Ray takes labels in ASCII alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vcn_ray.execution.on_ray.session import ray_if_up
from vcn_ray.inputs.titles import slug
from vcn_ray.monitoring.monitor import STATES, NullMonitor

_log = logging.getLogger(__name__)

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metric:
    """A number that is told. Prometheus sees ``ray_NAME``, of a counter ``ray_NAME_total``."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    tags: tuple[str, ...] = ()  # besides "run", the first eight digits of the run's id

    @property
    def exported(self) -> tuple[str, ...]:
        """Names that Prometheus sees."""
        match self.kind:
            case "counter":
                return (f"ray_{self.name}_total",)
            case "histogram":
                return tuple(f"ray_{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (f"ray_{self.name}",)


TITLES = Metric("vcn_titles", "gauge", "titles", "titles in each state, `waiting` being the queue", ("state",))
FRAMES_PLANNED = Metric("vcn_frames_planned", "gauge", "frames", "frames of the titles whose tracks this run finds")
FRAMES_DONE = Metric("vcn_frames_done", "gauge", "frames", "of those, the frames that are done, by earlier runs, too")
FRAMES_DECODED = Metric("vcn_frames_decoded", "counter", "frames", "frames decoded, those around a shard, too")
FRAMES_DETECTED = Metric("vcn_frames_detected", "counter", "frames", "frames in which faces were looked for")
VIDEO_BYTES = Metric("vcn_video_read", "counter", "bytes", "compressed video that was read and decoded")
SHARDS = Metric("vcn_shards_done", "counter", "shards", "shards of video whose tracks have been found")
FACES = Metric("vcn_faces", "counter", "faces", "faces found, those between detected frames, too")
TRACKS = Metric("vcn_tracks", "counter", "tracks", "tracks found, before pieces of one long take are joined")
CROPS = Metric("vcn_crops", "counter", "crops", "crops taken from tracks")
VIEW_CROPS = Metric("vcn_view_crops", "counter", "crops", "crops whose views have been embedded")
LOSS = Metric("vcn_adaptation_loss", "gauge", "1", "mean loss of a title's last epoch", ("title",))
ITERATION = Metric("vcn_adaptation_iteration", "gauge", "1", "iteration that a title is in, from 1", ("title",))
EPOCH = Metric("vcn_adaptation_epoch", "gauge", "1", "last epoch done of that iteration, from 1", ("title",))
EPOCHS = Metric("vcn_epochs", "counter", "epochs", "epochs of adaptation done")
STEP_SECONDS = Metric(
    "vcn_step_seconds",
    "histogram",
    "seconds",
    "how long a shard, joining a title, a chunk of views, its adaptation, its results took",
    ("stage",),
)
CPU_SECONDS = Metric("vcn_cpu_seconds", "counter", "seconds", "CPU time reserved by finished work", ("stage",))
GPU_SECONDS = Metric("vcn_gpu_seconds", "counter", "seconds", "GPU time reserved by finished adaptations", ("stage",))
RETRIES = Metric("vcn_retries", "counter", "retries", "work done again, its worker or machine having died", ("stage",))
FAILURES = Metric("vcn_failures", "counter", "titles", "titles that failed", ("stage",))

#: All numbers that a run tells.
METRICS = (
    TITLES,
    FRAMES_PLANNED,
    FRAMES_DONE,
    FRAMES_DECODED,
    FRAMES_DETECTED,
    VIDEO_BYTES,
    SHARDS,
    FACES,
    TRACKS,
    CROPS,
    VIEW_CROPS,
    LOSS,
    ITERATION,
    EPOCH,
    EPOCHS,
    STEP_SECONDS,
    CPU_SECONDS,
    GPU_SECONDS,
    RETRIES,
    FAILURES,
)

_STEP_BOUNDS_S = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0]
_OF_SHARD = {
    "frames_decoded": FRAMES_DECODED,
    "frames_detected": FRAMES_DETECTED,
    "bytes_read": VIDEO_BYTES,
    "faces": FACES,
    "tracks": TRACKS,
    "crops": CROPS,
}
_KEPT_S = 60.0  # a title's loss stays after its adaptation: a scrape that comes every half minute sees it
_LAST_TELL_S = 10.0  # that the end of a run waits for a Ray that does not answer
_MOST_WAITING = 10_000  # times of steps that wait for Ray to start


class Metrics(NullMonitor):
    """Tells Ray the run's numbers, from a thread of its own every few seconds; nothing while no Ray is up.

    What goes wrong with that is logged once and is no reason to stop a run. A counter begins to be there with its first
    event, for Ray knows no counter at 0.
    """

    def __init__(
        self,
        run_id: str,
        every_s: float = 5.0,
        kept_s: float = _KEPT_S,
        export: Callable[[Metric], Any] | None = None,
    ):
        """Begin to tell.

        Args:
            run_id: of the run.
            every_s: how often.
            kept_s: a title's loss stays so long after its adaptation.
            export: gives Ray's counterpart of a metric; None: `ray.util.metrics`.
        """
        self._run = run_id[:8]
        self._every_s, self._kept_s, self._export = every_s, kept_s, export or _export
        self._counts: defaultdict[tuple[Metric, Tags], float] = defaultdict(float)  # since they were last told
        self._times: deque[tuple[str, float]] = deque(maxlen=_MOST_WAITING)  # (stage, seconds of a step)
        self._states: dict[str, str] = {}
        self._frames: dict[str, tuple[int, int]] = {}  # of each title: done, all
        self._adapting: dict[str, tuple[int, int, float]] = {}  # iteration, epoch, loss
        self._left: dict[str, float] = {}  # when titles left adaptation
        self._lock = threading.Lock()
        self._exported: dict[Metric, Any] = {}
        self._broken = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_telling, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell what has not been told yet, and stop; to be called while Ray is still up."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join(_LAST_TELL_S)

    def start(self, title: str, stage: str, total: int, unit: str, done: int = 0) -> None:
        """Keep how many frames a title has."""
        if stage == "tracks":
            with self._lock:
                self._frames[title] = done, total

    def update(self, title: str, stage: str, done: int, total: int | None = None, note: str = "") -> None:
        """Keep how many of a title's frames are done."""
        if stage == "tracks":
            with self._lock:
                self._frames[title] = done, total or self._frames.get(title, (0, done))[1]

    def moved(self, title: str, state: str) -> None:
        """Keep the title's state; its loss goes a minute after it has left adaptation."""
        with self._lock:
            self._states[title] = state
            if state == "adapt":
                self._left.pop(title, None)
            elif title in self._adapting:
                self._left.setdefault(title, time.monotonic())

    def landed(self, title: str, stage: str, step: str, stats: Mapping[str, Any]) -> None:
        """Count what was done and how long it took."""
        seconds = float(stats.get("ended", 0.0)) - float(stats.get("started", 0.0))
        of_stage = (("stage", stage),)
        with self._lock:
            self._times.append((stage, seconds))
            self._counts[CPU_SECONDS, of_stage] += seconds * stats.get("cpus", 1)
            self._counts[GPU_SECONDS, of_stage] += seconds * stats.get("gpus", 0)
            if stage == "tracks":
                self._counts[SHARDS, ()] += 1
                for name, metric in _OF_SHARD.items():
                    self._counts[metric, ()] += stats.get(name, 0)
            elif stage == "views":
                self._counts[VIEW_CROPS, ()] += stats.get("crops", 0)

    def epoch(self, title: str, iteration: int, epoch: int, loss: float) -> None:
        """Keep how far a title's adaptation is. `epoch` counts from 0."""
        with self._lock:
            self._adapting[title] = iteration, epoch + 1, loss
            self._counts[EPOCHS, ()] += 1

    def retried(self, title: str, stage: str, why: str) -> None:
        """Count it."""
        with self._lock:
            self._counts[RETRIES, (("stage", stage),)] += 1

    def failed(self, title: str, stage: str, sentence: str) -> None:
        """Count it; what the title still lacked is no longer planned."""
        with self._lock:
            self._counts[FAILURES, (("stage", stage),)] += 1
            if title in self._frames:
                self._frames[title] = (self._frames[title][0],) * 2

    def _keep_telling(self) -> None:
        while not self._over.wait(self._every_s):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        if self._broken or ray_if_up() is None:
            return
        try:
            if not self._exported:
                self._exported = {metric: self._export(metric) for metric in METRICS}
            with self._lock:
                counts, self._counts = self._counts, defaultdict(float)
                times, self._times = self._times, deque(maxlen=_MOST_WAITING)
                gauges = self._gauges()
            for (metric, tags), count in counts.items():
                if count > 0:  # Ray refuses to add nothing
                    self._exported[metric].inc(count, self._tags(tags))
            for stage, seconds in times:
                self._exported[STEP_SECONDS].observe(seconds, self._tags((("stage", stage),)))
            for (metric, tags), value in gauges.items():
                self._exported[metric].set(value, self._tags(tags))
        except Exception:
            self._broken = True
            _log.warning("the run goes on without metrics", exc_info=True)

    def _tags(self, tags: Tags) -> dict[str, str]:
        return {"run": self._run, **dict(tags)}

    def _gauges(self) -> dict[tuple[Metric, Tags], float]:
        """All gauges as they stand; with the lock held."""
        for title in [title for title, when in self._left.items() if time.monotonic() - when > self._kept_s]:
            del self._left[title], self._adapting[title]
        states = Counter(self._states.values())
        gauges: dict[tuple[Metric, Tags], float] = {(TITLES, (("state", state),)): states[state] for state in STATES}
        gauges[FRAMES_DONE, ()] = sum(done for done, _ in self._frames.values())
        gauges[FRAMES_PLANNED, ()] = sum(planned for _, planned in self._frames.values())
        for title, (iteration, epoch, loss) in self._adapting.items():
            of_title = (("title", slug(title)),)
            gauges |= {(ITERATION, of_title): iteration, (EPOCH, of_title): epoch, (LOSS, of_title): loss}
        return gauges


def _export(metric: Metric) -> Any:
    """The metric as Ray has it; the connected Ray's, so one for each run."""
    from ray.util import metrics

    text, tags = f"{metric.meaning} ({metric.unit})", ("run", *metric.tags)
    match metric.kind:
        case "counter":
            return metrics.Counter(metric.name, text, tags)
        case "gauge":
            return metrics.Gauge(metric.name, text, tags)
    return metrics.Histogram(metric.name, text, _STEP_BOUNDS_S, tags)
