"""The actor that workers tell how far they are, and that the driver asks; also where warm workers get their jobs."""

from __future__ import annotations

from typing import Any

from vcn_ray.execution.on_ray.title_desk import TitleDesk


def make_event_actor(run_id: str) -> Any:
    """An actor without CPUs, on this machine, that workers tell how far they are, and the driver asks.

    It is the warm workers' `TitleDesk`, too: another actor would be another process.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    class Events(TitleDesk):
        """Keeps what was told until the driver takes it."""

        def __init__(self) -> None:
            super().__init__()
            self._events: list[dict[str, Any]] = []

        def put(self, event: dict[str, Any]) -> None:
            self._events.append(event)

        def take(self) -> list[dict[str, Any]]:
            events, self._events = self._events, []
            return events

    Events.__qualname__ = "Events"  # what the dashboard shows
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(num_cpus=0, max_restarts=-1)(Events)
    return actor.options(name=f"vcn_events_{run_id[:8]}", scheduling_strategy=here).remote()
