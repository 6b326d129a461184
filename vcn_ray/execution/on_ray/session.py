"""A Ray to work on: one already running, or one started on this machine for the time of the run."""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from vcn_ray.config import RunOptions
from vcn_ray.errors import OptionError, VcnError
from vcn_ray.execution.local import device_here
from vcn_ray.execution.on_ray.gpu_share import least_gpu_memory

_MIB = 2**20
_CONNECT_S = 10.0

#: The libraries' own thread pools would fight over the cores: a task has one CPU.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Where titles have more threads than there are cores, threads that spin while they wait take the cores from those
    # that work: an epoch of two threads beside other work took 10 times as long, and 6 times the CPU seconds.
    "OMP_WAIT_POLICY": "PASSIVE",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "OPENCV_LOG_LEVEL": "ERROR",
    "NO_ALBUMENTATIONS_UPDATE": "1",  # a dependency of insightface asks the network for its latest version otherwise
}

# Where the object store is: what the driver knows, workers elsewhere learn. Credentials are their machines' own.
_PASSED_ON = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "VCN_S3_ATTEMPTS",
    "VCN_S3_TIMEOUT_S",
)

# Read by Ray when it is imported or started. What is said about a worker's death is said by us, with the video's name.
_RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed|There are infinite retries remaining|"
    "worker processes have been started",  # each title that adapts has eight
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",  # runs are seen in the dashboard
    "RAY_ENABLE_AUTO_CONNECT": "0",  # whoever forgets to start Ray gets an error, not a Ray with other settings
    "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",  # a submitted job may name a variable that is set here, too
}

# On Linux, too, this makes all of a local Ray listen on 127.0.0.1 alone. Ray reads it when it is imported: in a program
# that has imported Ray before, only the token stands between Ray and the network.
_ONLY_THIS_MACHINE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

# One token a process: Ray caches it. Without one of ours Ray would leave its own in the user's home.
_TOKEN = secrets.token_hex(32)


@dataclass(frozen=True)
class Cluster:
    """What the Ray in use offers."""

    nodes: tuple[tuple[int, int], ...]  # (CPUs, GPUs) of each machine
    memory_bytes: int | None = None  # that one machine with a CPU offers, the most; None: there is none yet
    dashboard_url: str = ""  # of a Ray that was started here with one
    gpu_memory_bytes: int | None = None  # of the smallest GPU; None where one is of a kind that is not known
    memory_bytes_beside_gpu: int | None = None  # `memory_bytes` of those machines alone that have a GPU

    @classmethod
    def of_ray(cls) -> Cluster:
        """The machines that Ray has now."""
        import ray

        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        at_work = [offers for offers in alive if offers.get("CPU")]
        return cls(
            tuple((int(offers.get("CPU", 0)), int(offers.get("GPU", 0))) for offers in alive),
            max((int(offers.get("memory", 0)) for offers in at_work), default=None),
            gpu_memory_bytes=least_gpu_memory([list(offers) for offers in alive if offers.get("GPU")]),
            memory_bytes_beside_gpu=max(
                (int(offers.get("memory", 0)) for offers in at_work if offers.get("GPU")), default=None
            ),
        )

    @staticmethod
    def cpus_left() -> bool:
        """Whether a CPU of the Ray in use has nothing to do."""
        import ray

        return ray.available_resources().get("CPU", 0.0) >= 1

    def fitting(self, memory_bytes: int) -> int:
        """The memory to ask for: no more than some machine has, or the task would never run."""
        return memory_bytes if self.memory_bytes is None else min(memory_bytes, self.memory_bytes)

    @property
    def cpus(self) -> int:
        """CPUs of all machines."""
        return max(1, sum(cpus for cpus, _ in self.nodes))

    @property
    def gpus(self) -> int:
        """GPUs of all machines."""
        return sum(gpus for _, gpus in self.nodes)

    def cpus_on_one_node(self, *, gpu: bool) -> int:
        """The most CPUs that one machine has, of those with a GPU where one is needed."""
        return max([1, *(cpus for cpus, gpus in self.nodes if gpus or not gpu)])


@contextmanager
def settled_device(options: RunOptions) -> Iterator[str]:
    """Where adaptation will run, "cpu" or "cuda", known before any work and before a Ray is started on this machine.

    What "auto" means is asked of the Ray at the address, or of this process's own; the connection then lasts for the
    block. Without either it is this machine's answer.
    """
    if options.device == "auto" and (options.address is not None or ray_if_up() is not None):
        with ray_session(options) as cluster:
            yield "cuda" if cluster.gpus else "cpu"
    else:
        yield device_here(options)


def ray_if_up() -> Any | None:
    """Ray's module where this process is connected to a Ray; else None, and Ray is not imported for that.

    `ray_session` has to come first: what Ray reads when it is imported keeps a local one off the network.
    """
    is_initialized = getattr(sys.modules.get("ray"), "is_initialized", None)  # not there yet in the midst of an import
    return sys.modules["ray"] if is_initialized is not None and is_initialized() else None


