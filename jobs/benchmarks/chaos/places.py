"""Where the runs that are disturbed take place: a Ray of their own each, or a cluster whose machines can be lost."""

from __future__ import annotations

import os
import random
import secrets
from typing import Any

from jobs.benchmarks.chaos import victims

_MIB = 2**20


class ThisMachine:
    """Every run starts its own Ray, which ends with it."""

    name = "this machine"
    kinds: tuple[str, ...] = ("worker", "driver")

    def __init__(self, cpus: int):
        self.arguments = ["--num-cpus", str(cpus)]

    def __enter__(self) -> ThisMachine:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to stop."""

    def strike(self, kind: str, driver: int, rng: random.Random) -> str | None:
        """Kill something of this kind; what it was, or None where there was nothing of it just then."""
        if kind == "driver":
            victims.kill(driver)
            return "the command"
        running = victims.workers()
        if not running:
            return None
        pid, title = rng.choice(running)
        return title if victims.kill(pid) else None


class SmallCluster(ThisMachine):
    """A head without CPUs and worker nodes of one CPU, all on this machine, each with a raylet of its own."""

    name = "cluster"
    kinds = ("worker", "node", "driver")

    def __init__(self, nodes: int):
        self._nodes = nodes
        self._cluster: Any = None

    def __enter__(self) -> SmallCluster:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args=self._node_arguments(0))
        for _ in range(self._nodes):
            self._add_node()
        self.arguments = ["--address", self._cluster.address]
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all of its machines."""
        self._cluster.shutdown()

    def strike(self, kind: str, driver: int, rng: random.Random) -> str | None:
        """As `ThisMachine.strike`; a lost node is replaced by a new one at once."""
        if kind != "node":
            return super().strike(kind, driver, rng)
        node = rng.choice(sorted(self._cluster.worker_nodes, key=lambda node: node.node_id))
        self._cluster.remove_node(node, allow_graceful=False)
        self._add_node()
        return "a machine"

    def _add_node(self) -> None:
        self._cluster.add_node(**self._node_arguments(1))

    def _node_arguments(self, cpus: int) -> dict[str, Any]:
        return {
            "num_cpus": cpus,
            "object_store_memory": 100 * _MIB,
            "include_dashboard": False,
            "node_ip_address": "127.0.0.1",
        }
