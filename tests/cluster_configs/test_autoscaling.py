"""A season makes a cluster grow from a head alone and leaves it to shrink: with Ray's own autoscaler and a token."""

import json
import subprocess
import sys
from pathlib import Path

from support import PROGRAM_ENVIRONMENT
from support.counting_stages import CountingStages, results_of, video

from vcn_ray.config import make_options
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.season.run import run_season
from vcn_ray.storage.store import Store

_SLOW = 7  # a frame of this value takes half a second


def test_a_season_makes_the_cluster_grow_and_shrink(
    autoscaled_cluster: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    address, environment = autoscaled_cluster
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        video(tmp_path / "videos", name, [_SLOW if frame % 3 == 0 else frame for frame in range(80)])

    arguments = [address, tmp_path / "videos", tmp_path / "out", tmp_path / "calls"]
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "support.season_on_cluster", *arguments],
        env=environment | PROGRAM_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    seen = json.loads(run.stdout.splitlines()[-1])
    print("\n    seconds  workers with a CPU  ")
    for seconds, workers, event in seen["nodes"]:
        print(f"{seconds:11.1f}  {sum(workers.values()):7}  {event}")

    assert seen["failed"] == {}
    first, *_, last = seen["nodes"]
    ended = next(number for number, (_, _, event) in enumerate(seen["nodes"]) if event == "season ends")
    assert first[1] == {}
    assert last[1] == {}
    assert max(workers.get("cpu-spot", 0) for _, workers, _ in seen["nodes"][:ended]) >= 2

    run_season(
        find_season([tmp_path / "videos"], "season"),
        Store(tmp_path / "here"),
        make_options({"device": "cpu"}),
        executor=LocalExecutor(),
        stages=CountingStages(tmp_path / "other calls"),
    )
    assert results_of(tmp_path / "out") == results_of(tmp_path / "here")
