"""Stage 2 on Ray Train: what workers of a title run, which adapt and cluster until hardly anything changes.

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
from functools import partial
from typing import Any, TypeVar, cast

from vcn_ray.errors import VcnError
from vcn_ray.execution.base import AdaptationTask, TitleError
from vcn_ray.execution.on_ray.failures import NODE_WATCH, NodeWatch, failure_cause
from vcn_ray.execution.on_ray.retry_policy import GiveUp, Retry, RetryPolicy
from vcn_ray.execution.title_scheduler import Resources
from vcn_ray.pipeline.stages import Event, OnEvent

T = TypeVar("T")

#: Ray Train takes back its request for workers that long unanswered, and we put it again: new machines take minutes.
START_TIMEOUT_S = 120

#: How often Ray Train looks after its workers; at its own 2 s a finished title waits a second and more to be noticed.
_LOOK_EVERY_S = 0.5

#: What Ray Train needs to see that a worker of a group has crashed; its peers know at once.
_PEER_SEEN_DEAD_S = 5.0


def adapt_on_ray(
    adaptation: AdaptationTask,
    resources: Resources,
    event_actor: Any,
    *,
    fit: Callable[[Callable[[], object], str, Resources], None] | None = None,
    pause: Callable[[float], None] = time.sleep,
    nodes: NodeWatch = NODE_WATCH,
) -> None:
    """Adapt and cluster in a worker group of the title's own: for several workers; see `Trainer`.

    One worker alone is a `title_worker.TitleWorker`, which serves title after title. Several keep a group a title: they
    meet in a process group, which one that dies leaves broken for all.

    Args:
        adaptation: what to do.
        resources: what to ask Ray for.
        event_actor: told of progress and repetitions.
        fit: one Ray Train run of a loop, by its name, with these resources; raises whatever ends it. None: `fit_once`.
        pause: waits so many seconds before another try.
        nodes: tells a crash from a lost machine where the error does not.
    """
    # A second run of a title is another line in the dashboard.
    name = f"{adaptation.slug}-{adaptation.inputs_digest}-{uuid.uuid4().hex[:6]}"
    attempts = itertools.count(1)

    def attempt() -> None:
        loop = partial(adapt_in_worker, adaptation, event_actor)
        (fit or fit_once)(loop, f"{name}-{next(attempts)}", resources)

    def tell(event: Event) -> None:
        event_actor.put.remote({"title": adaptation.title, "stage": "adapt", **event})

    until_done(attempt, RetryPolicy(adaptation.title, resources, START_TIMEOUT_S), tell, pause=pause, nodes=nodes)


def until_done(
    attempt: Callable[[], T],
    policy: RetryPolicy,
    tell: OnEvent,
    *,
    pause: Callable[[float], None],
    nodes: NodeWatch,
) -> T:
    """What an attempt gives that is not ended by Ray; blocks, also while Ray has no room.

    A death is answered by another attempt, not by Ray Train: while a group starts up, it takes a worker's death for its
    controller's fault and gives up, and it tells nobody of a retry. Our step markers say where to go on.

    Raises:
        TitleError: the attempt's own, or that it is given up.
    """
    while True:
        alive_before = nodes.alive()
        try:
            return attempt()
        except Exception as error:
            cause = failure_cause(error, alive_before, nodes)
            if isinstance(cause, TitleError):
                raise cause from error
            match policy.after(cause):
                case GiveUp(sentence):
                    raise TitleError(sentence, str(error)) from error
                case Retry(event, pause_s):
                    if event is not None:
                        tell(event)
        pause(pause_s)


def adapt_in_worker(adaptation: AdaptationTask, event_actor: Any) -> dict[str, float]:
    """What each worker of a title runs; gives when it ``started`` and ``ended``, seconds since 1970.

    Raises `TitleError` for what is wrong with the title; what Ray and peers raise goes on. Raising, not returning, also
    ends the other workers of a group, who would wait for this one.
    """
    import ray.train
    import ray.train.torch
    import torch
    from ray.exceptions import RayError

    from vcn_ray.adapt.workers import PeerLostError, Workers, in_process_group

    title, options, device = adaptation.title, adaptation.options, adaptation.device
    started = time.time()

    def tell(event: Event) -> None:
        event_actor.put.remote({"title": title, "stage": "adapt", **event})

    try:
        if ray.train.get_context().get_world_size() > 1:
            workers = in_process_group(machine_is_leaving)
            if device == "cuda":
                device = str(ray.train.torch.get_device())
        else:
            workers = Workers(leaving=machine_is_leaving)
        adaptation.stages.adapt(adaptation.work, options, device, options.run.threads_per_title, tell, workers=workers)
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
    return {"started": started, "ended": time.time()}


def machine_is_leaving() -> bool:
    """Whether Ray has been told that a machine of this worker's group will be drained; asked in a worker."""
    import ray.train

    return ray.train.get_preemption_info() is not None


def fit_once(loop: Callable[[], object], name: str, resources: Resources) -> None:
    """One Ray Train run of a loop. Raises whatever ends it."""
    # Ray Train reads these where it starts a run's controller.
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(START_TIMEOUT_S))
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", str(_LOOK_EVERY_S))
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    asked = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": resources.memory_bytes}
    # Ray Train makes sure of its folder in the controller, which runs beside the driver; workers would use it for
    # checkpoints, of which there are none. So it needs neither a shared file system nor the results' object store.
    with tempfile.TemporaryDirectory(prefix="vcn_ray_train_", ignore_cleanup_errors=True) as folder:
        TorchTrainer(
            cast(Callable[[], None], loop),
            torch_config=_torch_config(resources.workers),
            scaling_config=ScalingConfig(
                num_workers=resources.workers,
                use_gpu=resources.gpus > 0,
                resources_per_worker={name: amount for name, amount in asked.items() if amount},
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
