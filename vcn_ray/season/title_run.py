"""The way of a title from its last shard to its results."""

from __future__ import annotations

import json
import threading

from vcn_ray.errors import InputError
from vcn_ray.execution.base import Executor, TitleError, Took
from vcn_ray.execution.worker_events import tell_landed
from vcn_ray.monitoring.monitor import Monitor
from vcn_ray.pipeline.layout import TRACKS
from vcn_ray.pipeline.tasks import TaskRow, assemble_row, finish_row
from vcn_ray.pipeline.title_state import TitleState
from vcn_ray.season.outcome import Ledger


class TitleRun:
    """Joins a title's shards, has its views computed, waits for its turn to adapt, has its results written.

    Args:
        ledger: where its result, or error, is kept.
        monitor: told of each state.
        device: where titles adapt, "cpu" or "cuda".
        gave_up: set when the run is given up; titles then end before their next step.
    """

    def __init__(self, ledger: Ledger, monitor: Monitor, device: str, gave_up: threading.Event):
        self._ledger, self._monitor, self._device, self._gave_up = ledger, monitor, device, gave_up

    def take(self, executor: Executor, state: TitleState) -> None:
        """Take a title to its results; what goes wrong is its own error."""
        if not executor.in_one_turn(state):
            self._take(executor, state)
            return
        with self._ledger.failing_alone(state.title.id, "tracks"):
            self._monitor.moved(state.title.id, "waiting")
            # Most of it, views above all, is one thread's work: other titles have more use for a second CPU.
            turn = executor.scheduler.take(state.place, self._gave_up, most_cpus=1)
            with turn as cpus, executor.one_worker(state, cpus):
                self._take(executor, state, cpus)

    def _take(self, executor: Executor, state: TitleState, cpus: int | None = None) -> None:
        """The way of a title; `cpus`: its workers', where it is its turn already."""
        title, result = state.title.id, self._ledger.results[state.title.id]
        with self._ledger.failing_alone(title, "tracks"):
            self._go_on()
            info = state.work.done_info(TRACKS, state.tracks_digest)
            if info is None:
                info = self._stats("assemble", executor.assemble(assemble_row(state)))
            self.require_faces(state, info)
        if result.error is not None:
            return
        with self._ledger.failing_alone(title, "adapt"):
            self._go_on()
            took = self._adapt_in_turn(executor, state) if cpus is None else self._adapt(executor, state, cpus)
            result.seconds |= {stage: of_stage.wall_s for stage, of_stage in took.items()}
        if result.error is not None:
            return
        with self._ledger.failing_alone(title, "results"):
            self._go_on()
            self._monitor.moved(title, "results")
            cpu_s = {stage: of_stage.cpu_s for stage, of_stage in took.items()}
            stats = self._stats("results", executor.finish(finish_row(state, self._device, result.seconds, cpu_s)))
            result.counts, result.seconds = stats["counts"], stats["seconds"]
            self._monitor.moved(title, "done")
            page = state.results.where("report.html")
            self._monitor.say(f"{title}: {result.counts.get('characters', 0)} characters, {page}")

    def _go_on(self) -> None:
        """`InterruptedError` when the run is given up: it may have lost the lock on the results."""
        if self._gave_up.is_set():
            raise InterruptedError

    def _adapt(self, executor: Executor, state: TitleState, cpus: int) -> dict[str, Took]:
        views = executor.views(state)
        self._go_on()
        return {"views": views, "adapt": executor.adapt(state, cpus)}

    def _adapt_in_turn(self, executor: Executor, state: TitleState) -> dict[str, Took]:
        """Wait for the title's turn, with its views made before where there is room for both."""
        self._monitor.moved(state.title.id, "waiting")
        took: dict[str, Took] = {}
        in_turn = executor.views_need_turn  # the cluster may grow meanwhile
        if not in_turn:
            took["views"] = executor.views(state)
            self._monitor.moved(state.title.id, "waiting")
        with executor.scheduler.take(state.place, self._gave_up) as cpus:
            if in_turn:
                return self._adapt(executor, state, cpus)
            took["adapt"] = executor.adapt(state, cpus)
        return took

    def _stats(self, stage: str, landed: TaskRow) -> TaskRow:
        """The numbers of a task; `TitleError` where it failed."""
        tell_landed(self._monitor, stage, landed)
        if landed["error"]:
            raise TitleError(landed["error"], landed["traceback"])
        return json.loads(landed["stats"])

    def require_faces(self, state: TitleState, info: TaskRow) -> None:
        """`InputError` where the joined tracks of a title hold no face."""
        self._ledger.results[state.title.id].seconds["tracks"] = info["seconds"]
        if info["counts"]["faces"] == 0:
            names = ", ".join(state.title.names)
            raise InputError(
                f"{names}: no face was found; if there are faces, try --set detect_max_side_px=1280 for small ones"
            )
