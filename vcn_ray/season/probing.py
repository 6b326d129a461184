"""The look at a season's videos before any work: what each is, and so which shards there are."""

from __future__ import annotations

from collections.abc import Mapping

from vcn_ray.execution.base import Executor
from vcn_ray.execution.parallel import LOOKS_AT_ONCE, side_by_side
from vcn_ray.monitoring.monitor import Monitor
from vcn_ray.pipeline.tasks import TaskRow, probe_rows
from vcn_ray.pipeline.title_state import ProbeTask, TitleState
from vcn_ray.season.outcome import Ledger


class Probing:
    """Has the executor look at all videos that nobody has looked at yet, and plans the titles' shards.

    A title that has a video that cannot be used fails alone.
    """

    def __init__(self, states: Mapping[str, TitleState], ledger: Ledger, monitor: Monitor):
        self._states, self._ledger, self._monitor = states, ledger, monitor
        self._tasks: dict[str, list[ProbeTask]] = {}
        self._rows: list[TaskRow] = []

    def run(self, executor: Executor) -> None:
        """Do it; the states of titles without an error then know their shards."""
        side_by_side(self._find_missing, self._states, LOOKS_AT_ONCE)
        if self._rows:
            self._probe(executor)
        side_by_side(self._plan_shards, self._ledger.alive(), LOOKS_AT_ONCE)
        for title in self._ledger.alive():
            self._ledger.results[title].minutes = self._states[title].minutes
            for warning in (warning for video in self._states[title].videos for warning in video.warnings):
                self._monitor.say(f"{title}: {warning}")

    def _find_missing(self, title: str) -> None:
        with self._ledger.failing_alone(title, "probe"):
            tasks = self._states[title].probes()
            missing = self._states[title].missing_probes(tasks)
            self._tasks[title] = tasks
            self._rows.extend(probe_rows(self._states[title], missing))

    def _probe(self, executor: Executor) -> None:
        self._monitor.start("season", "probe", len(self._rows), "videos")
        self._rows.sort(key=lambda row: self._states[row["title"]].place)
        for done, landed in enumerate(executor.probe(self._rows), 1):
            if landed["error"]:
                self._ledger.fail(landed["title"], "probe", landed["error"], landed["traceback"])
            self._monitor.update("season", "probe", done)
        self._monitor.end("season", "probe")

    def _plan_shards(self, title: str) -> None:
        with self._ledger.failing_alone(title, "probe"):
            self._states[title].plan_shards(self._tasks[title])
