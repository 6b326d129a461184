"""What a title's worker asks Ray for, by the title and the machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vcn_ray.config import Options
from vcn_ray.execution.base import RunContext
from vcn_ray.execution.on_ray.gpu_share import gpu_share
from vcn_ray.execution.on_ray.session import Cluster
from vcn_ray.pipeline.memory import CROPS_PER_MINUTE, TRACKS_PER_MINUTE, memory_class


class WorkerNeeds:
    """The needs of a run's workers.

    Args:
        run: what the run is.
        cluster: gives the cluster as it is now: machines come and go.
    """

    def __init__(self, run: RunContext, cluster: Callable[[], Cluster]):
        self._run, self._cluster = run, cluster

    def gpus(self) -> float:
        """Share of a GPU for each worker of a title, the same for all titles; 0 where they adapt on CPUs.

        All of one where no GPU is there yet: what a title's request then starts may be of any kind.
        """
        options, stages = self._run.options, self._run.tasks.stages
        if self._run.device != "cuda":
            return 0.0
        if options.gpus_per_title != "auto":
            return options.gpus_per_title
        if options.workers_per_title > 1:  # NCCL refuses two workers of a group on one GPU
            return 1.0
        needed = [stages.gpu_memory_bytes(of_title) for of_title in self._run.tasks.options.values()]
        known = [needed_bytes for needed_bytes in needed if needed_bytes is not None]
        return gpu_share(max(known) if known and len(known) == len(needed) else None, self._cluster().gpu_memory_bytes)

    def memory_bytes(self, minutes: float, options: Options, counts: Mapping[str, int] | None = None) -> int:
        """Of a worker for a title so long; no more than some machine has that it may run on, or it would never come.

        Rounded to a `memory_class` where there is such a machine; else, what is started for it may have no more than
        is needed.

        counts: of its tracks and crops, where it is only to adapt the title. None: they are not known yet, and it
        joins, embeds and writes the title, too.
        """
        stages = self._run.tasks.stages
        if counts is not None:
            needed = stages.adapt_memory_bytes(counts.get("tracks", 0), counts.get("crops", 0), options)
        else:
            of_minutes = TRACKS_PER_MINUTE * minutes, CROPS_PER_MINUTE * minutes
            adapt_bytes = stages.adapt_memory_bytes(*of_minutes, options)
            needed = max(adapt_bytes, stages.views_memory_bytes, stages.title_memory_bytes(minutes))
        now = self._cluster()
        most = now.memory_bytes_beside_gpu if self._run.device == "cuda" else now.memory_bytes
        return needed if most is None else min(memory_class(needed), most)
