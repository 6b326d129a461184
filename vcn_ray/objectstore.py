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
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from vcn_ray.errors import InputError, OutputError, VcnError

T = TypeVar("T")

_PUT_WHOLE_BYTES = 32 << 20  # larger ones go up in parts, several at a time
_FIRST_BLOCK_BYTES = 256 << 10
_LARGEST_BLOCK_BYTES = 8 << 20
_KEPT_BLOCKS = 4
_LONGEST_PAUSE_S = 20.0

_read_bytes_total = 0


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


def _attempts() -> int:
    return max(1, int(os.environ.get("VCN_S3_ATTEMPTS", "8")))


@lru_cache(maxsize=1)
def _client_of(pid: int) -> Any:
    import boto3
    from botocore.config import Config

    timeout_s = float(os.environ.get("VCN_S3_TIMEOUT_S", "60"))
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _attempts()},
        connect_timeout=min(10.0, timeout_s),
        read_timeout=timeout_s,
        max_pool_connections=32,
        # Checksums in trailers are refused by stores that are not AWS's.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client("s3", config=config)


def client() -> Any:
    """The process's S3 client; it may be used by several threads."""
    return _client_of(os.getpid())


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def explained(url: str, doing: str, kind: type[VcnError] = OutputError) -> Iterator[None]:
    """Turn what boto3 raises into one sentence that names the object and the remedy."""
    from boto3.exceptions import S3UploadFailedError
    from botocore import exceptions as aws

    try:
        yield
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound) as error:
        raise kind(
            f"cannot {doing} {url}: no credentials were found ({error}); set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or give the machine a role"
        ) from error
    except aws.ClientError as error:
        remedies = {
            "NoSuchBucket": "there is no such bucket: check its name, or make it",
            "NoSuchKey": "there is no such object: check the name",
            "404": "there is no such bucket or object: check the name",
            "AccessDenied": "access is denied: give these credentials the right to it",
            "403": "access is denied: give these credentials the right to it",
            "InvalidAccessKeyId": "the access key is not known there: check the credentials and the endpoint",
            "SignatureDoesNotMatch": "the secret key is wrong: check the credentials",
            "ExpiredToken": "the credentials have expired: renew them",
            "PreconditionFailed": "it was replaced meanwhile: run the same command again",
        }
        code = _code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in ("SlowDown", "503", "ServiceUnavailable", "Throttling", "InternalError") or status >= 500:
            reason = f"the server answered {code or status} {_attempts()} times: run the same command again later"
        else:
            reason = remedies.get(code, str(error))
        raise kind(f"cannot {doing} {url}: {reason}") from error
    except (aws.BotoCoreError, S3UploadFailedError, OSError) as error:
        where = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "AWS"
        raise kind(
            f"cannot {doing} {url}: {where} does not answer ({' '.join(str(error).split())}), tried {_attempts()} "
            "times; check the network and the endpoint, and run the same command again"
        ) from error


def _again(work: Callable[[], T]) -> T:
    """Do it again, after a growing pause, where a transfer broke off: botocore repeats requests, not bodies."""
    from botocore import exceptions as aws

    broken = (aws.IncompleteReadError, aws.ReadTimeoutError, aws.ResponseStreamingError, aws.ConnectionClosedError)
    for attempt in range(1, _attempts() + 1):
        try:
            return work()
        except broken:
            if attempt == _attempts():
                raise
            time.sleep(min(_LONGEST_PAUSE_S, 0.2 * 2**attempt))
    raise AssertionError("not reached")


def look(at: Location) -> Found | None:
    """Size and version of an object, None where there is none."""
    from botocore.exceptions import ClientError

    try:
        head = client().head_object(Bucket=at.bucket, Key=at.key)
    except ClientError as error:
        if _code(error) in ("404", "NoSuchKey", "NotFound"):
            return None
        raise
    return Found(head["ContentLength"], head["ETag"])


def read(at: Location) -> tuple[bytes, str] | None:
    """An object's content and version, None where there is none."""
    global _read_bytes_total
    from botocore.exceptions import ClientError

    def get() -> tuple[bytes, str]:
        answer = client().get_object(Bucket=at.bucket, Key=at.key)
        return answer["Body"].read(), answer["ETag"]

    try:
        content, etag = _again(get)
    except ClientError as error:
        if _code(error) in ("NoSuchKey", "404"):
            return None
        raise
    _read_bytes_total += len(content)
    return content, etag