def machines_if_up() -> tuple[float, float] | None:
    """CPUs and GPUs of the Ray in use, if this process is connected to one; None where it is not, or Ray is ending."""
    ray = ray_if_up()
    if ray is None:
        return None
    try:
        resources = ray.cluster_resources()
    except Exception:  # Ray is being stopped, or its head is away for a while
        return None
    return resources.get("CPU", 0.0), resources.get("GPU", 0.0)


@contextmanager
def ray_session(options: RunOptions) -> Iterator[Cluster]:
    """Ray for the time of the block: the one at `options.address`, the process's own if it has one, or a local one.

    A Ray that was started here is stopped at the end, whatever happens. A local one listens on 127.0.0.1 with a token
    of its own, keeps little in its object store (only small rows go through it) and says nothing on the terminal.
    Raises `OptionError` where no Ray answers at the address, `VcnError` where none can be started here.
    """
    for name, value in _RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if options.address is None:
        os.environ.setdefault("RAY_AUTH_TOKEN", _TOKEN)
    if options.address is None or options.address.startswith(("127.0.0.1:", "localhost:")):
        os.environ.update(_ONLY_THIS_MACHINE)  # Ray would look for a local address at the network's
    import ray

    started_here, dashboard_url = not ray.is_initialized(), ""
    if started_here:
        if options.address is None:
            dashboard_url = _start(options)
        else:
            connect(options.address)
    quiet_ray_logs()
    try:
        yield replace(Cluster.of_ray(), dashboard_url=dashboard_url)
    finally:
        if started_here:
            ray.shutdown()


def _start(options: RunOptions) -> str:
    """Start a Ray on this machine that only this machine can reach; gives its dashboard's URL, "" without one."""
    import ray

    try:
        context = ray.init(
            address="local",
            num_cpus=options.num_cpus,
            include_dashboard=options.dashboard,
            dashboard_host="127.0.0.1",
            object_store_memory=128 * _MIB,
            log_to_driver=False,
            logging_level=logging.ERROR,
            job_config=worker_logging(),
            runtime_env={"env_vars": WORKER_ENVIRONMENT},
            _node_ip_address="127.0.0.1",
        )
        return f"http://{context.dashboard_url}" if options.dashboard else ""
    except Exception as error:  # Ray raises whatever went wrong in one of its processes
        ray.shutdown()
        raise VcnError(
            f"Ray could not be started on this machine ({_first_line(error)}); "
            "its logs in /tmp/ray/session_latest/logs say more, and --local works without it"
        ) from error


def connect(address: str) -> None:
    """Connect this process to a running Ray; `OptionError`, and soon, where none answers."""
    import ray

    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        host_port = re.fullmatch(r"(.+):(\d+)", address)
        if host_port is not None and "://" not in address:  # Ray itself would try for a quarter of an hour
            with socket.create_connection((host_port[1], int(host_port[2])), timeout=_CONNECT_S):
                pass
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            job_config=worker_logging(),
            runtime_env={"env_vars": WORKER_ENVIRONMENT | passed_on},
        )
    except ray.exceptions.AuthenticationError:
        raise OptionError(
            f"option 'address': RAY_AUTH_MODE=token is set and no token was found; put the token of the Ray at "
            f"{address} into the file ~/.ray/auth_token, or into RAY_AUTH_TOKEN"
        ) from None
    except OSError as error:  # also ConnectionError
        raise OptionError(
            f"option 'address': no Ray answers at {address} ({_first_line(error)}); start one with `ray start --head`, "
            "or leave the option out; if one is there, it may ask for a token: set RAY_AUTH_MODE=token and put its "
            "token into the file ~/.ray/auth_token"
        ) from None
    except (ValueError, RuntimeError, AssertionError, OverflowError) as error:
        raise OptionError(
            f"option 'address': {address!r} cannot be used ({_first_line(error)}); give it as HOST:PORT, or auto"
        ) from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def worker_logging() -> Any:
    """A `ray.job_config.JobConfig` that makes the workers of this job log in JSON, from INFO on, into Ray's log files.

    ``ray.init(logging_config=...)`` would do the same to this process, too, and write to the user's terminal.
    """
    from ray import LoggingConfig
    from ray.job_config import JobConfig

    config = JobConfig()
    config.set_py_logging_config(LoggingConfig(encoding="JSON", log_level="INFO"))
    return config


def quiet_ray_logs() -> None:
    """Keep Ray's libraries from writing to the terminal; their log files stay in Ray's session folder."""
    import ray.data
    import ray.train  # noqa: F401  (each configures its loggers when it is imported)

    of_the_program = logging.getLogger().handlers  # Ray hands them on to its loggers; they are others' to silence
    for name in ("ray", "ray.data", "ray.train"):
        for handler in logging.getLogger(name).handlers:
            if handler in of_the_program:
                continue
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.CRITICAL)
