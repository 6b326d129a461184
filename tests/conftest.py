"""One Ray and one object store for all tests that need one: starting them costs seconds."""

import logging
import os
import uuid
from collections.abc import Iterator

import hypothesis
import pytest
from support.faulty_server import FaultyServer, faulty_server

from vcn_ray.config import RunOptions
from vcn_ray.storage import objectstore

# How long an example takes is the machine's affair. Examples are other ones in each run; `same-examples` is for a check
# that decides what lands (``.ci/run``): a change is not to fail by an example that luck has found in another's code.
hypothesis.settings.register_profile("other-examples", deadline=None)
hypothesis.settings.register_profile("same-examples", deadline=None, derandomize=True)
hypothesis.settings.load_profile("other-examples")

#: Where the object store listens: fixed before any Ray starts, since Ray's workers inherit the environment.
_S3_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "VCN_S3_ATTEMPTS": "3",
    "VCN_S3_TIMEOUT_S": "5",
}

#: Who asks for one of these starts a Ray.
_RAY_FIXTURES = {"ray_cluster", "autoscaled_cluster", "local_ray"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a Ray: those tests go beside the others, in a process of their own (``.ci/run``)."""
    for item in items:
        if _RAY_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("ray")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of a real HTTP server that speaks S3 (moto), known to this process and to Ray's workers."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    before = dict(os.environ)
    os.environ.update(_S3_ENVIRONMENT, AWS_ENDPOINT_URL_S3=address)
    yield address
    os.environ.clear()
    os.environ.update(before)
    server.stop()


@pytest.fixture
def s3_bucket(s3_server: str) -> str:
    """URL of a fresh bucket."""
    name = f"b{uuid.uuid4().hex}"
    objectstore.client().create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture
def faulty(s3_server: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """The store behind a server that misbehaves when told; waiting for an answer is short."""
    with faulty_server(s3_server) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        monkeypatch.setenv("VCN_S3_TIMEOUT_S", "1")
        objectstore._client_of.cache_clear()
        yield server
    objectstore._client_of.cache_clear()


@pytest.fixture(scope="session")
def ray_cluster(s3_server: str) -> Iterator[None]:
    """A local Ray of two CPUs, which runs inside the tests find and use; its workers know the object store."""
    from vcn_ray.execution.on_ray.session import ray_session

    with ray_session(RunOptions(num_cpus=2)):
        yield
