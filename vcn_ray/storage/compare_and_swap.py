"""An object that several people change: read, changed and written so that nobody's change is lost."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vcn_ray.errors import OutputError
from vcn_ray.storage import objectstore
from vcn_ray.storage.store import Store

#: How long somebody else's change is waited for. One takes milliseconds, in an object store tenths of a second.
_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.05


def change_object(store: Store, key: str, change: Callable[[bytes | None], bytes]) -> bytes:
    """Replace an object's content by what `change` makes of it (None: there is none); the content written.

    In a folder one process at a time may change it; in an object store the new content is put under the condition that
    the object is still the one that was read, and `change` is called again where it is not.

    Raises:
        OutputError: it cannot be read or written, or somebody else kept changing it.
    """
    if store.is_local:
        with _only_one(store, key):
            content = change(store.read_bytes(key) if store.exists(key) else None)
            store.write_bytes(key, content)
            return content
    at = objectstore.parse_url(store.where(key))
    until = time.monotonic() + _PATIENCE_S
    tried: bytes | None = None
    while time.monotonic() < until:
        with objectstore.explained(at.url, "write"):
            found = objectstore.read(at)
        if tried is not None and found is not None and found[0] == tried:
            return tried  # it was put, but the answer was lost, and the next try met what this one had written
        content = tried = change(None if found is None else found[0])
        with objectstore.explained(at.url, "write"):
            if objectstore.write_if(at, content, None if found is None else found[1]) is not None:
                return content
        time.sleep(random.uniform(_LOOK_EVERY_S, 4 * _LOOK_EVERY_S))  # noqa: S311  # two who collide part company
    raise _busy(store, key)


@contextmanager
def _only_one(store: Store, key: str) -> Iterator[None]:
    """Hold the file system's lock of a hidden file beside the object; it ends with the process."""
    path = store.where(f".{key}.lock")
    try:
        os.makedirs(store.url, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; check the folder's permissions") from None
    try:
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise OutputError(
                        f"{path}: its file system cannot lock a file ({error.strerror}); keep results on another"
                    ) from None
                if time.monotonic() > until:
                    raise _busy(store, key) from None
                time.sleep(_LOOK_EVERY_S)
        yield
    finally:
        os.close(descriptor)


def _busy(store: Store, key: str) -> OutputError:
    return OutputError(f"{store.where(key)}: somebody else has been changing it for {_PATIENCE_S:.0f} s; try again")
