"""Objects at ``s3://bucket/prefix``: reading whole or in ranges, atomic and conditional writing, errors as sentences.

Credentials come from the places that AWS's own tools look at (environment, shared files, instance roles) and nowhere
else; another endpoint (MinIO and the like) from AWS_ENDPOINT_URL_S3. A throttled, slow or dying server is tried again
with growing pauses, VCN_S3_ATTEMPTS times (default 8), each try waiting VCN_S3_TIMEOUT_S (default 60) for an answer;
then it is named in the error.
"""

from __future__ import annotations

import io
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple

from vcn_ray.errors import InputError, OptionError, OutputError, VcnError

_PUT_WHOLE_BYTES = 32 << 20  # larger ones go up in parts, several at a time
_LONGEST_PAUSE_S = 20.0
_DELETED_AT_ONCE = 16

_read_bytes_total = 0
_counting = threading.Lock()


class Location(NamedTuple):
    """A bucket and a key in it, or the beginning of keys."""

    bucket: str
    key: str

    @property
    def url(self) -> str:
        """As people write it."""
        return f"s3://{self.bucket}/{self.key}"


class Found(NamedTuple):
    """What a look at an object tells."""

    size_bytes: int
    etag: str


def is_object_url(url: str) -> bool:
    """Whether it names something in an object store."""
    return url.startswith("s3://")


def parse_url(url: str) -> Location:
    """Bucket and key of an ``s3://`` URL; `InputError` where it names no bucket."""
    parts = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]+)(?:/+(.*))?", url, re.DOTALL)
    if parts is None:
        raise InputError(f"{url}: this is no s3://BUCKET/KEY; write the bucket's name in lower case after s3://")
    return Location(parts[1], (parts[2] or "").rstrip("/"))


def bytes_read() -> int:
    """Bytes that this process has read from object stores."""
    return _read_bytes_total


def _setting(name: str, default: float) -> float:
    """A number above 0 from the environment."""
    text = os.environ.get(name, "")
    try:
        value = float(text or default)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise OptionError(f"{name} is {text!r}; set it to a number above 0, or leave it out for {default:g}")
    return value


def _attempts() -> int:
    return max(1, round(_setting("VCN_S3_ATTEMPTS", 8)))


@lru_cache(maxsize=4)
def _client_of(pid: int, timeout_s: float) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": _attempts()},
        connect_timeout=min(10.0, timeout_s),
        read_timeout=timeout_s,
        max_pool_connections=32,
        # Checksums in trailers are refused by stores that are not AWS's.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        return boto3.session.Session().client("s3", config=config)
    except ValueError as error:  # what botocore says to an endpoint that is no address
        raise OptionError(
            f"the object store's address cannot be used ({error}); write it as http://HOST:PORT in "
            "AWS_ENDPOINT_URL_S3 or in endpoint_url of ~/.aws/config"
        ) from None


def client(timeout_s: float | None = None) -> Any:
    """The process's S3 client; it may be used by several threads. `timeout_s` is for one answer."""
    return _client_of(os.getpid(), timeout_s or _setting("VCN_S3_TIMEOUT_S", 60))


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


_MISSING = ("404", "NoSuchKey", "NotFound")
_OVERLOADED = ("SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException", "InternalError", "RequestTimeout")
_REMEDIES = {
    "NoSuchBucket": "there is no such bucket: check its name, or make it",
    "NoSuchKey": "there is no such object: check the name",
    "404": "there is no such bucket or object: check the name",
    "AccessDenied": "access is denied: give these credentials the right to list, read and write there",
    "403": "access is denied: give these credentials the right to list, read and write there",
    "InvalidAccessKeyId": "the access key is not known there: check the credentials and the endpoint",
    "SignatureDoesNotMatch": "the secret key is wrong: check the credentials",
    "ExpiredToken": "the credentials have expired: renew them",
    "PreconditionFailed": "it was replaced meanwhile: run the same command again",
    "NotImplemented": "the store cannot do this: use one that knows conditional writing, or a folder",
}


