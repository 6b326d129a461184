"""Worker groups that take title after title: which there are, which is free, when one is no longer worth its CPUs.

A group is one long run of Ray Train. Starting one takes seconds of a CPU (Ray's actors, torch, the networks), so that
one which has done its title is kept for the next: for as long as a start takes, which costs at most twice what would
have been best. It is Ray that counts CPUs, GPUs and memory; a group that waits holds its own, and nobody else can have
them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from vcn_ray.execution.base import TitleError
from vcn_ray.execution.on_ray.title_desk import Job, Outcome
from vcn_ray.execution.title_scheduler import Resources

_LOOK_EVERY_S = 0.1
_LONGEST_END_S = 5.0


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
    idle_since: float | None = None  # None: it belongs to a title
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
        keep_idle_s: how long a group with these resources is kept without a title.
    """

    def __init__(
        self,
        desk: Desk,
        run: Callable[[str, Resources], None],
        name: str,
        keep_idle_s: Callable[[Resources], float],
        clock_s: Callable[[], float] = time.monotonic,
    ):
        self._desk, self._run, self._name, self._keep_idle_s = desk, run, name, keep_idle_s
        self._clock_s = clock_s
        self._groups: list[Group] = []
        self._started = 0
        self._closed = False
        self._changed = threading.Condition()
        self._watching = False

    def prepare(self, resources: Resources) -> None:
        """Have a group started for a title that comes soon, unless one is there."""
        with self._changed:
            if not self._groups:
                self._start(resources).idle_since = self._clock_s()

    def take(self, resources: Resources) -> Group:
        """A group for a title: one that waits, or a new one, in the place of one that waits and does not suit."""
        with self._changed:
            waiting = [group for group in self._groups if group.idle_since is not None and not group.ending]
            for group in waiting:
                if group.suits(resources):
                    group.idle_since = None
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
            NotTakenError: the group ended before it took the job.
            Exception: what ended the group while it did the job, or before it did any.
        """
        reference = self._desk.put(job)
        with self._changed:
            group.number += 1
            group.job, group.taken, group.outcome = reference, False, None
        with suppress(Exception):  # where the desk is away, the next look finds the job missing there
            self._desk.give(group.name, group.number, reference)
        with self._changed:
            while group.outcome is None and not group.ended:
                self._changed.wait(timeout=0.5)
        if group.outcome is None:  # its last word may have been left unheard
            self._look([group])
        outcome, group.job = group.outcome, None
        if outcome is None:
            if group.error is None or (group.served and not group.taken):
                raise NotTakenError
            raise group.error
        group.served += 1
        with self._changed:
            if outcome["last"]:
                group.ending = True
            elif group.ending:  # it was told so meanwhile
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
                group.idle_since = self._clock_s()
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

    def _end(self, group: Group) -> None:
        """Give it the job to end, when it has none; the watching thread says so at the desk."""
        group.ending, group.idle_since = True, None
        if group.job is None:
            group.number += 1
            group.job, group.taken, group.outcome = [], False, None

    def _watch(self) -> None:
        """Hear what has been done, give again what the desk has forgotten, end what has waited too long."""
        while True:
            time.sleep(_LOOK_EVERY_S)
            with self._changed:
                if self._closed and not self._groups:
                    return
                now = self._clock_s()
                for group in self._groups:
                    if group.idle_since is not None and now - group.idle_since > self._keep_idle_s(group.resources):
                        self._end(group)
                busy = [group for group in self._groups if group.job is not None and group.outcome is None]
            if busy:
                self._look(busy)

    def _look(self, groups: list[Group]) -> None:
        asked = {group.name: group.number for group in groups}
        try:
            known = self._desk.look(asked)
            for group in groups:
                if group.name not in known and group.job is not None and not group.ended:
                    self._desk.give(group.name, asked[group.name], group.job)
        except Exception:  # the desk is started again, or Ray is ending
            return
        with self._changed:
            for group in groups:
                if group.name in known and group.number == asked[group.name]:
                    group.taken, group.outcome = known[group.name]
            self._changed.notify_all()
