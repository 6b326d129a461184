"""Adapts the tiny title on a machine that is taken back on the way, and prints what was reported.

``python -m support.preempted_machine STORE``

A program of its own, since it starts a cluster of several nodes, and a process can belong to one Ray only.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support import tiny_title
from vcn_ray.config import Options
from vcn_ray.execution.base import AdaptationTask
from vcn_ray.pipeline.videoclusternet import VideoClusterNet
from vcn_ray.storage.store import Store

SETTINGS = {"first_epochs": 80, "later_epochs": 2, "max_iterations": 2}

#: Seconds from the notice until the machine is gone: less than the epochs take that are left, and long enough for the
#: notice to be passed on where much else goes on.
_NOTICE_S = 10.0

_NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


def epochs_file(store: Store) -> Path:
    """Beside a title's store: the epochs of iteration 1, in the order in which workers finished them."""
    return Path(f"{store.url}.epochs")


class SlowTinyStages(VideoClusterNet):
    """Adapts the tiny title, each epoch in a sixth of a second."""

    def adapt(
        self,
        store: Store,
        options: Options,
        device: str,
        threads: int,
        on_event: Callable[[dict[str, Any]], None],
        workers: Any = None,
    ) -> None:
        from support import tiny_title

        def slowly(event: dict[str, Any]) -> None:
            if event.get("iteration") == 1 and "epoch" in event:
                # Said on the disk, too: what a worker says to Ray in its last moment may go down with its machine.
                with epochs_file(store).open("a") as epochs:
                    epochs.write(f"{event['epoch']}\n")
            on_event(event)
            time.sleep(0.15)

        tiny_title.adapt(store, SETTINGS, slowly, workers)


def _main(root: str) -> None:
    os.environ.update(RAY_AUTH_MODE="disabled", RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S="0.5", RAY_CHDIR_TO_TRIAL_DIR="0")
    import ray
    from ray._raylet import GcsClient
    from ray.cluster_utils import Cluster
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    from vcn_ray.execution.on_ray.train import Resources, adapt_on_ray

    class Reports:
        def __init__(self) -> None:
            self._events: list[Any] = []

        def put(self, event: Any) -> None:
            self._events.append(event)

        def all(self) -> list[Any]:
            return self._events

    head = {"num_cpus": 0, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        first = cluster.add_node(**_NODE)
        ray.init(address=cluster.address, log_to_driver=False)
        reports = ray.remote(num_cpus=0)(Reports).remote()

        asked, options = Resources(1, 1, 0), tiny_title.tiny_options(SETTINGS)
        adaptation = AdaptationTask(SlowTinyStages(), "Tiny", "tiny", Store(root), options, "cpu", "digest")
        adapting = threading.Thread(target=adapt_on_ray, args=(adaptation, asked, reports), daemon=True)
        adapting.start()
        while not any(event.get("epoch", 0) >= 3 for event in ray.get(reports.all.remote())):
            time.sleep(0.1)
        deadline_ms = int((time.time() + _NOTICE_S) * 1000)
        reason = DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION
        accepted, why = GcsClient(address=cluster.address).drain_node(first.node_id, reason, "test", deadline_ms)
        if not accepted:
            raise RuntimeError(why)
        cluster.add_node(**_NODE)
        adapting.join()
        print(json.dumps(ray.get(reports.all.remote())))
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    _main(sys.argv[1])