@contextmanager
def explained(url: str, doing: str, kind: type[VcnError] = OutputError) -> Iterator[None]:
    """Turn what boto3 raises into one sentence that names the object and the remedy."""
    from botocore import exceptions as aws
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (
        aws.NoCredentialsError,
        aws.PartialCredentialsError,
        aws.CredentialRetrievalError,
        aws.ProfileNotFound,
        aws.SSOError,
        aws.TokenRetrievalError,
    ) as error:
        raise kind(
            f"cannot {doing} {url}: no credentials were found ({_in_a_line(error)}); set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
        ) from error
    except aws.ClientError as error:
        answer, code = error.response.get("ResponseMetadata", {}), _code(error)
        status = answer.get("HTTPStatusCode", 0)
        if code in _OVERLOADED or status == 429 or (status >= 500 and status != 501):
            tries = answer.get("RetryAttempts", 0) + 1
            reason = f"the server answered {code or status} {tries} times: run the same command again later"
        else:
            reason = _REMEDIES.get(code) or f"{_in_a_line(error)}: check bucket, region and credentials"
        raise kind(f"cannot {doing} {url}: {reason}") from error
    except (aws.HTTPClientError, aws.ConnectionError, aws.IncompleteReadError, HTTPError) as error:
        where = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "AWS"
        raise kind(
            f"cannot {doing} {url}: {where} does not answer ({_in_a_line(error)}), tried {_attempts()} "
            "times; check the network and the endpoint, and run the same command again"
        ) from error
    except aws.BotoCoreError as error:
        raise kind(
            f"cannot {doing} {url}: {_in_a_line(error)}; check ~/.aws/config and the AWS_... variables"
        ) from error


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _get(at: Location, **request: str) -> tuple[bytes, dict[str, Any]]:
    """Body and head of an answer; asked again where the body breaks off, since botocore repeats requests alone."""
    global _read_bytes_total
    from botocore import exceptions as aws
    from urllib3.exceptions import HTTPError

    attempts = _attempts()
    for attempt in range(1, attempts + 1):
        answer = client().get_object(Bucket=at.bucket, Key=at.key, **request)
        try:
            content = answer["Body"].read()
        except (aws.IncompleteReadError, aws.HTTPClientError, HTTPError):
            answer["Body"].close()
            if attempt == attempts:
                raise
            time.sleep(min(_LONGEST_PAUSE_S, 0.2 * 2**attempt))
        else:
            with _counting:
                _read_bytes_total += len(content)
            return content, answer
    raise AssertionError("not reached")


def _head(at: Location) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        return client().head_object(Bucket=at.bucket, Key=at.key)
    except ClientError as error:
        if _code(error) in _MISSING:
            return None
        raise


def look(at: Location) -> Found | None:
    """Size and version of an object, None where there is none."""
    head = _head(at)
    return None if head is None else Found(head["ContentLength"], head["ETag"])


def age_s(at: Location) -> float | None:
    """Seconds since an object was written, by the store's own clock; None where there is none."""
    head = _head(at)
    if head is None:
        return None
    now = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
    return (now - head["LastModified"]).total_seconds()


def read(at: Location) -> tuple[bytes, str] | None:
    """An object's content and version, None where there is none."""
    from botocore.exceptions import ClientError

    try:
        content, answer = _get(at)
    except ClientError as error:
        if _code(error) in _MISSING:
            return None
        raise
    return content, answer["ETag"]


def read_range(at: Location, start: int, end: int, etag: str) -> bytes:
    """Bytes [start, end) of an object in this version."""
    return _get(at, Range=f"bytes={start}-{end - 1}", IfMatch=etag)[0]


def write(at: Location, content: bytes, in_parts_above_bytes: int = _PUT_WHOLE_BYTES) -> None:
    """Put an object, a large one in parts: readers see the old content or the new."""
    if len(content) <= in_parts_above_bytes:
        client().put_object(Bucket=at.bucket, Key=at.key, Body=content)
    else:
        client().upload_fileobj(io.BytesIO(content), at.bucket, at.key)


def write_file(at: Location, path: str) -> None:
    """Put a local file as an object, a large one in parts."""
    with open(path, "rb") as file:
        client().upload_fileobj(file, at.bucket, at.key)


def write_if(at: Location, content: bytes, etag: str | None, timeout_s: float | None = None) -> str | None:
    """Put an object only where there is none (`etag` None) or it still has this version; its new version, or None."""
    from botocore.exceptions import ClientError

    condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
    try:
        return client(timeout_s).put_object(Bucket=at.bucket, Key=at.key, Body=content, **condition)["ETag"]
    except ClientError as error:
        if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "412", *_MISSING):
            return None
        raise


def list_keys(at: Location) -> Iterator[str]:
    """All keys that begin with the location's, sorted; not the empty objects "name/" that stand for folders."""
    for page in client().get_paginator("list_objects_v2").paginate(Bucket=at.bucket, Prefix=at.key):
        yield from (item["Key"] for item in page.get("Contents", ()) if not item["Key"].endswith("/"))


def delete(at: Location, etag: str | None = None) -> None:
    """Remove an object, if there is one; with an `etag` only if it still has this version."""
    from botocore.exceptions import ClientError

    try:
        client().delete_object(Bucket=at.bucket, Key=at.key, **({} if etag is None else {"IfMatch": etag}))
    except ClientError as error:
        if etag is None or _code(error) not in ("PreconditionFailed", "ConditionalRequestConflict", "412", *_MISSING):
            raise


def delete_below(at: Location) -> None:
    """Remove all objects whose key begins with the location's and a '/'.

    One by one: the request that deletes many needs a checksum that boto3 no longer sends, for which MinIO and others
    refuse it.
    """
    keys = list(list_keys(Location(at.bucket, f"{at.key}/")))
    with ThreadPoolExecutor(_DELETED_AT_ONCE) as pool:
        list(pool.map(lambda key: delete(Location(at.bucket, key)), keys))
