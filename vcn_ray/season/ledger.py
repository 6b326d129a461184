"""How the titles of a run stand: results, and errors that are each a title's own."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from vcn_ray.errors import OutputError, VcnError
from vcn_ray.execution.on_ray.failures import TitleError
from vcn_ray.inputs.titles import Season
from vcn_ray.monitoring.monitor import Monitor
from vcn_ray.season.outcome import TitleResult
from vcn_ray.storage.store import Store

ERROR_LOG = "error.log"
INTERRUPTED = "interrupted; the same command goes on from here"


class Ledger:
    """The results of a run's titles, by title.

    Args:
        season: its titles.
        folders: where each title's results go; for tracebacks.
        monitor: told of failures.
        gave_up: set when the run is given up; what fails then was interrupted.
    """

    def __init__(self, season: Season, folders: Mapping[str, Store], monitor: Monitor, gave_up: threading.Event):
        self.results = {title.id: TitleResult(title.id, title.slug, list(title.videos)) for title in season.titles}
        self._folders, self._monitor, self._gave_up = folders, monitor, gave_up

    def alive(self) -> list[str]:
        """Titles without an error, in the season's order."""
        return [title for title, result in self.results.items() if result.error is None]

    @contextmanager
    def failing_alone(self, title: str, stage: str) -> Iterator[None]:
        """Whatever goes wrong inside is the error of this title alone."""
        try:
            yield
        except InterruptedError:
            self.fail(title, stage, INTERRUPTED, "")
        except TitleError as error:
            self.fail(title, stage, str(error), error.trace)
        except VcnError as error:
            self.fail(title, stage, str(error), "")
        except Exception as error:
            if self._gave_up.is_set():
                self.fail(title, stage, INTERRUPTED, "")
            else:
                self.fail(title, stage, f"{title}: unexpected {type(error).__name__}: {error}", traceback.format_exc())

    def fail(self, title: str, stage: str, sentence: str, trace: str) -> None:
        """Record a title's error, the first one alone; a traceback goes into a file in its folder."""
        result = self.results[title]
        if result.error is not None:
            return
        result.error, result.stage = sentence, stage
        if trace:
            results = self._folders[title]
            try:
                results.write_bytes(ERROR_LOG, trace.encode())
                result.log = results.where(ERROR_LOG)
            except OutputError:  # the disk may be what is wrong
                result.log = None
        if not self._gave_up.is_set():
            self._monitor.moved(title, "failed")
            self._monitor.failed(title, stage, sentence)
            self._monitor.say(f"{title}: failed: {sentence}")
