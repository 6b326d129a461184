"""Stage 2 on Ray Train: one warm worker a title, which adapts and clusters until nothing changes.

What is done is known from our own step markers alone. A run's name bears the digest of its inputs and a number of
its own, so that Ray Train never takes an earlier run for this one and resumes it behind our back.
"""

from __future__ import annotations

import itertools
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from vcn_ray.config import Options
from vcn_ray.errors import VcnError
from vcn_ray.season.stages import Report, Stages
from vcn_ray.storage import Store

#: Times that a title's worker may die (out of memory, lost machine) before the title is given up.
MAX_WORKER_DEATHS = 2


class TitleError(Exception):
    """A title's work failed in a worker: one sentence, and the traceback where it is no fault of the user."""

    def __init__(self, sentence: str, trace: str):
        super().__init__(sentence)
        self.trace = trace


class Slots:
    """Which titles may have a worker now, and with how many CPUs.

    While anything is being extracted, half of the CPUs stay with extraction and a title gets one; on a single CPU it
    waits. A worker that asked for more would wait for the end of extraction and slow it down meanwhile. When nothing is
    left to extract, a title gets `cpus_per_title`: as many as it has threads, and no more than one machine has.
    """

    def __init__(self, cpus: int, gpus: int | None, cpus_per_title: int, *, extracting: bool):
        self._cpus, self._gpus, self._per_title = cpus, gpus, cpus_per_title
        self._extracting = extracting
        self._used = self._titles = 0
        self._changed = threading.Condition()

    def extraction_over(self) -> None:
        """From now on all CPUs are for titles."""
        with self._changed:
            self._extracting = False
            self._changed.notify_all()

    @contextmanager
    def take(self, gave_up: threading.Event) -> Iterator[int]:
        """Wait for a slot; gives the number of CPUs to ask for. Raises `InterruptedError` when the run is given up."""
        with self._changed:
            while not gave_up.is_set():
                wanted = 1 if self._extracting else min(self._per_title, self._cpus)
                limit = self._cpus // 2 if self._extracting else self._cpus
                gpu_free = self._gpus is None or self._titles < self._gpus
                if self._used + wanted <= limit and gpu_free:
                    break
                self._changed.wait(timeout=0.5)
            else:
                raise InterruptedError
            self._used += wanted
            self._titles += 1
        try:
            yield wanted
        finally:
            with self._changed:
                self._used -= wanted
                self._titles -= 1
                self._changed.notify_all()


def adapt_here(stages: Stages, work: Store, options: Options, device: str, report: Report) -> None:
    """Adapt and cluster in this process, by Ray Train's local mode; no Ray is started."""
    from ray.train import ScalingConfig
    from ray.train.torch import TorchTrainer

    def loop() -> None:
        stages.adapt(work, options, device, options.run.threads_per_title, report)

    TorchTrainer(loop, scaling_config=ScalingConfig(num_workers=0)).fit()


def adapt_on_ray(
    stages: Stages,
    title: str,
    work: Store,
    options: Options,
    device: str,
    inputs_digest: str,
    cpus: int,
    report_to: Any,
) -> None:
    """Adapt and cluster in a Ray Train worker; blocks until it is over. Raises `TitleError`.

    Args:
        stages: what to do.
        title: the title's id, for messages.
        work: the title's working store.
        options: all options; its `threads_per_title` is the number of threads whatever `cpus` says.
        device: "cpu" or "cuda".
        inputs_digest: what the title's results depend on; a part of the run's name.
        cpus: CPUs that the worker asks Ray for.
        report_to: `Reports` actor that hears of progress.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer

    slug = work.root.parent.name

    def adapt_title() -> dict[str, str]:
        def report(event: dict[str, Any]) -> None:
            report_to.put.remote({"title": title, "stage": "adapt", **event})

        try:
            stages.adapt(work, options, device, options.run.threads_per_title, report)
        except VcnError as error:
            return {"error": str(error), "traceback": ""}
        except Exception as error:
            return {
                "error": f"{title}: unexpected {type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        return {"error": "", "traceback": ""}

    storage = work.child("ray")
    number = next(n for n in itertools.count(1) if not storage.path(f"{slug}-{inputs_digest}-{n}").exists())
    # A death is answered by a run of its own, not by Ray Train: while a group starts up, it takes a worker's death for
    # its controller's fault and gives up. Our step markers say where to go on.
    for attempt in range(MAX_WORKER_DEATHS + 1):
        trainer = TorchTrainer(
            cast(Any, adapt_title),  # what it returns comes back in the result
            torch_config=_one_worker(),
            scaling_config=ScalingConfig(num_workers=1, use_gpu=device == "cuda", resources_per_worker={"CPU": cpus}),
            run_config=RunConfig(
                name=f"{slug}-{inputs_digest}-{number + attempt}",
                storage_path=str(storage.root),
                failure_config=FailureConfig(max_failures=0),
            ),
        )
        try:
            outcome = cast(Any, trainer.fit()).return_value
            break
        except TrainingFailedError as error:
            if attempt == MAX_WORKER_DEATHS:
                raise TitleError(
                    f"{title}: the worker that adapts it died {MAX_WORKER_DEATHS + 1} times (crash or out of memory); "
                    "the rest of the season went on; free some memory, or try --set max_crops_per_track=6 (on a GPU "
                    "also --set batch_pairs=16), and run the same command again",
                    str(error),
                ) from error
    if outcome["error"]:
        raise TitleError(outcome["error"], outcome["traceback"])


def _one_worker() -> Any:
    """`TorchConfig` without a process group: one worker has nobody to talk to, and its store would listen to all."""
    from ray.train.backend import Backend
    from ray.train.torch import TorchConfig

    class OneWorker(TorchConfig):
        @property
        def backend_cls(self) -> type[Backend]:
            return Backend

    return OneWorker()


def make_reports() -> Any:
    """An actor without CPUs that workers tell how far they are, and the driver asks."""
    import ray

    class Reports:
        """Keeps what was reported until the driver takes it."""

        def __init__(self) -> None:
            self._events: list[dict[str, Any]] = []

        def put(self, event: dict[str, Any]) -> None:
            self._events.append(event)

        def take(self) -> list[dict[str, Any]]:
            events, self._events = self._events, []
            return events

    return ray.remote(num_cpus=0)(Reports).remote()
