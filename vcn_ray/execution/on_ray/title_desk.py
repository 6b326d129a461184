"""Where warm workers of titles ask for their next job and say what came of the last, and the loop by which they do.

The desk is a mailbox, part of the run's actor: the driver holds the truth. Where the actor is started again it knows
nothing, the driver gives its jobs anew by their numbers, and a worker says again what it has done.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: How often a worker without a job asks for one.
_ASK_EVERY_S = 0.1

#: What came of a job, in plain values: ``result``, ``error`` (one sentence, '' where it is done), ``trace`` ('' where
#: the user can mend it) and ``last``, whether the worker ends after it.
Outcome = dict[str, Any]

#: A job in a list, empty: the worker is to end. In a list, so that Ray hands on a reference without looking into it.
Job = list[Any]


@dataclass
class _Given:
    number: int
    job: Job
    taken: bool = False
    outcome: Outcome | None = None


class TitleDesk:
    """One job for each worker, by the worker's name; jobs of a worker are numbered from 1."""

    def __init__(self) -> None:
        self._given: dict[str, _Given] = {}

    def give(self, worker: str, number: int, job: Job) -> None:
        """A worker's next job, in the place of the one before; said twice it counts once."""
        given = self._given.get(worker)
        if given is None or given.number < number:
            self._given[worker] = _Given(number, job)

    def ask(self, worker: str, done: int, outcome: Outcome | None) -> tuple[int, Job] | None:
        """What a worker is to do, which has done job `done` (0: none) with that outcome.

        The number of the job and the job; ``(done, [])``: nothing new, and the outcome is known here; None: it has not
        been given a job since the desk was set up. Who has asked is known as having job 0.
        """
        given = self._given.setdefault(worker, _Given(0, []))
        if given.number == 0:
            return None
        if given.number <= done:
            given.outcome = outcome
            return done, []
        given.taken = True
        return given.number, given.job

    def look(self, wanted: dict[str, int]) -> dict[str, tuple[bool, Outcome | None]]:
        """Of workers' jobs, by number: whether it was taken, and its outcome, if any; those not known are left out."""
        return {
            worker: (given.taken or given.outcome is not None, given.outcome)
            for worker, number in wanted.items()
            if (given := self._given.get(worker)) is not None and given.number == number
        }

    def forget(self, worker: str) -> None:
        """It has ended."""
        self._given.pop(worker, None)


def serve_titles(
    ask: Callable[[int, Outcome | None], tuple[int, Job] | None],
    do: Callable[[Any], Outcome],
    leaving: Callable[[], bool] = lambda: False,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Do job after job, until told to end, until the machine is to be taken away, or after an outcome that is `last`.

    Args:
        ask: `TitleDesk.ask`, for this worker; None, too, where nobody answers.
        do: does a job; what it raises ends the worker.
        leaving: whether the machine will be taken away soon; asked between jobs.
        pause: waits so many seconds.
    """
    done, outcome, modules = 0, None, 0
    while True:
        answer = ask(done, outcome)
        number, job = answer or (0, [])
        if number > done:
            if not job:
                return
            outcome, done = do(job[0]), number
            release_memory()
            if len(sys.modules) > modules:  # the first title's jobs load them
                modules = len(sys.modules)
                gc.freeze()  # what libraries hold for good need not be looked through each time: 0.3 s of a CPU
        elif (answer is not None and outcome is not None and outcome["last"]) or leaving():
            return
        else:
            pause(_ASK_EVERY_S)


def release_memory() -> None:
    """Give back what the last title held, of this process and of a GPU, so that the next one begins as in a new one."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's: it keeps what was freed otherwise
        if trim is not None:
            trim(0)
