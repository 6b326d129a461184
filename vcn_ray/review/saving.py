"""Brings corrections into the season's tables a little after the last edit, in a thread of its own.

``corrections.yaml`` is written with each edit, so nothing is lost however the server ends; the tables follow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vcn_ray.errors import VcnError


class Saver:
    """The thread.

    Args:
        apply: brings what is in the file into the tables; a `VcnError` says why it cannot now, such as a run that is
            writing there. It is then tried again.
        pause_s: after the last edit; of a large season twice as long as it took to write last time, so that whoever
            goes on is not held up by it all the time.
        retry_s: after a failure.
    """

    def __init__(self, apply: Callable[[], object], pause_s: float = 2.0, retry_s: float = 10.0):
        self._apply, self._pause_s, self._retry_s = apply, pause_s, retry_s
        self._change = threading.Condition()
        self._due: float | None = None  # when to write; None: all is written
        self._writing = self._over = False
        self._problem: str | None = None
        self._took_s = 0.0
        self._thread = threading.Thread(target=self._run, name="saving", daemon=True)
        self._thread.start()

    def edited(self) -> None:
        """Write after the pause, counted from now."""
        self._set_due(time.monotonic() + max(self._pause_s, 2 * self._took_s))

    def save_now(self) -> None:
        """Write at once what is not written."""
        self._set_due(time.monotonic())

    def state(self) -> tuple[str, str | None]:
        """ "saved", "writing" or "waiting", and why it waits, where it does so for longer than the pause."""
        with self._change:
            if self._writing:
                return "writing", None
            return ("saved", None) if self._due is None else ("waiting", self._problem)

    def close(self) -> str | None:
        """Write what is not written, once more; why that could not be done, or None."""
        with self._change:
            self._over = True
            self._change.notify_all()
        self._thread.join()
        return self._problem

    def _set_due(self, when: float) -> None:
        with self._change:
            self._due = when
            self._change.notify_all()

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._over and (self._due is None or time.monotonic() < self._due):
                    self._change.wait(None if self._due is None else max(0.0, self._due - time.monotonic()))
                over, due = self._over, self._due
                self._writing = due is not None
            if due is not None:
                problem = self._try()
                with self._change:
                    self._writing, self._problem = False, problem
                    if self._due == due:  # nothing was edited meanwhile
                        self._due = None if problem is None else time.monotonic() + self._retry_s
                    over = over and (self._due is None or problem is not None)
            if over:
                return

    def _try(self) -> str | None:
        started = time.monotonic()
        try:
            self._apply()
            self._took_s = time.monotonic() - started
        except VcnError as error:
            return str(error)
        except Exception as error:  # whatever it is, the page goes on and says so
            return f"this is a fault of vcn-ray: {type(error).__name__}: {error}"
        return None
