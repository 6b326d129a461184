"""Reading an object in ranges is reading it: the same bytes, few of them, one version; what fails is named."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vcn_ray.errors import InputError
from vcn_ray.storage import objectstore
from vcn_ray.storage.objectstore import parse_url
from vcn_ray.storage.ranged_file import RangedFile
from vcn_ray.storage.store import Store


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(0, 1500),
    block=st.integers(1, 300),
    moves=st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(-2000, 2000), st.integers(0, 800)), max_size=8),
)
def test_reading_in_ranges_is_reading(s3_bucket: str, size: int, block: int, moves: list[tuple[int, int, int]]) -> None:
    content = bytes(n % 251 for n in range(size))
    Store(s3_bucket).write_bytes("a", content)
    plain = io.BytesIO(content)
    ranged = RangedFile(parse_url(f"{s3_bucket}/a"), first_bytes=block, largest_bytes=3 * block)
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


def test_version_seen_before_is_asked_for(s3_bucket: str) -> None:
    Store(s3_bucket).write_bytes("a", b"one")
    at = parse_url(f"{s3_bucket}/a")
    seen = objectstore.look(at)
    assert seen is not None
    assert RangedFile(at, version=seen.etag).read(3) == b"one"
    Store(s3_bucket).write_bytes("a", b"two")
    with pytest.raises(InputError, match="replaced meanwhile"):
        RangedFile(at, version=seen.etag)


def test_few_requests_in_order_and_few_bytes_after_a_jump(faulty: Any, s3_bucket: str) -> None:
    Store(s3_bucket).write_bytes("a", bytes(6 << 20))
    file = RangedFile(parse_url(f"{s3_bucket}/a"))
    before, asked = objectstore.bytes_read(), len(faulty.paths)
    for _ in range(1000):
        file.read(4096)
    assert len(faulty.paths) - asked <= 5
    file.seek(-5000, io.SEEK_CUR)
    file.read(4096)  # what was read just now is still there
    assert len(faulty.paths) - asked <= 5
    before = objectstore.bytes_read()
    file.seek(5 << 20)
    file.read(10)
    assert objectstore.bytes_read() - before <= 256 << 10


def test_video_in_a_store_that_dies_while_it_is_read(faulty: Any, s3_bucket: str) -> None:
    Store(s3_bucket).write_bytes("v.mkv", bytes(1_000_000))
    file = RangedFile(parse_url(f"{s3_bucket}/v.mkv"))
    faulty.faults = ["dead"] * 12
    with pytest.raises(InputError, match=r"v\.mkv"):
        file.read(10)
    assert len(faulty.met) == 3
    with pytest.raises(InputError, match=r"v\.mkv"):  # told again, without asking again
        file.read(10)
    assert len(faulty.met) == 3
