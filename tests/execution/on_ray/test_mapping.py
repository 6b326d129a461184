"""The same for many things as Ray tasks: progress is heard, a worker that dies costs its item alone."""

import os
from collections.abc import Callable

from vcn_ray.config import RunOptions
from vcn_ray.execution.on_ray.mapping import cpus_of_each, map_on_ray
from vcn_ray.execution.on_ray.session import Cluster


def test_items_come_back_and_one_that_kills_its_worker_is_lost(ray_cluster: None) -> None:
    def work(item: int, tell: Callable[[int, int], None], threads: int) -> str:
        if item == 2:
            os._exit(1)
        tell(item, 7)
        return f"{item} with {threads}"

    heard: list[tuple[int, int, int]] = []
    landed = dict(
        map_on_ray(
            work,
            [1, 2, 3],
            lambda item, why: f"{item} lost: {why.split(' (')[0]}",
            RunOptions(),
            lambda *event: heard.append(event),
        )
    )
    assert landed == {0: "1 with 1", 1: "2 lost: its worker died or was lost", 2: "3 with 1"}
    assert set(heard) <= {(0, 1, 7), (2, 3, 7)}


def test_an_item_has_no_more_cpus_than_a_machine() -> None:
    assert [cpus_of_each(Cluster(((16, 0), (4, 1))), items) for items in (1, 5, 100)] == [8, 4, 1]
    assert cpus_of_each(Cluster(((2, 0), (2, 0))), 1) == 2
    assert cpus_of_each(Cluster(()), 3) == 1
