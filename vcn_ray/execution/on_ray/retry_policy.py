"""What follows when a title's Ray Train run has ended before the title was done: another try, or giving it up."""

from __future__ import annotations

from dataclasses import dataclass

from vcn_ray.execution.on_ray.failures import FailureCause
from vcn_ray.execution.title_scheduler import Resources
from vcn_ray.pipeline.stages import Event

#: Times that a title's worker may die (crash, out of memory) before the title is given up.
MAX_WORKER_DEATHS = 2

#: Times that a machine under it may be lost or taken back. No fault of the title; a bound only on endless bad luck.
MAX_MACHINES_LOST = 30

_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True)
class Retry:
    """Try again after a pause; `event` is for whoever watches, None where nothing is to be said."""

    event: Event | None
    pause_s: float


@dataclass(frozen=True)
class GiveUp:
    """The title has failed; one sentence."""

    sentence: str


class RetryPolicy:
    """Counts what has ended a title's runs.

    Args:
        title: its id, for messages.
        resources: what was asked of Ray.
        start_timeout_s: after which Ray Train takes back a request for workers.
    """

    def __init__(self, title: str, resources: Resources, start_timeout_s: float):
        self._title, self._resources, self._start_timeout_s = title, resources, start_timeout_s
        self._deaths = self._lost = self._unanswered = 0

    def after(self, cause: FailureCause) -> Retry | GiveUp:
        """What follows, now that this has ended a run."""
        match cause:
            case FailureCause.NO_ROOM:
                self._unanswered += 1
                waits = f"no machine has had room for {self._resources} for {self._start_timeout_s:g} s; still waiting"
                return Retry({"say": waits} if self._unanswered == 1 else None, 0.0)
            case FailureCause.NEVER_ROOM:
                return GiveUp(
                    f"{self._title}: this cluster never has {self._resources}, however far it grows; lower "
                    "gpus_per_title or workers_per_title, or allow it larger machines"
                )
            case FailureCause.MACHINE:
                self._lost += 1
                if self._lost > MAX_MACHINES_LOST:
                    return GiveUp(
                        f"{self._title}: the machines that adapt it were lost {self._lost} times; what it has done is "
                        "kept; run the same command again on machines that stay longer"
                    )
                why = "its machine was lost or taken back; it goes on elsewhere from its last stored state"
                return Retry({"retry": why}, self._pause_s())
            case FailureCause.WORKER:
                self._deaths += 1
                if self._deaths > MAX_WORKER_DEATHS:
                    return GiveUp(
                        f"{self._title}: the worker that adapts it died {self._deaths} times (crash or out of memory); "
                        "the rest of the season went on; free some memory, or try --set max_crops_per_track=6 (on a "
                        "GPU also --set batch_pairs=16), and run the same command again"
                    )
                return Retry({"retry": "its worker died (crash or out of memory)"}, self._pause_s())

    def _pause_s(self) -> float:
        return min(_LONGEST_PAUSE_S, 2.0 ** min(self._deaths + self._lost, 8))
