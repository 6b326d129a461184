"""One Ray for all tests that need one: starting it costs seconds."""

from collections.abc import Iterator

import pytest

from vcn_ray.config import RunOptions


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local Ray of two CPUs, which runs inside the tests find and use."""
    from vcn_ray.season.session import ray_session

    with ray_session(RunOptions(num_cpus=2)):
        yield
