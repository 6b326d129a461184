"""An object store that is throttled, slow, or dies in an answer is asked again, then named; ranges read the same.

A real HTTP server (moto) is behind all of it.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vcn_ray import objectstore
from vcn_ray.errors import InputError, OutputError
from vcn_ray.objectstore import RangedFile, parse_url
from vcn_ray.storage import Store

sys.path.insert(0, str(Path(__file__).parent))
from faulty_server import FaultyServer, faulty_server


@pytest.fixture
def faulty(s3_server: str, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """The store behind a server that misbehaves when told; tries and pauses are short."""
    with faulty_server(s3_server) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        monkeypatch.setenv("VCN_S3_TIMEOUT_S", "1")
        objectstore._client_of.cache_clear()
        yield server
    objectstore._client_of.cache_clear()


@pytest.mark.parametrize("fault", ["throttled", "slow", "dead", "cut"])
def test_what_fails_twice_is_done_all_the_same(faulty: FaultyServer, s3_bucket: str, fault: str) -> None:
    store = Store(s3_bucket)
    store.write_bytes("a", b"x" * 100_000)
    faulty.faults = [fault, fault]
    assert store.read_bytes("a") == b"x" * 100_000
    assert faulty.met == [fault, fault]


@pytest.mark.parametrize("fault", ["throttled", "dead"])
def test_writing_is_tried_again_too(faulty: FaultyServer, s3_bucket: str, fault: str) -> None:
    faulty.faults = [fault, fault]
    Store(s3_bucket).write_bytes("a", b"content")
    assert Store(s3_bucket).read_bytes("a") == b"content"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("throttled", "the server answered SlowDown 3 times"),
        ("slow", "does not answer"),
        ("dead", "does not answer"),
        ("cut", "does not answer"),
    ],
)
def test_what_fails_for_good_is_named(faulty: FaultyServer, s3_bucket: str, fault: str, says: str) -> None:
    store = Store(s3_bucket)
    store.write_bytes("a", b"x" * 100_000)
    faulty.faults = [fault] * 12
    with pytest.raises(OutputError, match=says) as error:
        store.read_bytes("a")
    assert f"{s3_bucket}/a" in str(error.value)
    assert "\n" not in str(error.value)


def test_marker_that_cannot_be_read_is_no_missing_marker(faulty: FaultyServer, s3_bucket: str) -> None:
    """Or an outage would have all of a season done again."""
    Store(s3_bucket).mark_done("step", "d")
    faulty.faults = ["throttled"] * 12
    with pytest.raises(OutputError):
        Store(s3_bucket).is_done("step", "d")


def test_video_in_a_store_that_dies_while_it_is_read(faulty: FaultyServer, s3_bucket: str) -> None:
    Store(s3_bucket).write_bytes("v.mkv", bytes(1_000_000))
    file = RangedFile(parse_url(f"{s3_bucket}/v.mkv"))
    faulty.faults = ["dead"] * 12
    with pytest.raises(InputError, match=r"v\.mkv"):
        file.read(10)


@pytest.mark.parametrize(
    ("url", "says"),
    [("s3://", "no s3://BUCKET/KEY"), ("s3://UPPER/x", "no s3://BUCKET/KEY"), ("s3:///x", "no s3://BUCKET/KEY")],
)
def test_urls_that_name_no_bucket(url: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_url(url)


def test_missing_buckets_are_named(s3_server: str) -> None:
    with pytest.raises(OutputError, match="there is no such bucket"):
        Store("s3://no-such-bucket-here/x").write_bytes("a", b"")


def test_missing_credentials_are_told(s3_bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    objectstore._client_of.cache_clear()
    with pytest.raises(OutputError, match="no credentials were found"):
        Store(s3_bucket).write_bytes("a", b"")
    objectstore._client_of.cache_clear()


def test_object_of_several_parts(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objectstore, "_PUT_WHOLE_BYTES", 1 << 20)
    content = bytes(range(256)) * (40 << 10)  # more than the 8 MB from which boto3 sends parts
    Store(s3_bucket).write_bytes("big", content)
    assert Store(s3_bucket).read_bytes("big") == content


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(0, 5000),
    block=st.integers(1, 700),
    moves=st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(-6000, 6000), st.integers(0, 3000)), max_size=12),
)
def test_reading_in_ranges_is_reading(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, size: int, block: int, moves: list[tuple[int, int, int]]
) -> None:
    monkeypatch.setattr(objectstore, "_FIRST_BLOCK_BYTES", block)
    monkeypatch.setattr(objectstore, "_LARGEST_BLOCK_BYTES", 3 * block)
    content = bytes(n % 251 for n in range(size))
    Store(s3_bucket).write_bytes("a", content)
    plain, ranged = io.BytesIO(content), RangedFile(parse_url(f"{s3_bucket}/a"))
    for whence, offset, length in moves:
        base = (0, plain.tell(), size)[whence]
        if base + offset < 0:
            with pytest.raises(ValueError, match="negative"):
                ranged.seek(offset, whence)
            continue
        assert ranged.seek(offset, whence) == plain.seek(offset, whence)
        got = b""
        while len(got) < length and (piece := ranged.read(length - len(got))):
            got += piece
        assert got == plain.read(length)
        assert ranged.tell() == plain.tell()


def test_object_that_is_replaced_while_it_is_read_is_an_error(s3_bucket: str) -> None:
    Store(s3_bucket).write_bytes("a", bytes(1 << 20))
    file = RangedFile(parse_url(f"{s3_bucket}/a"))
    file.read(10)
    Store(s3_bucket).write_bytes("a", b"another")
    file.seek(1 << 19)
    with pytest.raises(InputError, match="replaced meanwhile"):
        file.read(10)
