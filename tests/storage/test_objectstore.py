"""An object store that is throttled, slow, or dies in an answer is asked again, then named.

A real HTTP server (moto) is behind all of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vcn_ray.errors import InputError, OptionError, OutputError
from vcn_ray.storage import objectstore
from vcn_ray.storage.objectstore import parse_url
from vcn_ray.storage.store import Store


@pytest.mark.parametrize("fault", ["throttled", "slow", "dead", "cut"])
def test_what_fails_twice_is_done_all_the_same(faulty: Any, s3_bucket: str, fault: str) -> None:
    store = Store(s3_bucket)
    store.write_bytes("a", b"x" * 100_000)
    faulty.faults = [fault, fault]
    assert store.read_bytes("a") == b"x" * 100_000
    assert faulty.met == [fault, fault]


@pytest.mark.parametrize("fault", ["throttled", "dead"])
def test_writing_is_tried_again_too(faulty: Any, s3_bucket: str, fault: str) -> None:
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
def test_what_fails_for_good_is_named(faulty: Any, s3_bucket: str, fault: str, says: str) -> None:
    store = Store(s3_bucket)
    store.write_bytes("a", b"x" * 100_000)
    faulty.faults = [fault] * 12
    with pytest.raises(OutputError, match=says) as error:
        store.read_bytes("a")
    assert f"{s3_bucket}/a" in str(error.value)
    assert "\n" not in str(error.value)
    assert faulty.met == [fault] * 3


def test_table_that_cannot_be_read_for_now_is_not_called_damaged(faulty: Any, s3_bucket: str) -> None:
    store = Store(s3_bucket)
    store.write_table("t", pa.table({"n": range(100_000)}))
    before = len(faulty.paths)
    store.read_table("t")
    faulty.faults = [""] * (len(faulty.paths) - before - 1) + ["throttled"] * 12
    with pytest.raises(OutputError, match="SlowDown 3 times"):
        store.read_table("t")


def test_store_that_cannot_do_something_is_asked_once(faulty: Any, s3_bucket: str) -> None:
    faulty.faults = ["unable"] * 3
    with pytest.raises(OutputError, match="the store cannot do this"):
        Store(s3_bucket).write_bytes("a", b"")
    assert faulty.met == ["unable"]


def test_what_cannot_be_deleted_is_named(faulty: Any, s3_bucket: str) -> None:
    store = Store(s3_bucket)
    store.write_bytes("a/b", b"")
    faulty.faults = ["", *["throttled"] * 12]
    with pytest.raises(OutputError, match="cannot delete"):
        store.delete("a")


def test_marker_that_cannot_be_read_is_no_missing_marker(faulty: Any, s3_bucket: str) -> None:
    """Or an outage would have all of a season done again."""
    Store(s3_bucket).mark_done("step", "d")
    faulty.faults = ["throttled"] * 12
    with pytest.raises(OutputError):
        Store(s3_bucket).is_done("step", "d")


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


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AWS_ENDPOINT_URL_S3", "minio:9000", "http://HOST:PORT"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1", "http://127.0.0.1:1 does not answer"),
        ("AWS_PROFILE", "nobody", "no credentials were found"),
        ("VCN_S3_ATTEMPTS", "many", "VCN_S3_ATTEMPTS is 'many'"),
        ("VCN_S3_TIMEOUT_S", "-1", "VCN_S3_TIMEOUT_S is '-1'"),
    ],
)
def test_wrong_settings_are_told(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    objectstore._client_of.cache_clear()
    with pytest.raises((OptionError, OutputError), match=says):
        Store(s3_bucket).write_bytes("a", b"")
    objectstore._client_of.cache_clear()


def test_objects_that_stand_for_folders_are_no_content(s3_bucket: str) -> None:
    bucket = parse_url(s3_bucket).bucket
    for key in ("season/", "season/a/", "season/a/b"):
        objectstore.client().put_object(Bucket=bucket, Key=key, Body=b"")
    assert Store(f"{s3_bucket}/season").keys() == ["a/b"]


def test_conditions_on_versions(s3_bucket: str) -> None:
    at = parse_url(f"{s3_bucket}/a")
    first = objectstore.write_if(at, b"1", None)
    assert first is not None
    assert objectstore.write_if(at, b"2", None) is None
    second = objectstore.write_if(at, b"2", first)
    assert second is not None
    assert objectstore.write_if(at, b"3", first) is None
    objectstore.delete(at, first)
    assert objectstore.read(at) == (b"2", second)
    objectstore.delete(at, second)
    assert objectstore.read(at) is None
    assert objectstore.write_if(at, b"3", second) is None


def test_object_of_several_parts(s3_bucket: str) -> None:
    content = bytes(range(256)) * (40 << 10)  # more than the 8 MB from which boto3 sends parts
    objectstore.write(parse_url(f"{s3_bucket}/big"), content, in_parts_above_bytes=1 << 20)
    assert Store(s3_bucket).read_bytes("big") == content


def test_large_object_that_cannot_be_put_is_named(faulty: Any, s3_bucket: str, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(20 << 20))
    faulty.faults = ["", "", *["throttled"] * 100]
    with pytest.raises(OutputError, match=r"cannot write .*/big: the server answered SlowDown"):
        Store(s3_bucket).write_file("big", tmp_path / "big")
    faulty.faults = []
    assert not Store(s3_bucket).exists("big")
