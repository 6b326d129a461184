"""Stage 2 on Ray Train: the warm workers of a title, which adapt and cluster until nothing changes.

What is done is known from our own step markers alone. Ray Train is given no checkpoint and an empty folder each time,
so that it never resumes anything behind our back; what it must have a folder for stays on the driver's machine.
"""

from __future__ import annotations

import itertools
import os
import socket
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from vcn_ray.config import Options
from vcn_ray.errors import VcnError
from vcn_ray.execution.on_ray.failures import Blame, TitleError, blame, nodes_alive
from vcn_ray.pipeline.videoclusternet import Report, Stages
from vcn_ray.storage.store import Store

#: Times that a title's worker may die (crash, out of memory) before the title is given up.
MAX_WORKER_DEATHS = 2

#: Times that a machine under it may be lost or taken back. No fault of the title; a bound only on endless bad luck.
MAX_MACHINES_LOST = 30

#: Ray Train takes back its request for workers that long unanswered, and we put it again: new machines take minutes.
_START_TIMEOUT_S = 120

#: How often Ray Train looks after its workers; at its own 2 s a finished title waits a second and more to be noticed.
_LOOK_EVERY_S = 0.5

_LONGEST_PAUSE_S = 30.0

#: What Ray Train needs to see that a worker of a group has crashed; its peers know at once.
_PEER_SEEN_DEAD_S = 5.0


@dataclass(frozen=True)
class Resources:
    """What a title's adaptation asks Ray for."""

    workers: int = 1  # processes that share the title
    cpus: float = 1.0  # of each worker
    gpus: float = 0.0  # of each worker; 0: it runs on CPUs

    def __str__(self) -> str:
        """For messages: "2 workers of 1 CPU and 0.5 GPU"."""
        gpus = f" and {self.gpus:g} GPU" if self.gpus else ""
        return f"{self.workers} worker{'s' * (self.workers > 1)} of {self.cpus:g} CPU{gpus}"


class Trainer(Protocol):
    """Whoever runs a title's adaptation on Ray: `adapt_on_ray`, or what a test or simulation puts in its place."""

    def __call__(
        self,
        stages: Stages,
        title: str,
        slug: str,
        work: Store,
        options: Options,
        device: str,
        inputs_digest: str,
        resources: Resources,
        report_to: Any,
    ) -> None:
        """See `adapt_on_ray`."""


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
    slug: str,
    work: Store,
    options: Options,
    device: str,
    inputs_digest: str,
    resources: Resources,
    report_to: Any,
) -> None:
    """Adapt and cluster in Ray Train workers; blocks until it is over, also while Ray has no room. Raises `TitleError`.

    A death is answered by a run of its own, not by Ray Train: while a group starts up, it takes a worker's death for
    its controller's fault and gives up, and it tells nobody of a retry. Our step markers say where to go on.

    Args:
        stages: what to do.
        title: the title's id, for messages.
        slug: the title's id as a name, for the dashboard.
        work: the title's working store.
        options: all options; `threads_per_title` is the number of a worker's threads whatever `resources` say.
        device: "cpu" or "cuda".
        inputs_digest: what the title's results depend on; a part of the run's name.
        resources: what to ask Ray for.
        report_to: actor whose ``put`` hears of progress ({"title", "stage": "adapt", "iteration", ...}), of repetitions
            ({..., "retry": why}) and of what the user should know ({..., "say": sentence}).
    """
    # Ray Train reads these where it starts a run's controller.
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(_START_TIMEOUT_S))
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", str(_LOOK_EVERY_S))

    def tell(**event: Any) -> None:
        report_to.put.remote({"title": title, "stage": "adapt", **event})

    def adapt_title() -> None:
        _adapt_in_worker(stages, title, work, options, device, tell)

    name = f"{slug}-{inputs_digest}-{uuid.uuid4().hex[:6]}"  # a second run of a title is another line in the dashboard
    deaths = lost = unanswered = 0
    for attempt in itertools.count(1):
        nodes = nodes_alive()
        try:
            _fit(adapt_title, f"{name}-{attempt}", resources)
            return
        except Exception as error:
            match blame(error, nodes):
                case TitleError() as failure:
                    raise failure from error
                case Blame.NO_ROOM:
                    unanswered += 1
                    if unanswered == 1:
                        tell(say=f"no machine has had room for {resources} for {_START_TIMEOUT_S} s; still waiting")
                    continue
                case Blame.NEVER_ROOM:
                    raise TitleError(
                        f"{title}: this cluster never has {resources}, however far it grows; lower gpus_per_title or "
                        "workers_per_title, or allow it larger machines",
                        str(error),
                    ) from error
                case Blame.MACHINE:
                    lost += 1
                    if lost > MAX_MACHINES_LOST:
                        raise TitleError(
                            f"{title}: the machines that adapt it were lost {lost} times; what it has done is kept; "
                            "run the same command again on machines that stay longer",
                            str(error),
                        ) from error
                    tell(retry="its machine was lost or taken back; it goes on elsewhere from its last stored state")
                case Blame.WORKER:
                    deaths += 1
                    if deaths > MAX_WORKER_DEATHS:
                        raise TitleError(
                            f"{title}: the worker that adapts it died {deaths} times (crash or out of memory); the "
                            "rest of the season went on; free some memory, or try --set max_crops_per_track=6 (on a "
                            "GPU also --set batch_pairs=16), and run the same command again",
                            str(error),
                        ) from error
                    tell(retry="its worker died (crash or out of memory)")
        time.sleep(min(_LONGEST_PAUSE_S, 2.0 ** min(deaths + lost, 8)))


