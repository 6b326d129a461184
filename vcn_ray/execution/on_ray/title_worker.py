"""The warm worker of a title, for the time of its turn: does its jobs one after the other, whatever ends a group."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from vcn_ray.execution.attempts import attempt
from vcn_ray.execution.base import AdaptationTask, TitleError
from vcn_ray.execution.on_ray.datasets import where_is_this
from vcn_ray.execution.on_ray.failures import NODE_WATCH, NodeWatch
from vcn_ray.execution.on_ray.retry_policy import RetryPolicy
from vcn_ray.execution.on_ray.title_desk import Job, Outcome, serve_titles
from vcn_ray.execution.on_ray.train import START_TIMEOUT_S, adapt_in_worker, fit_once, machine_is_leaving, until_done
from vcn_ray.execution.on_ray.warm_groups import Group, NotTakenError, WarmGroups
from vcn_ray.execution.title_scheduler import Resources
from vcn_ray.pipeline.stages import Event
from vcn_ray.pipeline.tasks import TaskRow

#: How long a group without a title is kept, at least and at most; on a GPU always the longest, for CUDA's context.
_KEPT_LEAST_S, _KEPT_MOST_S = 5.0, 60.0

#: A desk that does not answer for so long will not: the driver is gone.
_DESK_GONE_S = 120.0


class TitleWorker:
    """Does a title's jobs in a warm group, or, where that ends, in another.

    Args:
        groups: where a group comes from.
        title: its id, for messages.
        resources: what to ask Ray for.
        event_actor: told of progress and repetitions.
        pause: waits so many seconds before another try.
        nodes: tells a crash from a lost machine where the error does not.
    """

    def __init__(
        self,
        groups: WarmGroups,
        title: str,
        resources: Resources,
        event_actor: Any,
        *,
        pause: Callable[[float], None] = time.sleep,
        nodes: NodeWatch = NODE_WATCH,
    ):
        self._groups, self._title, self._resources, self._events = groups, title, resources, event_actor
        self._pause, self._nodes = pause, nodes
        self._group: Group | None = None

    def adapt(self, adaptation: AdaptationTask) -> dict[str, float]:
        """Adapt and cluster the title; gives what `adapt_in_worker` does, and the worker's ``cpus``.

        Raises `TitleError`.
        """
        events = self._events
        times = self._done(lambda: adapt_in_worker(adaptation, events), lambda event: self._tell(event))
        return times | {"cpus": self.cpus}

    @property
    def cpus(self) -> float:
        """CPUs that its worker holds, which may be fewer than were asked for; those, where it has none now."""
        return (self._resources if self._group is None else self._group.resources).cpus

    def do_task(self, row: TaskRow, do: Callable[[TaskRow], TaskRow], run_id: str) -> TaskRow:
        """Do a task as `datasets.run_task` does it; its row says how often its worker died."""

        def tell(event: Event) -> None:
            if "retry" not in event:
                self._tell(event)

        return self._done(lambda: attempt(do, row, run_id, where_is_this), tell)

    def release(self, *, keep: bool) -> None:
        """The title's turn is over; `keep`: the next one may have the worker."""
        if self._group is not None:
            self._groups.give_back(self._group, keep=keep)
            self._group = None

    def _tell(self, event: Event) -> None:
        self._events.put.remote({"title": self._title, "stage": "adapt", **event})

    def _done(self, job: Callable[[], Any], tell: Callable[[Event], None]) -> Any:
        policy = RetryPolicy(self._title, self._resources, START_TIMEOUT_S)  # each job has as many tries as a task has
        return until_done(lambda: self._attempt(job), policy, tell, pause=self._pause, nodes=self._nodes)

    def _attempt(self, job: Callable[[], Any]) -> Any:
        while True:
            if self._group is None or self._group.ending or self._group.ended:
                self._group = self._groups.take(self._resources)
            try:
                return self._groups.do(self._group, job)
            except TitleError:
                raise
            except NotTakenError:
                self._group = None
            except BaseException:
                self._group = None
                raise


def warm_groups(desk: Any, run_id: str) -> WarmGroups:
    """The groups of a run on Ray; `desk`: the actor that is a `TitleDesk`."""

    def run(name: str, resources: Resources) -> None:
        fit_once(lambda: _serve(desk, name), name, resources)

    return WarmGroups(_RayDesk(desk), run, f"titles-{run_id[:8]}", _keep_idle_s)


def _keep_idle_s(resources: Resources, start_s: float) -> float:
    return _KEPT_MOST_S if resources.gpus else min(max(start_s, _KEPT_LEAST_S), _KEPT_MOST_S)


class _RayDesk:
    """A desk that is an actor."""

    def __init__(self, actor: Any):
        self._actor = actor

    def put(self, job: Any) -> Job:
        """The driver keeps it for as long as the reference is kept."""
        import ray

        return [ray.put(job)]

    def give(self, worker: str, number: int, job: Job) -> None:
        """Does not wait for the answer."""
        self._actor.give.remote(worker, number, job)

    def look(self, wanted: dict[str, int]) -> dict[str, tuple[bool, Outcome | None]]:
        """Raises what Ray does where the actor is away."""
        import ray

        return ray.get(self._actor.look.remote(wanted))

    def forget(self, worker: str) -> None:
        """Does not wait for the answer."""
        self._actor.forget.remote(worker)


def _serve(desk: Any, name: str) -> None:
    """What a warm worker runs."""
    import ray
    from ray.exceptions import RayActorError

    answered = time.monotonic()

    def ask(done: int, outcome: Outcome | None) -> tuple[int, Job] | None:
        nonlocal answered
        try:
            answer = ray.get(desk.ask.remote(name, done, outcome))
        except RayActorError:  # it is started again, with the driver's jobs
            if time.monotonic() - answered > _DESK_GONE_S:
                raise
            time.sleep(0.5)
            return None
        answered = time.monotonic()
        return answer

    def do(job: Any) -> Outcome:
        answer = outcome_of(ray.get(job))
        nonlocal answered
        answered = time.monotonic()
        return answer

    serve_titles(ask, do, machine_is_leaving)


def outcome_of(job: Callable[[], Any]) -> Outcome:
    """Do a job; a worker is not trusted after what nobody had thought of: a GPU's context may be spoilt."""
    result, error, trace = None, "", ""
    try:
        result = job()
    except TitleError as problem:
        error, trace = str(problem), problem.trace
    unexpected = bool(trace or (isinstance(result, dict) and result.get("traceback")))
    return {"result": result, "error": error, "trace": trace, "last": unexpected}
