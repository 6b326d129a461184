"""The simulated season, through the real driver."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.benchmarks.processes import descendants, sample
from jobs.benchmarks.simulation.__main__ import deciles, parser


def test_command_line() -> None:
    given = parser().parse_args([])
    assert (given.titles, given.shards, given.num_cpus, given.num_gpus) == (200, 40, 32, 8)
    assert parser().parse_args(["--titles", "3", "--shard-s", "0.1"]).shard_s == 0.1


def test_deciles_begin_with_the_first_and_end_with_the_last() -> None:
    assert deciles([float(n) for n in range(1, 21)]) == [1.0, *(float(n) for n in range(2, 21, 2))]
    assert deciles([5.0]) == [5.0] * 11


def test_cpu_of_ended_workers_stays_counted() -> None:
    assert sample({999_999_999: 12.5})["others_cpu_s"] >= 12.5
    assert sample({})["driver_rss_mib"] > 10


def test_descendants_are_children_and_theirs() -> None:
    table = {pid: {"parent": parent} for pid, parent in {2: 1, 3: 2, 4: 3, 5: 1}.items()}
    assert sorted(descendants(2, table)) == [3, 4]


@pytest.mark.ray
def test_a_small_season(tmp_path: Path) -> None:
    target = tmp_path / "found.json"
    small = {"titles": 3, "shards": 2, "shard-s": 0.2, "view-s": 0.1, "adapt-s": 0.3, "num-cpus": 2, "num-gpus": 1}
    arguments = [part for name, value in small.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "jobs.benchmarks.simulation", *arguments, "--json", str(target)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)  # noqa: S603
    assert run.returncode == 0, run.stderr
    assert "efficiency" in run.stdout
    found = json.loads(target.read_text())
    assert found["shards"] == 6
    assert len(found["finished_s"]) == 11
    assert max(found["bounds_s"].values()) <= found["ideal_s"] <= found["wall_s"]
    assert found["slept_s"]["adapt"] >= 0.5  # every title was adapted, by sleeping
    assert found["processes"][-1]["gcs_cpu_s"] > 0
