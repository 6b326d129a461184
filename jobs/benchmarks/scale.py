"""Time and memory of clustering a title, from a thousand tracks to a hundred thousand, and what it finds."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from jobs.benchmarks.invented_tracks import invent_tracks
from vcn_ray.calibration import Calibration
from vcn_ray.cluster.clusterer import TitleFaces
from vcn_ray.cluster.clusterers.table import find_clusterer
from vcn_ray.cluster.title import cluster_title
from vcn_ray.config import ClusterOptions
from vcn_ray.evaluate.metrics import bcubed_scores, contingency

_MIB = 2**20

#: Titles of so many tracks are also clustered in the way that is not theirs, by matrices or by lists.
_MOST_BOTH_WAYS = 4000

#: How a title's pairs are held: as `memory_mb` says, or all of them, or none, with the same memory.
_WAYS = {"default": None, "matrices": True, "lists": False}


def scale(tracks: Sequence[int], iterations: int, memory_mb: int, threads: int, seed: int) -> None:
    """Print how long clustering takes titles of so many invented tracks, how much memory, and how right it is.

    Each title is clustered by a process of its own, after so many adapted iterations. Small ones are clustered by
    matrices of pairs and by lists of neighbours, so it can be seen how far the two agree.
    """
    columns = "tracks", "way", "seconds", "CPU s", "ms a track", "peak MiB", "before MiB", "characters", "F", "F both"
    table = Table(*columns)
    rows: list[dict[str, Any]] = []
    for count in tracks:
        ways = ["matrices", "lists"] if count <= _MOST_BOTH_WAYS else ["default"]
        found = {way: _in_a_process(count, iterations, memory_mb, threads, seed, way) for way in ways}
        labels = [np.array(result.pop("labels")) for result in found.values()]
        both = _bcubed_f(labels[0], labels[1]) if len(labels) == 2 else None
        for way, result in found.items():
            rows.append({"tracks": count, "way": way, **result, "bcubed_f_of_both": both})
            print(json.dumps(rows[-1]), flush=True)
            table.add_row(
                f"{count:,}",
                way,
                f"{result['seconds']:.1f}",
                f"{result['cpu_s']:.1f}",
                f"{1000 * result['seconds'] / count:.2f}",
                f"{result['peak_mib']}",
                f"{result['before_mib']}",
                f"{result['characters']} of {result['people']}",
                f"{result['bcubed_f']:.3f}",
                "" if both is None else f"{both:.4f}",
            )
    Console(width=120).print(table)
    large = [row for row in rows if row["way"] == "default"]
    for one, other in pairwise(large):
        n, m = one["tracks"], other["tracks"]
        print(
            f"from {n:,} to {m:,} tracks: CPU time times {other['cpu_s'] / one['cpu_s']:.1f}; "
            f"n log n would be {m * math.log(m) / (n * math.log(n)):.1f}, n^2 {(m / n) ** 2:.0f}"
        )
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs; F: B-cubed against who they are, Unknown ones alone; "
        "F both: of matrices against lists; before: peak memory of the process before clustering, inputs included"
    )


def _in_a_process(count: int, iterations: int, memory_mb: int, threads: int, seed: int, way: str) -> dict[str, Any]:
    given = map(str, (count, iterations, memory_mb, threads, seed))
    command = [sys.executable, "-m", "jobs.benchmarks.scale", *given, way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # ourselves
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(
    count: int, iterations: int, memory_mb: int, threads: int, seed: int, way: str = "default"
) -> dict[str, Any]:
    """Cluster an invented title in this process: figures, and the labels; way: "default", "matrices" or "lists"."""
    title = invent_tracks(count, iterations, seed)
    clusterer = find_clusterer("evidence")
    before, started, cpu = _peak(), time.perf_counter(), time.process_time()
    fit = _WAYS[way]
    forced = nullcontext() if fit is None else patch.object(TitleFaces, "pairs_fit", fit)
    with threadpool_limits(1), forced:
        found = cluster_title(
            title.outputs,
            count,
            title.cannot_link,
            ClusterOptions(memory_mb=memory_mb),
            Calibration(),
            clusterer,
            adapted=iterations > 0,
            seed=seed,
            earlier=title.earlier,
            threads=threads,
        )
    return {
        "seconds": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": _peak(),
        "before_mib": before,
        "characters": int(found.labels.max()) + 1,
        "people": len(np.unique(title.person)),
        "bcubed_f": _bcubed_f(found.labels, title.person),
        "labels": found.labels.tolist(),
    }


def _bcubed_f(labels: np.ndarray, others: np.ndarray) -> float:
    """B-cubed F of labels against others, Unknown ones (-1) alone."""
    alone = [np.where(x >= 0, x, x.max() + 1 + np.arange(len(x))).tolist() for x in (labels, others)]
    return bcubed_scores(contingency(*alone))[2]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // _MIB


if __name__ == "__main__":
    count, iterations, memory_mb, threads, seed = map(int, sys.argv[1:-1])
    print(json.dumps(measure(count, iterations, memory_mb, threads, seed, sys.argv[-1])))
