"""A season of stand-in stages on the Ray cluster at an address, while the cluster's machines are watched.

Run as a program of its own: the process of the tests may have a Ray already. Prints a JSON object: ``failed`` (titles
with their errors) and ``nodes``, a list of (seconds since the start, workers of each label, event) at every change.
"""

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import ray

from support import counting_stages
from vcn_ray.config import RunOptions, make_options
from vcn_ray.execution.on_ray.session import ray_session
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season.run import run_season
from vcn_ray.storage.store import Store

_SHRUNK_S = 60.0


class Watch(threading.Thread):
    """Notes the machines with CPUs by label, whenever they change."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, dict[str, int], str]] = []
        self._began = time.monotonic()
        self._over = threading.Event()

    def note(self, event: str) -> dict[str, int]:
        alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        workers = dict(Counter(node["Labels"]["vcn-kind"] for node in alive))
        if event or not self.seen or workers != self.seen[-1][1]:
            self.seen.append((round(time.monotonic() - self._began, 1), workers, event))
        return workers

    def run(self) -> None:
        while not self._over.wait(0.5):
            self.note("")

    def close(self) -> None:
        self._over.set()
        self.join()


def main(address: str, videos: str, out: str, calls: str) -> None:
    with ray_session(RunOptions(address=address)):
        watch = Watch()
        watch.note("season begins")
        watch.start()
        options = make_options({"address": address, "device": "cpu", "max_titles_adapting": 2})
        stages = counting_stages.CountingStages(Path(calls), {7: "slow"})
        outcome = run_season(find_season([videos], "season"), Store(out), options, stages=stages)
        watch.note("season ends")
        deadline = time.monotonic() + _SHRUNK_S
        while watch.note("") and time.monotonic() < deadline:
            time.sleep(0.5)
        watch.close()
    print(json.dumps({"failed": {title.id: title.error for title in outcome.failed}, "nodes": watch.seen}))


if __name__ == "__main__":
    main(*sys.argv[1:])
