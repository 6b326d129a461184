"""Why a Ray Train run has ended before its title was done: the title's fault, its worker's, or the machine's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import Enum, auto

#: How long Ray may take to see that a machine is gone: its health checks fail five times in a row, 3 s apart.
_SEEN_DEAD_S = 40.0


class TitleError(Exception):
    """A title's work failed in a worker: one sentence, and the traceback where it is no fault of the user."""

    def __init__(self, sentence: str, trace: str):
        super().__init__(sentence)
        self.trace = trace

    def __reduce__(self) -> tuple[type[TitleError], tuple[str, str]]:
        """It comes from another process."""
        return TitleError, (str(self), self.trace)


class Blame(Enum):
    """What ended a run other than the title's own error."""

    WORKER = auto()  # it crashed, or was killed for its memory
    MACHINE = auto()  # it was lost or taken back
    NO_ROOM = auto()  # there is no room for the workers now
    NEVER_ROOM = auto()  # there cannot be, as large as the cluster may grow


def nodes_alive() -> set[str]:
    """Ids of the cluster's nodes."""
    import ray

    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def blame(error: Exception, nodes: set[str]) -> Blame | TitleError:
    """What ended a run, from the error of `TorchTrainer.fit`; other errors than Ray's come back by being raised.

    nodes: the nodes that were alive when the run began. Where the error alone does not tell a crash from a lost
    machine, this waits until Ray would have noticed the latter.
    """
    from ray.exceptions import RayActorError
    from ray.train import ControllerError, TrainingFailedError
    from ray.train.v2._internal.exceptions import InsufficientClusterResourcesError, WorkerGroupStartupTimeoutError
    from ray.train.v2.api.exceptions import PreemptionError

    if not isinstance(error, (TrainingFailedError, RayActorError)):
        raise error
    if isinstance(error, PreemptionError):
        return Blame.MACHINE
    if isinstance(error, ControllerError):
        if isinstance(error.controller_failure, WorkerGroupStartupTimeoutError):
            return Blame.NO_ROOM
        if isinstance(error.controller_failure, InsufficientClusterResourcesError):
            return Blame.NEVER_ROOM
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, TitleError):
            return cause
    if any(isinstance(cause, RayActorError) and _on_lost_machine(cause) for cause in causes):
        return Blame.MACHINE
    if any("worker process has died" in str(cause) for cause in causes):
        return Blame.WORKER
    # A worker that does not answer, or whose peer does not: Ray hears of a lost machine later than its workers do.
    return Blame.MACHINE if _lost_since(nodes) else Blame.WORKER


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


def _lost_since(nodes: set[str]) -> bool:
    """Whether one of these nodes is dead, or is within the time that Ray takes to notice."""
    until = time.monotonic() + _SEEN_DEAD_S
    while not (nodes - nodes_alive()):
        if time.monotonic() > until:
            return False
        time.sleep(1.0)
    return True
