"""What workers tell while they work, and what a monitor is told of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from vcn_ray.config import Options
from vcn_ray.execution.attempts import Row
from vcn_ray.monitoring.monitor import Monitor


def make_reports(run_id: str) -> Any:
    """An actor without CPUs, on this machine, that workers tell how far they are, and the driver asks."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    class Reports:
        """Keeps what was reported until the driver takes it."""

        def __init__(self) -> None:
            self._events: list[dict[str, Any]] = []

        def put(self, event: dict[str, Any]) -> None:
            self._events.append(event)

        def take(self) -> list[dict[str, Any]]:
            events, self._events = self._events, []
            return events

    Reports.__qualname__ = "Reports"  # what the dashboard shows
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(num_cpus=0, max_restarts=-1)(Reports)
    return actor.options(name=f"vcn_reports_{run_id[:8]}", scheduling_strategy=here).remote()


def adapt_epochs(options: Options, iterations: int) -> int:
    """Epochs in so many iterations of adaptation."""
    return options.adapt.first_epochs * (iterations > 0) + options.adapt.later_epochs * max(0, iterations - 1)


class Hearer:
    """Turns what workers report, and pieces that have landed, into what a monitor shows."""

    def __init__(self, monitor: Monitor, options: Mapping[str, Options]):
        self._monitor, self._options = monitor, options
        self.done_before: Mapping[str, int] = {}  # frames of each title from earlier runs
        self._frames: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    def hear(self, event: Row) -> None:
        """An event of a worker: its title, its stage and how far it is, that it is tried again, or a sentence."""
        title, stage = event["title"], event["stage"]
        if "retry" in event:
            self._monitor.retried(title, stage, event["retry"])
        elif "say" in event:
            self._monitor.say(f"{title}: {event['say']}")
        elif stage == "tracks":
            with self._lock:
                steps = self._frames.setdefault(title, {})
                steps[event["step"]] = max(event["done"], steps.get(event["step"], 0))
                done = self.done_before.get(title, 0) + sum(steps.values())
            self._monitor.update(title, stage, done)
        else:
            self._hear_adaptation(title, event)

    def _hear_adaptation(self, title: str, event: Row) -> None:
        """After each epoch: iteration, epoch and loss; after each iteration: its number and that of its clusters."""
        iteration, options = event["iteration"], self._options[title]
        if "epoch" in event:
            epochs_before = adapt_epochs(options, iteration - 1) + event["epoch"] + 1
            note = f"iteration {iteration}, loss {event['loss']:.4f}"
            self._monitor.epoch(title, iteration, event["epoch"], event["loss"])
        else:
            epochs_before = adapt_epochs(options, iteration)
            note = f"iteration {iteration}: {event['clusters']} clusters"
        self._monitor.update(title, "adapt", epochs_before, note=f"{note}; stops when clusters stay the same")
        if event.get("warning"):
            self._monitor.say(f"{title}: {event['warning']}")


def tell_landed(monitor: Monitor, stage: str, row: Row) -> None:
    """Tell a monitor of a piece that has landed, and of the attempts that it took."""
    for _ in range(row["retries"]):
        monitor.retried(row["title"], stage, f"{row['step']}: its worker died or was lost")
    if not row["error"]:
        times = {"started": row["started"], "ended": row["ended"], "node": row["node"]}
        monitor.landed(row["title"], stage, row["step"], times | json.loads(row["stats"]))
