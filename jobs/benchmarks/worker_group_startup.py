"""What starting a real Ray Train worker group adds to a title."""

from __future__ import annotations

import statistics
import tempfile
import time

from vcn_ray.config import RunOptions
from vcn_ray.execution.on_ray.session import ray_session


def group(repeats: int, num_cpus: int) -> None:
    """Print the seconds of `fit()` with one worker whose loop is empty, on a Ray that is already up.

    The first one is told apart: it also starts what later ones find.
    """
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    def nothing() -> None:
        return None

    started = time.perf_counter()
    with ray_session(RunOptions(num_cpus=num_cpus)), tempfile.TemporaryDirectory() as folder:
        print(f"Ray started in {time.perf_counter() - started:.1f} s")
        seconds = []
        for number in range(repeats):
            started = time.perf_counter()
            TorchTrainer(
                nothing,
                scaling_config=ScalingConfig(num_workers=1, resources_per_worker={"CPU": 1}),
                run_config=RunConfig(name=f"empty-{number}", storage_path=folder),
            ).fit()
            seconds.append(time.perf_counter() - started)
            print(f"fit() of an empty loop, {number + 1}: {seconds[-1]:.1f} s", flush=True)
    print(f"first {seconds[0]:.1f} s, median of the others {statistics.median(seconds[1:] or seconds):.1f} s")
