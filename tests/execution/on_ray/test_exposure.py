"""Who can reach the Ray that a run starts: nobody from outside the machine, and nobody without its token."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_LISTENING = "0A"

# A Ray of its own, with a worker that has done something and with the dashboard; it stays until its input is closed.
_RAY = """
import json, os, sys
from vcn_ray.config import RunOptions
from vcn_ray.execution.on_ray.session import ray_session
with ray_session(RunOptions(num_cpus=1, dashboard=True)):
    import ray
    ray.get(ray.remote(lambda: 1).remote())
    node = ray._private.worker.global_worker.node
    told = {"address": ray.get_runtime_context().gcs_address, "dashboard": node.webui_url}
    print(json.dumps(told | {"token": os.environ["RAY_AUTH_TOKEN"]}), flush=True)
    sys.stdin.read()
"""

_VISITOR = """
import sys
from vcn_ray.errors import OptionError
from vcn_ray.execution.on_ray.session import connect
try:
    connect(sys.argv[1])
    import os, ray
    names = ["AWS_ENDPOINT_URL_S3", "AWS_SECRET_ACCESS_KEY"]
    print("in", *ray.get(ray.remote(lambda: [os.environ.get(name) for name in names]).remote()))
except OptionError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def local_ray() -> Iterator[dict[str, Any]]:
    """Address, dashboard and token of a Ray as a run starts it, and the number of the process that started it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "AWS_"))}
    starter = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", _RAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert starter.stdin is not None
    assert starter.stdout is not None
    try:
        yield json.loads(starter.stdout.readline()) | {"pid": starter.pid}
    finally:
        starter.stdin.close()
        starter.wait(timeout=60)


def _children(pid: int) -> list[int]:
    """A process and all that it has started, and those in their turn."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:  # it has ended
            continue
        parents[int(status.parent.name)] = int(text.rpartition(")")[2].split()[1])
    found = [pid]
    for parent in found:
        found += [child for child, of in parents.items() if of == parent]
    return found


def _listening(pids: list[int]) -> dict[str, str]:
    """Local address in hexadecimal, with its port, of all sockets on which these processes listen."""
    addresses = {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING:
                addresses[f"socket:[{fields[9]}]"] = fields[1]
    found = {}
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                link = os.readlink(file)
            except OSError:  # closed meanwhile
                continue
            if link in addresses:
                found[f"{pid} {link}"] = addresses[link]
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="asks Linux who listens where")
def test_all_of_it_listens_on_this_machine_alone(local_ray: dict[str, Any]) -> None:
    found = _listening(_children(local_ray["pid"]))
    assert len(found) >= 5  # GCS, raylet, dashboard, agents, worker
    for place, address in found.items():
        host = address.partition(":")[0]
        assert host in ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"), place


def _status(url: str, token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", ["/api/version", "/api/jobs/", "/nodes?view=summary"])
def test_dashboard_and_jobs_are_for_who_has_the_token(local_ray: dict[str, Any], path: str) -> None:
    url = f"http://{local_ray['dashboard']}{path}"
    assert _status(url, None) == 401
    assert _status(url, "0" * 64) == 403
    assert _status(url, local_ray["token"]) == 200


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "{token}"}, "in http://store:9000 None"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}, "it may ask for a token"),
        ({"RAY_AUTH_MODE": "token"}, "no token was found"),
    ],
)
def test_who_has_the_token_may_work_and_who_has_not_is_told(
    local_ray: dict[str, Any], tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "AWS_"))}
    environment |= {name: value.format(token=local_ray["token"]) for name, value in settings.items()}
    environment |= {
        "HOME": str(tmp_path),  # where there is no token
        "AWS_ENDPOINT_URL_S3": "http://store:9000",  # workers learn this from the driver
        "AWS_SECRET_ACCESS_KEY": "secret",  # and this not
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_NUM_REDIS_GET_RETRIES": "1",
    }
    command = [sys.executable, "-c", _VISITOR, local_ray["address"]]
    visit = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert says in visit.stdout, visit.stderr