def _adapt_in_worker(
    stages: Stages, title: str, work: Store, options: Options, device: str, tell: Callable[..., None]
) -> None:
    """What each worker runs. Raises `TitleError` for what is wrong with the title; what Ray and peers raise goes on.

    Raising, not returning, also ends the other workers of the group, who would wait for this one.
    """
    import ray.train
    import ray.train.torch
    import torch
    from ray.exceptions import RayError

    from vcn_ray.adapt.workers import PeerLostError, Workers, in_process_group

    def leaving() -> bool:
        """Whether Ray has been told that a machine of this group will be drained."""
        return ray.train.get_preemption_info() is not None

    try:
        if ray.train.get_context().get_world_size() > 1:
            workers = in_process_group(leaving)
            if device == "cuda":
                device = str(ray.train.torch.get_device())
        else:
            workers = Workers(leaving=leaving)
        stages.adapt(work, options, device, options.run.threads_per_title, lambda event: tell(**event), workers=workers)
    except PeerLostError:
        time.sleep(_PEER_SEEN_DEAD_S)  # Ray ends this worker as soon as it sees the other one's end, and why
        raise
    except RayError:
        raise
    except VcnError as error:
        raise TitleError(str(error), "") from None
    except torch.cuda.OutOfMemoryError:
        raise TitleError(
            f"{title}: the GPU's memory is too small for it; try --set batch_pairs=16 or, where titles share a GPU, a "
            "larger gpus_per_title, and run the same command again",
            traceback.format_exc(),
        ) from None
    except Exception as error:
        raise TitleError(f"{title}: unexpected {type(error).__name__}: {error}", traceback.format_exc()) from None


def _fit(loop: Callable[[], None], name: str, resources: Resources) -> None:
    """One Ray Train run of a loop. Raises whatever ends it."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    asked = {"CPU": resources.cpus} | ({"GPU": resources.gpus} if resources.gpus else {})
    # Ray Train makes sure of its folder in the controller, which runs beside the driver; workers would use it for
    # checkpoints, of which there are none. So it needs neither a shared file system nor the results' object store.
    with tempfile.TemporaryDirectory(prefix="vcn_ray_train_", ignore_cleanup_errors=True) as folder:
        TorchTrainer(
            loop,
            torch_config=_torch_config(resources.workers),
            scaling_config=ScalingConfig(
                num_workers=resources.workers, use_gpu=resources.gpus > 0, resources_per_worker=asked
            ),
            run_config=cast(Any, RunConfig)(  # the stubs are of an older Ray Train
                name=name,
                storage_path=folder,
                worker_runtime_env=_worker_environment(resources.workers),
                failure_config=cast(Any, FailureConfig)(
                    max_failures=0, controller_failure_limit=0, max_preemption_failures=0
                ),
            ),
        ).fit()


def _torch_config(workers: int) -> Any:
    """`TorchConfig`, for a single worker without a process group: it has nobody to talk to.

    The group of several meets at the first one's address in the cluster and a free port there, as Ray does it: gloo or
    NCCL, and the store that they meet by, have no password and no encryption, and torch's store listens on all
    addresses of that machine while the group lives. Only tensors go through it and nothing is unpickled from it, but
    whoever reaches the port can spoil the numbers: keep the machines' network closed, as Ray itself asks for.
    """
    from ray.train.backend import Backend
    from ray.train.torch import TorchConfig

    class OneWorker(TorchConfig):
        @property
        def backend_cls(self) -> type[Backend]:
            return Backend

    return OneWorker() if workers == 1 else TorchConfig()


def _worker_environment(workers: int) -> dict[str, Any]:
    """Runtime environment of the workers: on a Ray that stays on this machine, gloo does, too."""
    import ray.util

    if workers == 1 or not ray.util.get_node_ip_address().startswith("127."):
        return {}
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    return {"env_vars": {"GLOO_SOCKET_IFNAME": loopback}}
