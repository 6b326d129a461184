"""A Ray to work on: where none answers, one sentence, and soon."""

import socket

import pytest

from vcn_ray.config import RunOptions
from vcn_ray.errors import OptionError
from vcn_ray.season.session import connect, ray_session


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
