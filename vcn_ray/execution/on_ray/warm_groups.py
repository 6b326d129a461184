"""Worker groups that take title after title: which there are, which is free, when one is no longer worth its CPUs.

A group is one long run of Ray Train. Starting one takes seconds of a CPU (Ray's actors, torch, the networks), so that
one which has done its title is kept for the next: for about as long as a start takes, which costs at most twice what
would have been best. It is Ray that counts CPUs, GPUs and memory; a group that waits holds its own, and nobody else can
have them.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from vcn_ray.execution.base import TitleError
from vcn_ray.execution.on_ray.title_desk import Job, Outcome
from vcn_ray.execution.title_scheduler import Resources

_LOOK_EVERY_S = 0.1
_LONGEST_END_S = 5.0
_LONG_START_S = 10.0  # one that takes longer, and twice as long as another has, waits for room


class Desk(Protocol):
    """The driver's side of a `TitleDesk`; any of them may raise where the desk is away for a while."""

    def put(self, job: Any) -> Job:
        """A job as it can be given: by reference."""

    def give(self, worker: str, number: int, job: Job) -> None:
        """See `TitleDesk.give`."""

    def look(self, wanted: dict[str, int]) -> dict[str, tuple[bool, Outcome | None]]:
        """See `TitleDesk.look`."""

    def forget(self, worker: str) -> None:
        """See `TitleDesk.forget`."""


class NotTakenError(Exception):
    """A group has ended before it took the job: no fault of the job's."""


@dataclass(eq=False)
class Group:
    """A worker group: what it holds, and what it is doing."""

    name: str
    resources: Resources
    number: int = 0  # of the last job that it was given
    job: Job | None = None  # kept, since the desk may forget it
    taken: bool = False
    outcome: Outcome | None = None
    idle: bool = False  # it belongs to no title
    idle_since: float = 0.0
    started_at: float = field(default_factory=time.monotonic)
    start_s: float | None = None  # what starting it took; None: its worker has not been heard of yet
    ending: bool = False
    ended: bool = False
    error: BaseException | None = None  # what ended it
    served: int = 0  # jobs

    def suits(self, asked: Resources) -> bool:
        """Whether it holds no more than may be asked for, and has what is needed.

        It may hold fewer CPUs: threads are those that the options name, whatever a worker asks for.
        """
        own = self.resources
        return (
            (own.workers, own.gpus) == (asked.workers, asked.gpus)
            and own.cpus <= asked.cpus
            and own.memory_bytes >= asked.memory_bytes
        )


