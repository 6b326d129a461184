"""Stages that sleep instead of working, each piece as long as the plan says."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobs.benchmarks.simulation.schedule import TitleSeconds
from vcn_ray.config import Options
from vcn_ray.execution.base import AdaptationTask
from vcn_ray.execution.title_scheduler import Resources
from vcn_ray.pipeline.stages import Event, OnEvent, ShardTask, Stages
from vcn_ray.storage.store import Store

_MEMORY_BYTES = 1_000_000  # that a task asks for


@dataclass(frozen=True)
class SleepingVideo:
    """A video of one frame a shard, known from its file's name (``title-0007.mp4``) alone."""

    path: str
    name: str
    frames: int
    warnings: tuple[str, ...] = ()
    start_timecode: str | None = None
    audio_channels: int | None = None

    @property
    def duration_s(self) -> float:
        """One frame, one second."""
        return float(self.frames)

    @property
    def fps(self) -> float:
        """One frame, one second."""
        return 1.0

    @property
    def fingerprint(self) -> str:
        """What stands for the content."""
        return Path(self.path).stem

    def time_s(self, frame: int) -> float:
        """One frame, one second."""
        return float(frame)

    def to_json(self) -> dict[str, Any]:
        """For `SleepingStages.load_info`."""
        return asdict(self)


@dataclass(frozen=True)
class SleepingShard:
    """A shard: one frame."""

    first_frame: int
    end_frame: int


class SleepingStages(Stages):
    """Sleeps through the work; every piece leaves a line in the file of events: kind, title, start, end (Unix seconds).

    The events are kept apart from what the driver tells, so that it is not judged by its own words. `sleep_on_ray` runs
    adaptations in the place of Ray Train.
    """

    views_memory_bytes = _MEMORY_BYTES

    def title_memory_bytes(self, minutes: float) -> int:
        """As little as anything."""
        return _MEMORY_BYTES

    def __init__(self, work: Sequence[TitleSeconds], events: Path):
        self._work = {title_name(number): title for number, title in enumerate(work)}
        self._events = str(events)

    def _sleep(self, kind: str, title: str, seconds: float) -> None:
        started = time.time()
        time.sleep(seconds)
        self._note(kind, title, started)

    def _note(self, kind: str, title: str, started: float) -> None:
        line = json.dumps({"kind": kind, "title": title, "start": started, "end": time.time()}) + "\n"
        descriptor = os.open(self._events, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())  # one write: lines of several processes do not mix
        finally:
            os.close(descriptor)

    def check(self, options: Options) -> None:
        """Nothing is needed."""

    def probe(self, path: str) -> Any:
        """From the file's name."""
        return SleepingVideo(path, Path(path).name, len(self._work[Path(path).stem].shards))

    def load_info(self, content: dict[str, Any]) -> Any:
        """The inverse of `to_json`."""
        return SleepingVideo(**content | {"warnings": tuple(content["warnings"])})

    def shards(self, info: Any, window_s: float) -> Any:
        """One a frame, whatever the window."""
        return [SleepingShard(frame, frame + 1) for frame in range(info.frames)]

    def shard_memory_bytes(self, info: Any, options: Options) -> int:
        """Next to nothing: memory is not to hold back CPUs that are not there."""
        return _MEMORY_BYTES

    def extract(
        self,
        store: Store,
        task: ShardTask,
        info: Any,
        options: Options,
        on_frames: Callable[[int], None],
    ) -> dict[str, Any]:
        """Sleep as long as the shard takes."""
        title = Path(info.path).stem
        self._sleep("tracks", title, self._work[title].shards[task.first_frame])
        on_frames(task.end_frame - task.first_frame)
        return {"frames": task.end_frame - task.first_frame}

    def assemble(self, store: Store, videos: Sequence[tuple[Any, Sequence[str]]], options: Options) -> dict[str, Any]:
        """Nothing to join; a title has faces."""
        return {"faces": 1, "tracks": 1, "crops": 1}

    def view_chunks(self, store: Store, options: Options, device: str) -> list[str]:
        """As many as the plan has."""
        title = self._title(store)
        keys = [f"views/{number:04d}" for number in range(len(self._work[title].views))]
        return [key for key in keys if not store.exists(f"{key}.json")]

    def views_left(self, store: Store, options: Options, device: str) -> tuple[int, int]:
        """By what has been slept through."""
        return len(self.view_chunks(store, options, device)), len(self._work[self._title(store)].views)

    def is_adapted(self, store: Store, options: Options, device: str) -> bool:
        """Never known: nothing is kept."""
        return False

    def embed_views(self, store: Store, options: Options, key: str) -> dict[str, Any]:
        """Sleep as long as the chunk takes."""
        title = self._title(store)
        self._sleep("views", title, self._work[title].views[int(key.rpartition("/")[2])])
        store.write_json(f"{key}.json", {})
        return {"crops": 1}

    def adapt(
        self, store: Store, options: Options, device: str, threads: int, on_event: OnEvent, workers: Any = None
    ) -> None:
        """Sleep as long as the title's adaptation takes, telling of one epoch."""
        title = self._title(store)
        on_event({"iteration": 1, "epoch": 0, "loss": 0.5})
        self._sleep("adapt", title, self._work[title].adapt)
        on_event({"iteration": 1, "clusters": 1})

    def finish(
        self,
        store: Store,
        results: Store,
        options: Options,
        title: str,
        infos: Sequence[Any],
        seconds: Mapping[str, float],
    ) -> dict[str, int]:
        """Note the time; the title is finished."""
        self._note("finished", title, time.time())
        return {"tracks": 1, "unknown": 0, "characters": 1}

    def finish_season(
        self, out: Store, slugs: Sequence[str], options: Options, errors: Sequence[Mapping[str, Any]], seconds: float
    ) -> list[str]:
        """Nothing to write."""
        return []

    def _title(self, work: Store) -> str:
        """The title whose working store this is: ``.../titles/TITLE/work``."""
        return work.url.replace("\\", "/").rstrip("/").split("/")[-2]


def title_name(number: int) -> str:
    """Id, folder and file stem of a title."""
    return f"title-{number:04d}"


def sleep_on_ray(adaptation: AdaptationTask, resources: Resources, event_actor: Any) -> None:
    """A `Trainer`: one task that holds the title's resources and runs `SleepingStages.adapt`, without Ray Train.

    No actor: each would start a process of its own, and the CPU second that takes, which machines with these CPUs would
    have to spare, this one has not. What a real worker group costs, ``python -m jobs.benchmarks group`` tells.
    """
    import ray

    def tell(event: Event) -> None:
        event_actor.put.remote({"title": adaptation.title, "stage": "adapt", **event})

    def adapt() -> None:
        adaptation.stages.adapt(adaptation.work, adaptation.options, adaptation.device, 1, tell)

    task = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_calls=0)(adapt)
    ray.get(task.options(name=f"adapt {adaptation.slug}").remote())
