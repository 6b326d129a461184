"""How a run came out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vcn_ray.monitoring.summary import Summary
from vcn_ray.storage.store import Store


@dataclass
class TitleResult:
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
    titles: list[TitleResult]
    refused: list[tuple[str, str]]
    seconds: float
    summary: Summary | None = None  # None where all was done before

    @property
    def failed(self) -> list[TitleResult]:
        """Titles without results."""
        return [title for title in self.titles if title.error is not None]

    def errors(self) -> list[dict[str, Any]]:
        """What `errors.json` holds: one entry a failed title or refused input."""
        return [{"input": given, "stage": "input", "error": error} for given, error in self.refused] + [
            {"title": title.id, "stage": title.stage, "error": title.error, "log": title.log} for title in self.failed
        ]