class WarmGroups:
    """The groups of a run; all methods may be called from any thread.

    Args:
        desk: where the workers ask.
        run: starts a group of this name with these resources, and returns when it has ended, or raises what ended it.
        name: what the groups' names begin with.
        keep_idle_s: how long a group with these resources, whose start takes so long, is kept without a title.
        look_every_s: how often it is asked at the desk what has been done.
    """

    def __init__(
        self,
        desk: Desk,
        run: Callable[[str, Resources], None],
        name: str,
        keep_idle_s: Callable[[Resources, float], float],
        look_every_s: float = _LOOK_EVERY_S,
    ):
        self._desk, self._run, self._name, self._keep_idle_s = desk, run, name, keep_idle_s
        self._look_every_s = look_every_s
        self._groups: list[Group] = []
        self._started = 0
        self._quickest_start_s = math.inf  # what a start takes: others may have waited for room
        self._closed = False
        self._changed = threading.Condition()
        self._watching = False

    def prepare(self, resources: Resources) -> None:
        """Have a group started for a title that comes soon, unless one is there."""
        with self._changed:
            if not self._groups and not self._closed:
                self._start(resources).idle = True

    @property
    def staying(self) -> int:
        """Groups that are not about to end."""
        with self._changed:
            return sum(not group.ending for group in self._groups)

    def take(self, resources: Resources) -> Group:
        """A group for a title: one that waits, or a new one, in the place of one that waits and does not suit.

        Raises `InterruptedError` when the run is over.
        """
        with self._changed:
            self._require_open()
            waiting = [group for group in self._groups if group.idle and not group.ending]
            for group in waiting:
                if group.suits(resources):
                    group.idle = False
                    return group
            if waiting:
                self._end(waiting[0])
                # The next may need as much memory as the one before: not a start for each.
                most = max(resources.memory_bytes, waiting[0].resources.memory_bytes)
                resources = replace(resources, memory_bytes=most)
            return self._start(resources)

    def do(self, group: Group, job: Any) -> Any:
        """Have a group do a job, which is called there without arguments; blocks. Gives its result.

        Raises:
            TitleError: the job's own.
            InterruptedError: the run was over before the job could be given.
            NotTakenError: the group ended before it took the job.
            Exception: what ended the group while it did the job, or before it did any.
        """
        reference = self._desk.put(job)
        with self._changed:
            self._require_open()
            group.number += 1
            group.job, group.taken, group.outcome = reference, False, None
        with suppress(Exception):  # where the desk is away, the next look finds the job missing there
            self._desk.give(group.name, group.number, reference)
        with self._changed:
            while group.outcome is None and not group.ended:
                self._changed.wait(timeout=0.5)
        if group.outcome is None:  # its last word may have been left unheard
            self._look([group])
            self._forget(group)
        outcome, group.job = group.outcome, None
        if outcome is None:
            if group.error is None or (group.served and not group.taken):
                raise NotTakenError
            raise group.error
        group.served += 1
        with self._changed:
            if outcome["last"] or group.ending:  # told so: a desk started again does not know what was the last
                self._end(group)
        if outcome["error"]:
            raise TitleError(outcome["error"], outcome["trace"])
        return outcome["result"]

    def give_back(self, group: Group, *, keep: bool) -> None:
        """The title needs it no more; `keep`: for the next."""
        with self._changed:
            if group.ended or group.ending:
                return
            if keep and not self._closed:
                group.idle, group.idle_since = True, time.monotonic()
            else:
                self._end(group)

    def close(self) -> None:
        """End all that wait for a title, and wait for that a little; those at work end after their job."""
        until = time.monotonic() + _LONGEST_END_S
        with self._changed:
            self._closed = True
            for group in self._groups:
                if not group.ending:
                    self._end(group)
            while time.monotonic() < until and any(group.job == [] for group in self._groups):
                self._changed.wait(timeout=0.1)

    def _require_open(self) -> None:
        """A title that was under way when the run was given up no longer holds the lock on its results."""
        if self._closed:
            raise InterruptedError

    def _start(self, resources: Resources) -> Group:
        self._started += 1
        group = Group(f"{self._name}-{self._started}", resources)
        self._groups.append(group)
        threading.Thread(target=self._live, args=(group,), name=f"group {group.name}", daemon=True).start()
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, name="warm groups", daemon=True).start()
        return group

    def _live(self, group: Group) -> None:
        try:
            self._run(group.name, group.resources)
        except BaseException as error:  # whoever waits for the group raises it
            group.error = error
        with self._changed:
            group.ended = True
            self._groups.remove(group)
            self._changed.notify_all()
            at_work = bool(group.job)
        if not at_work:
            self._forget(group)

    def _end(self, group: Group) -> None:
        """Give it the job to end, when it has none; the watching thread says so at the desk."""
        group.ending, group.idle = True, False
        if group.job is None:
            group.number += 1
            group.job, group.taken, group.outcome = [], False, None

    def _forget(self, group: Group) -> None:
        with suppress(Exception):  # the desk has forgotten it already, or Ray has ended
            self._desk.forget(group.name)

    def _watch(self) -> None:
        """Hear what has been done, give again what the desk has forgotten, end what has waited too long."""
        while True:
            time.sleep(self._look_every_s)
            with self._changed:
                if self._closed and not self._groups:
                    return
                room_is_short = any(map(self._waits_for_room, self._groups))
                for group in self._groups:
                    if group.idle and group.start_s is not None:
                        kept_s = time.monotonic() - group.idle_since
                        if room_is_short or kept_s > self._keep_idle_s(group.resources, self._quickest_start_s):
                            self._end(group)
                unheard = [
                    group
                    for group in self._groups
                    if group.start_s is None or (group.job is not None and group.outcome is None)
                ]
            if unheard:
                self._look(unheard)

    def _waits_for_room(self, group: Group) -> bool:
        if group.idle or group.ending or group.start_s is not None:
            return False
        return time.monotonic() - group.started_at > max(_LONG_START_S, 2 * self._quickest_start_s)

    def _look(self, groups: list[Group]) -> None:
        with self._changed:
            asked = {group.name: group.number for group in groups}
            jobs = {group.name: group.job for group in groups if not group.ended}
        try:
            known = self._desk.look(asked)
            for name in asked.keys() - known.keys():
                job = jobs.get(name)
                if job is not None:
                    self._desk.give(name, asked[name], job)
        except Exception:  # the desk is started again, or Ray is ending
            return
        with self._changed:
            for group in groups:
                if group.name not in known:
                    continue
                taken, outcome = known[group.name]
                if group.start_s is None and (taken or asked[group.name] == 0):
                    group.idle_since = time.monotonic()
                    group.start_s = group.idle_since - group.started_at
                    self._quickest_start_s = min(self._quickest_start_s, group.start_s)
                if group.number == asked[group.name]:
                    group.outcome = outcome
                    group.taken |= taken  # a desk that was started again does not know it
            self._changed.notify_all()
