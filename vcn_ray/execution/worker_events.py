"""What workers tell while they work, and what a monitor is told of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping

from vcn_ray.config import Options
from vcn_ray.monitoring.monitor import Monitor
from vcn_ray.pipeline.stages import Event
from vcn_ray.pipeline.tasks import TaskRow


def adapt_epochs(options: Options, iterations: int) -> int:
    """Epochs in so many iterations of adaptation."""
    return options.adapt.first_epochs * (iterations > 0) + options.adapt.later_epochs * max(0, iterations - 1)


class EventReceiver:
    """Turns what workers tell into what a monitor shows."""

    def __init__(self, monitor: Monitor, options: Mapping[str, Options]):
        self._monitor, self._options = monitor, options
        self.done_before: Mapping[str, int] = {}  # frames of each title from earlier runs
        self._frames: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    def receive(self, event: Event) -> None:
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
            self._receive_adaptation(title, event)

    def _receive_adaptation(self, title: str, event: Event) -> None:
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


def tell_landed(monitor: Monitor, stage: str, row: TaskRow) -> None:
    """Tell a monitor of a task that has landed, and of the attempts that it took."""
    for _ in range(row["retries"]):
        monitor.retried(row["title"], stage, f"{row['step']}: its worker died or was lost")
    if not row["error"]:
        times = {"started": row["started"], "ended": row["ended"], "node": row["node"]}
        monitor.landed(row["title"], stage, row["step"], times | json.loads(row["stats"]))
