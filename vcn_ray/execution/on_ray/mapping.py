"""The same done for many things as Ray tasks; see `execution.mapping`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from vcn_ray.config import RunOptions
from vcn_ray.errors import first_line
from vcn_ray.execution.mapping import Hear, Work
from vcn_ray.execution.on_ray.event_actor import make_event_actor
from vcn_ray.execution.on_ray.session import Cluster, ray_session

T = TypeVar("T")
U = TypeVar("U")

#: Threads beyond these help one encoder little; what is left of a machine takes another item.
_MOST_CPUS = 8
_DEATHS = 2  # of its worker that an item survives
_LOOK_EVERY_S = 0.5
_HEAR_S = 10.0


def map_on_ray(
    work: Work[T, U], items: Sequence[T], lost: Callable[[T, str], U], options: RunOptions, hear: Hear
) -> Iterator[tuple[int, U]]:
    """Each item a task of its own, all independent: nothing waits for another that holds CPUs. See `Mapper`."""
    import ray

    with ray_session(options) as cluster:
        run_id = secrets.token_hex(8)
        events = make_event_actor(run_id)
        cpus = cpus_of_each(cluster, len(items))

        def do(place: int, item: T) -> U:
            def tell(done: int, total: int) -> None:
                events.put.remote({"place": place, "done": done, "total": total})

            return work(item, tell, cpus)

        def hear_all() -> None:
            with suppress(Exception):  # the actor is being started again: the next look hears more
                for event in ray.get(events.take.remote(), timeout=_HEAR_S):
                    hear(event["place"], event["done"], event["total"])

        do.__name__ = do.__qualname__ = "map_item"
        task = ray.remote(do).options(num_cpus=cpus, max_retries=_DEATHS, scheduling_strategy="SPREAD")
        waiting: dict[Any, int] = {task.remote(place, item): place for place, item in enumerate(items)}
        try:
            while waiting:
                landed, _ = ray.wait(list(waiting), num_returns=1, timeout=_LOOK_EVERY_S)
                hear_all()
                for reference in landed:
                    place = waiting.pop(reference)
                    try:
                        result = ray.get(reference)
                    except ray.exceptions.RayError as error:
                        result = lost(items[place], f"its worker died or was lost ({first_line(error)})")
                    yield place, result
        finally:
            for reference in waiting:  # interrupted: others may go on with this Ray
                with suppress(Exception):
                    ray.cancel(reference, force=True)
            with suppress(Exception):
                ray.kill(events)


def cpus_of_each(cluster: Cluster, items: int) -> int:
    """CPUs of one item, so that all of the cluster works and no machine is too small."""
    return max(1, min(_MOST_CPUS, cluster.cpus // max(items, 1), cluster.cpus_on_one_node(gpu=False)))
