"""A Ray cluster that starts with a head alone and starts machines when asked: Ray's own, with pretended machines."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_MIB = 2**20
_START_S = 60.0


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _autoscaling(port: int, max_workers: int, idle_s: float) -> dict[str, object]:
    """What `ray up` would hand to the head; the provider starts further raylets of this machine."""
    return {
        "cluster_name": "pretended",
        "max_workers": max_workers,
        "idle_timeout_minutes": idle_s / 60,
        "upscaling_speed": 10,
        "provider": {
            "type": "fake_multinode",
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "gcs_address": f"127.0.0.1:{port}",
        },
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "max_workers": 0, "node_config": {}},
            "cpu-spot": {
                "resources": {"CPU": 1, "object_store_memory": 80 * _MIB},
                "labels": {"vcn-kind": "cpu-spot"},
                "min_workers": 0,
                "max_workers": max_workers,
                "node_config": {},
            },
        },
        **{name: {} for name in ("file_mounts", "auth", "docker")},
        **{name: [] for name in ("cluster_synced_files", "rsync_exclude", "rsync_filter", "initialization_commands")},
        **{name: [] for name in ("setup_commands", "head_setup_commands", "worker_setup_commands")},
        **{name: [] for name in ("head_start_ray_commands", "worker_start_ray_commands")},
        "file_mounts_sync_continuously": False,
    }


@pytest.fixture
def autoscaled_cluster() -> Iterator[tuple[str, dict[str, str]]]:
    """A head without CPUs on 127.0.0.1, with a token, that starts up to 3 machines of one CPU; stopped at the end.

    Gives its address, and the environment of whoever may talk to it.
    """
    folder = Path(tempfile.mkdtemp(prefix="vcn-"))  # short: paths of sockets may have 107 characters
    port = _free_port()
    config = folder / "autoscaling.json"
    config.write_text(json.dumps(_autoscaling(port, max_workers=3, idle_s=6)))
    environment = os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # keeps it on 127.0.0.1
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_FAKE_CLUSTER": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    }
    command = [Path(sysconfig.get_path("scripts"), "ray"), "start", "--head", "--block", "--num-cpus=0"]
    command += [
        f"--port={port}",
        "--node-ip-address=127.0.0.1",
        f"--temp-dir={folder}/ray",
        "--include-dashboard=false",
    ]
    command += [f"--object-store-memory={80 * _MIB}", "--dashboard-agent-listen-port=0", "--metrics-export-port=0"]
    with open(folder / "head.log", "wb") as log:
        head = subprocess.Popen(  # noqa: S603
            [*command, f"--autoscaling-config={config}"],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _START_S
        while not _listens(port):
            assert head.poll() is None, (folder / "head.log").read_text()
            assert time.monotonic() < deadline, "the head did not start"
            time.sleep(0.2)
        yield f"127.0.0.1:{port}", environment
    finally:
        os.killpg(head.pid, signal.SIGKILL)  # all of its raylets, too; they end their workers
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
