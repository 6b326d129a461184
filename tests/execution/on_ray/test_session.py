"""A Ray to work on: where none answers, one sentence, and soon."""

import socket
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from vcn_ray.config import RunOptions
from vcn_ray.errors import OptionError, VcnError
from vcn_ray.execution.on_ray.session import connect, ray_if_up, ray_session, settled_device


def test_address_where_nobody_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(OptionError, match=f"no Ray answers at {address}"):
        connect(address)


def test_process_that_has_a_ray_keeps_it(ray_cluster: None) -> None:
    import ray

    with ray_session(RunOptions()) as cluster:
        assert cluster.cpus == 2
    assert ray.is_initialized()
    with settled_device(RunOptions()) as device:
        assert device == "cpu"
    assert ray.is_initialized()


@pytest.mark.parametrize("address", ["nonsense", "host:port:x", "ftp://x", "127.0.0.1:99999"])
def test_address_that_is_none(address: str) -> None:
    with pytest.raises(OptionError, match="option 'address'"):
        connect(address)


def test_ray_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def fail(**_: Any) -> None:
        raise RuntimeError("no room\nand more")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", fail)
    with (
        pytest.raises(VcnError, match=r"Ray could not be started on this machine \(no room\)"),
        ray_session(RunOptions()),
    ):
        pass


def test_a_ray_that_is_just_being_imported_is_not_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    assert ray_if_up() is None
    monkeypatch.delitem(sys.modules, "ray")
    assert ray_if_up() is None
    assert "ray" not in sys.modules


def test_a_ray_that_runs_is_up(ray_cluster: None) -> None:
    import ray

    assert ray_if_up() is ray


def test_a_run_says_where_its_dashboard_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.init", lambda **_: SimpleNamespace(dashboard_url="127.0.0.1:8266"))
    monkeypatch.setattr("ray.shutdown", lambda: None)
    monkeypatch.setattr("ray.nodes", list)
    with ray_session(RunOptions(dashboard=True)) as cluster:
        assert cluster.dashboard_url == "http://127.0.0.1:8266"
    with ray_session(RunOptions()) as cluster:
        assert cluster.dashboard_url == ""
