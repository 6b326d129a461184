"""A season from object store to object store on a cluster of several nodes, beside its titles one after the other."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.benchmarks.chaos.places import SmallCluster
from vcn_ray.config import make_options
from vcn_ray.errors import VcnError
from vcn_ray.inputs.resolve import find_season
from vcn_ray.monitoring.monitor import NullMonitor
from vcn_ray.season.run import run_season
from vcn_ray.storage import objectstore
from vcn_ray.storage.store import Store

_BUCKET = "season"
_WAIT_S = 60.0

Span = tuple[float, float]


class _Times(NullMonitor):
    """When pieces of each stage were worked on, and when each title was done."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Span]] = {"tracks": [], "views": [], "adapt": []}
        self.done: dict[str, float] = {}

    def landed(self, title: str, stage: str, step: str, stats: Mapping[str, float]) -> None:
        self.spans.setdefault(stage, []).append((stats["started"], stats["ended"]))

    def moved(self, title: str, state: str) -> None:
        if state == "done":
            self.done[title] = time.time()


def cluster(videos: Sequence[str], settings: Sequence[str], nodes: int, folder: str) -> None:
    """Print the wall time of the whole season, of its titles each alone, and how long both stages were busy.

    The object store is moto's server, so this needs the test extra. Titles run alone on the same cluster.
    """
    options = dict(setting.split("=", 1) for setting in settings)
    with _object_store(folder), SmallCluster(nodes) as place:
        options["address"] = place.arguments[1]
        store = Store(f"s3://{_BUCKET}")
        for video in videos:
            store.write_file(f"videos/{Path(video).name}", video)
        alone: dict[str, float] = {}
        for number, url in enumerate(f"{store.url}/videos/{Path(video).name}" for video in videos):
            alone[url] = _run([url], store.child("alone", str(number)), options, NullMonitor())
            print(f"{url} alone: {alone[url]:.1f} s", flush=True)
        times, before, started = _Times(), objectstore.bytes_read(), time.time()
        whole = _run([f"{store.url}/videos"], store.child("season"), options, times)
    extracting, later = _union(times.spans["tracks"]), _union(times.spans["views"] + times.spans["adapt"])
    table = Table("what", "value", title=f"{len(videos)} titles, {nodes} nodes of one CPU")
    table.add_row("the season", f"{whole:.1f} s")
    table.add_row("its titles alone, sum", f"{sum(alone.values()):.1f} s")
    table.add_row("season / sum", f"{whole / sum(alone.values()):.2f}")
    table.add_row("first title done after", f"{min(times.done.values()) - started:.1f} s")
    table.add_row("some shard was extracted", f"{_length(extracting):.1f} s")
    table.add_row("views or adaptation went on", f"{_length(later):.1f} s")
    busy = _length(_common(extracting, later))
    table.add_row("both at once", f"{busy:.1f} s, {100 * busy / _length(extracting):.0f} % of extraction")
    table.add_row("read by the driver", f"{(objectstore.bytes_read() - before) / 2**20:.1f} MiB")
    Console(width=110).print(table)
    figures = {"season_s": whole, "alone_s": alone, "spans": times.spans, "done": times.done}
    (Path(folder) / "cluster.json").write_text(json.dumps(figures, indent=1))


def _run(inputs: Sequence[str], out: Store, options: Mapping[str, str], monitor: NullMonitor) -> float:
    started = time.perf_counter()
    outcome = run_season(find_season(inputs), out, make_options(dict(options)), monitor=monitor)
    if outcome.failed:
        raise VcnError(str(outcome.failed[0].error))
    return time.perf_counter() - started


@contextmanager
def _object_store(folder: str) -> Iterator[None]:
    """moto's S3 in a process of its own, with an empty bucket; known to all that is started meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
    }
    with open(Path(folder) / "object-store.log", "wb") as log:
        server = subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise VcnError(f"no object store: see {log.name}; install the test extra") from None
                time.sleep(0.2)
        objectstore.client().create_bucket(Bucket=_BUCKET)
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _union(spans: Sequence[Span]) -> list[Span]:
    """The spans, overlapping ones joined."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _common(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """Where both are."""
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return [(start, end) for start, end in pairs if start < end]


def _length(spans: Sequence[Span]) -> float:
    return sum(end - start for start, end in spans)
