"""Why a Ray Train run has ended before its title was done: the title's fault, its worker's, or the machine's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from vcn_ray.execution.base import TitleError

#: How long Ray may take to see that a machine is gone: its health checks fail five times in a row, 3 s apart.
_SEEN_DEAD_S = 40.0


class FailureCause(Enum):
    """What ended a run other than the title's own error."""

    WORKER = auto()  # it crashed, or was killed for its memory
    MACHINE = auto()  # it was lost or taken back
    NO_ROOM = auto()  # there is no room for the workers now
    NEVER_ROOM = auto()  # there cannot be, as large as the cluster may grow


@dataclass(frozen=True)
class NodeWatch:
    """Tells which machines have gone.

    Args:
        alive: gives the ids of the cluster's nodes that Ray takes for alive.
        seen_dead_s: how long Ray may take to see that a machine is gone.
    """

    alive: Callable[[], set[str]]
    seen_dead_s: float = _SEEN_DEAD_S

    def lost_since(self, before: set[str]) -> bool:
        """Whether one of these nodes is dead, or is within the time that Ray takes to notice."""
        until = time.monotonic() + self.seen_dead_s
        while not (before - self.alive()):
            if time.monotonic() > until:
                return False
            time.sleep(1.0)
        return True


def _nodes_alive() -> set[str]:
    import ray

    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


#: Of the Ray in use.
NODE_WATCH = NodeWatch(_nodes_alive)


def failure_cause(error: Exception, alive_before: set[str], nodes: NodeWatch = NODE_WATCH) -> FailureCause | TitleError:
    """What ended a run, from the error of `TorchTrainer.fit`; other errors than Ray's come back by being raised.

    alive_before: the nodes that were alive when the run began. Where the error alone does not tell a crash from a lost
    machine, this waits until Ray would have noticed the latter.
    """
    from ray.exceptions import RayActorError
    from ray.train import ControllerError, TrainingFailedError
    from ray.train.v2._internal.exceptions import InsufficientClusterResourcesError, WorkerGroupStartupTimeoutError
    from ray.train.v2.api.exceptions import PreemptionError

    if not isinstance(error, (TrainingFailedError, RayActorError)):
        raise error
    if isinstance(error, PreemptionError):
        return FailureCause.MACHINE
    if isinstance(error, ControllerError):
        if isinstance(error.controller_failure, WorkerGroupStartupTimeoutError):
            return FailureCause.NO_ROOM
        if isinstance(error.controller_failure, InsufficientClusterResourcesError):
            return FailureCause.NEVER_ROOM
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, TitleError):
            return cause
    if any(isinstance(cause, RayActorError) and _on_lost_machine(cause) for cause in causes):
        return FailureCause.MACHINE
    if any("worker process has died" in str(cause) for cause in causes):
        return FailureCause.WORKER
    # A worker that does not answer, or whose peer does not: Ray hears of a lost machine later than its workers do.
    return FailureCause.MACHINE if nodes.lost_since(alive_before) else FailureCause.WORKER


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What workers or the controller ended by, out of Ray Train's wrappers; those of a loop's error have no name."""
    from ray.train import ControllerError, WorkerGroupError

    if isinstance(error, WorkerGroupError):
        for failure in error.worker_failures.values():
            inner = getattr(failure, "health_check_failure", None) or getattr(failure, "_base_exc", None)
            yield failure if inner is None else inner
    elif isinstance(error, ControllerError):
        yield error.controller_failure
    else:
        yield error


def _on_lost_machine(error: BaseException) -> bool:
    return bool(getattr(error, "preempted", False)) or "its node has died" in str(error)
