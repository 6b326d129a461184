"""How a run comes out: its titles' results, and errors that are each a title's own."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from vcn_ray.errors import OutputError, VcnError
from vcn_ray.execution.base import TitleError
from vcn_ray.inputs.titles import Season
from vcn_ray.monitoring.monitor import Monitor
from vcn_ray.monitoring.summary import Summary
from vcn_ray.storage.store import Store

ERROR_LOG = "error.log"
INTERRUPTED = "interrupted; the same command goes on from here"


@dataclass
class TitleOutcome:
    """How a title came out. `counts` has tracks, unknown and characters; `seconds` the wall time of each stage."""

    id: str
    slug: str
    videos: list[str]
    minutes: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    worked: bool = False  # False: all was there from an earlier run
    error: str | None = None
    stage: str = ""  # the stage that failed
    log: str | None = None  # file with the traceback, where the error is no fault of the user


@dataclass
class SeasonOutcome:
    """How a run came out: its titles in the order given, and the inputs that were no video."""

    out: Store
    titles: list[TitleOutcome]
    refused: list[tuple[str, str]]
    seconds: float
    summary: Summary | None = None  # None where all was done before
    problems: list[str] = field(default_factory=list)  # a sentence for each correction that no longer fits

    @property
    def failed(self) -> list[TitleOutcome]:
        """Titles without results."""
        return [title for title in self.titles if title.error is not None]

    def errors(self) -> list[dict[str, Any]]:
        """What `errors.json` holds: one entry a failed title or refused input."""
        return [{"input": given, "stage": "input", "error": error} for given, error in self.refused] + [
            {"title": title.id, "stage": title.stage, "error": title.error, "log": title.log} for title in self.failed
        ]


class Ledger:
    """The results of a run's titles, by title.

    Args:
        season: its titles.
        folders: where each title's results go; for tracebacks.
        monitor: told of failures.
        gave_up: set when the run is given up; what fails then was interrupted.
    """

    def __init__(self, season: Season, folders: Mapping[str, Store], monitor: Monitor, gave_up: threading.Event):
        self.results = {title.id: TitleOutcome(title.id, title.slug, list(title.videos)) for title in season.titles}
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