def read_range(at: Location, start: int, end: int, etag: str) -> bytes:
    """Bytes [start, end) of an object in this version."""
    global _read_bytes_total

    def get() -> bytes:
        span = f"bytes={start}-{end - 1}"
        return client().get_object(Bucket=at.bucket, Key=at.key, Range=span, IfMatch=etag)["Body"].read()

    content = _again(get)
    _read_bytes_total += len(content)
    return content


def write(at: Location, content: bytes) -> None:
    """Put an object whole: readers see the old content or the new."""
    if len(content) <= _PUT_WHOLE_BYTES:
        client().put_object(Bucket=at.bucket, Key=at.key, Body=content)
    else:
        client().upload_fileobj(io.BytesIO(content), at.bucket, at.key)


def write_file(at: Location, path: str) -> None:
    """Put a local file as an object."""
    client().upload_file(path, at.bucket, at.key)


def write_if(at: Location, content: bytes, etag: str | None) -> str | None:
    """Put an object only where there is none (`etag` None) or it still has this version; its new version, or None."""
    from botocore.exceptions import ClientError

    condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
    try:
        return client().put_object(Bucket=at.bucket, Key=at.key, Body=content, **condition)["ETag"]
    except ClientError as error:
        if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404", "412"):
            return None
        raise


def age_s(at: Location) -> float | None:
    """Seconds since an object was written, by the store's own clock; None where there is none."""
    from email.utils import parsedate_to_datetime

    from botocore.exceptions import ClientError

    try:
        head = client().head_object(Bucket=at.bucket, Key=at.key)
    except ClientError as error:
        if _code(error) in ("404", "NoSuchKey", "NotFound"):
            return None
        raise
    now = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
    return (now - head["LastModified"]).total_seconds()


def list_keys(at: Location) -> Iterator[str]:
    """All keys that begin with the location's, sorted."""
    for page in client().get_paginator("list_objects_v2").paginate(Bucket=at.bucket, Prefix=at.key):
        for item in page.get("Contents", ()):
            yield item["Key"]


def delete(at: Location) -> None:
    """Remove an object; nothing happens where there is none."""
    client().delete_object(Bucket=at.bucket, Key=at.key)


def delete_below(at: Location) -> None:
    """Remove all objects whose key begins with the location's and a '/'."""
    keys = list(list_keys(Location(at.bucket, f"{at.key}/")))
    for first in range(0, len(keys), 1000):
        batch = [{"Key": key} for key in keys[first : first + 1000]]
        client().delete_objects(Bucket=at.bucket, Delete={"Objects": batch, "Quiet": True})


class RangedFile(io.RawIOBase):
    """An object as a seekable file for reading, fetched in ranges as they are asked for.

    A shard of a video reads the container's index and its own part, so ranges cost about what the shard needs: no copy
    of the file on each machine that would have to be locked, limited and cleared away. Blocks grow while reading goes
    on in order and start small again after a jump; the last few are kept. An object that is replaced meanwhile is an
    error.

    Args:
        at: the object.
        kind: what errors are raised as, `InputError` for videos.
    """

    def __init__(self, at: Location, kind: type[VcnError] = InputError):
        super().__init__()
        self._at, self._kind = at, kind
        with explained(at.url, "read", kind):
            found = look(at)
        if found is None:
            raise kind(f"{at.url}: there is no such object; check the name")
        self.size_bytes, self._etag = found
        self._position = 0
        self._next = -1  # where reading on in order would go on
        self._block_bytes = _FIRST_BLOCK_BYTES
        self._blocks: deque[tuple[int, bytes]] = deque(maxlen=_KEPT_BLOCKS)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position of the next read; `ValueError` for one before the start."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one block reaches; 0 at the end."""
        view = memoryview(buffer).cast("B")
        if not view.nbytes or self._position >= self.size_bytes:
            return 0
        start, block = self._block(self._position)
        offset = self._position - start
        piece = block[offset : offset + view.nbytes]
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _block(self, position: int) -> tuple[int, bytes]:
        for start, block in self._blocks:
            if start <= position < start + len(block):
                return start, block
        if position == self._next:
            self._block_bytes = min(2 * self._block_bytes, _LARGEST_BLOCK_BYTES)
        else:
            self._block_bytes = _FIRST_BLOCK_BYTES
        end = min(position + self._block_bytes, self.size_bytes)
        with explained(self._at.url, "read", self._kind):
            block = read_range(self._at, position, end, self._etag)
        self._next = end
        self._blocks.append((position, block))
        return position, block
