"""A Ray to work on: one already running, or one started on this machine for the time of the run."""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vcn_ray.config import RunOptions
from vcn_ray.errors import OptionError

_MIB = 2**20
_CONNECT_S = 10.0

#: The libraries' own thread pools would fight over the cores: a task has one CPU.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "OPENCV_LOG_LEVEL": "ERROR",
    "NO_ALBUMENTATIONS_UPDATE": "1",  # a dependency of insightface asks the network for its latest version otherwise
}

# Read by Ray when it is imported or started. What is said about a worker's death is said by us, with the video's name.
_RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": r"A worker died or was killed|There are infinite retries remaining",
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",  # runs are seen in the dashboard
}

# One token a process: Ray caches it. Without one of ours Ray would leave its own in the user's home.
_TOKEN = secrets.token_hex(32)


@dataclass(frozen=True)
class Cluster:
    """What the Ray in use offers."""

    cpus: int
    gpus: int


@contextmanager
def ray_session(options: RunOptions) -> Iterator[Cluster]:
    """Ray for the time of the block: the one at `options.address`, the process's own if it has one, or a local one.

    A Ray that was started here is stopped at the end, whatever happens. A local one listens with a token of its own,
    keeps little in its object store (only small rows go through it) and says nothing on the terminal.
    Raises `OptionError` where no Ray answers at the address.
    """
    for name, value in _RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if options.address is None:
        os.environ.setdefault("RAY_AUTH_TOKEN", _TOKEN)
    import ray

    started_here = not ray.is_initialized()
    if started_here:
        if options.address is None:
            ray.init(
                address="local",
                num_cpus=options.num_cpus,
                include_dashboard=options.dashboard,
                dashboard_host="127.0.0.1",
                object_store_memory=128 * _MIB,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": WORKER_ENVIRONMENT},
            )
        else:
            connect(options.address)
    quiet_ray_logs()
    try:
        resources = ray.cluster_resources()
        yield Cluster(cpus=max(1, int(resources.get("CPU", 1))), gpus=int(resources.get("GPU", 0)))
    finally:
        if started_here:
            ray.shutdown()


def connect(address: str) -> None:
    """Connect this process to a running Ray; `OptionError`, and soon, where none answers."""
    import ray

    try:
        host_port = re.fullmatch(r"(.+):(\d+)", address)
        if host_port is not None and "://" not in address:  # Ray itself would try for a quarter of an hour
            with socket.create_connection((host_port[1], int(host_port[2])), timeout=_CONNECT_S):
                pass
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": WORKER_ENVIRONMENT},
        )
    except (ConnectionError, OSError) as error:
        raise OptionError(
            f"option 'address': no Ray answers at {address} ({str(error).splitlines()[0]}); "
            "start one with `ray start --head`, or leave the option out"
        ) from None


def quiet_ray_logs() -> None:
    """Keep Ray's libraries from writing to the terminal; their log files stay in Ray's session folder."""
    import ray.data
    import ray.train  # noqa: F401  (each configures its loggers when it is imported)

    for name in ("ray", "ray.data", "ray.train"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.CRITICAL)
