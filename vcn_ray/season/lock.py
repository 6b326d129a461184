"""One run at a time in a folder of results."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from vcn_ray.errors import OutputError
from vcn_ray.storage import Store

_LOCK = ".lock"


@contextmanager
def only_run_in(out: Store) -> Iterator[None]:
    """Hold the folder for this run; the lock ends with the process, however it ends."""
    if not out.exists(_LOCK):
        out.write_bytes(_LOCK, b"")
    try:
        descriptor = os.open(out.path(_LOCK), os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise OutputError(f"cannot write {out.root}: {error.strerror}; choose another --out") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"{out.root}: another run is writing there; wait for it or choose another --out"
            ) from None
        except OSError as error:
            raise OutputError(
                f"{out.root}: its file system cannot lock a file ({error.strerror}); choose an --out on another one"
            ) from None
        yield
    finally:
        os.close(descriptor)
