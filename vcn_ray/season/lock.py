"""One run at a time in a folder of results, or below an object store's prefix."""

from __future__ import annotations

import errno
import fcntl
import getpass
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from vcn_ray import objectstore
from vcn_ray.errors import OutputError, VcnError
from vcn_ray.storage import Store

_LOCK = ".lock"

#: How often a run says that it is alive, and after how much silence another may take its place.
BEAT_S = 10.0
STALE_S = 60.0


class Lock:
    """The right to write. `check` raises `OutputError` once another run has taken it over."""

    def __init__(self, url: str):
        self._url = url
        self._lost = threading.Event()

    def lose(self) -> None:
        """From now on it is another's."""
        self._lost.set()

    def check(self) -> None:
        """Go on only if the right to write is still this run's."""
        if self._lost.is_set():
            raise OutputError(
                f"{self._url}: this run gave no sign of life for {STALE_S:.0f} s and another may have taken its place; "
                "see `vcn-ray status`, and run the same command again"
            )


@contextmanager
def only_run_in(out: Store) -> Iterator[Lock]:
    """Hold the place for this run.

    A folder's lock is the file system's and ends with the process, however it ends. In an object store it is an object
    that is written under the condition that nobody else has, and again every `BEAT_S` seconds; a run silent for
    `STALE_S` seconds, by the store's own clock, is taken for dead. `OutputError` says who runs there.
    """
    with _locked_file(out) if out.is_local else _locked_object(out) as lock:
        yield lock


def _me() -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"run": uuid.uuid4().hex, "user": user, "host": socket.gethostname(), "pid": os.getpid(), "started": started}


def _of(content: bytes) -> dict[str, Any]:
    """Who wrote a lock; what is no lock of ours is nobody's."""
    try:
        who = json.loads(content)
    except ValueError:
        return {}
    return who if isinstance(who, dict) else {}


def _refusal(url: str, who: dict[str, Any], last_sign: str) -> OutputError:
    name = "another run"
    if who:
        name += f" (of {who.get('user')}, process {who.get('pid')} on {who.get('host')}, since {who.get('started')})"
    return OutputError(f"{url}: {name} is writing there{last_sign}; wait for it or choose another --out")


@contextmanager
def _locked_file(out: Store) -> Iterator[Lock]:
    try:
        os.makedirs(out.url, exist_ok=True)
        # Never replaced: two runs would each hold a file of that name.
        descriptor = os.open(out.where(_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"cannot write {out.url}: {error.strerror}; choose another --out") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refusal(out.url, _of(os.pread(descriptor, 4096, 0)), "") from None
        except OSError as error:
            raise OutputError(
                f"{out.url}: its file system cannot lock a file ({error.strerror}); choose an --out on another one"
            ) from None
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_me()).encode(), 0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # the lock itself holds without a name in it
                raise OutputError(f"cannot write {out.url}: {error.strerror}; choose another --out") from None
        yield Lock(out.url)
    finally:
        os.close(descriptor)


@contextmanager
def _locked_object(out: Store) -> Iterator[Lock]:
    at = objectstore.parse_url(out.where(_LOCK))
    me, lock, over = _me(), Lock(out.url), threading.Event()
    with objectstore.explained(at.url, "write"):
        etag = _acquire(out.url, at, me)

    def beat() -> None:
        nonlocal etag
        alive = time.monotonic()
        number = 0
        while not over.wait(BEAT_S):
            number += 1
            try:
                renewed = objectstore.write_if(at, json.dumps(me | {"beat": number}).encode(), etag)
                if renewed is None:
                    found = objectstore.read(at)  # ours where the answer to an earlier try was lost
                    renewed = found[1] if found is not None and _of(found[0]).get("run") == me["run"] else None
                    if renewed is None:
                        lock.lose()
                        return
                etag, alive = renewed, time.monotonic()
            except Exception:  # the store does not answer: as long as nobody can have taken over, go on
                if time.monotonic() - alive > STALE_S - BEAT_S:
                    lock.lose()
                    return

    thread = threading.Thread(target=beat, name="lock", daemon=True)
    thread.start()
    try:
        yield lock
    finally:
        over.set()
        thread.join()
        _release(at, me)


def _acquire(url: str, at: objectstore.Location, me: dict[str, Any]) -> str:
    content = json.dumps(me).encode()
    etag = objectstore.write_if(at, content, None)
    if etag is not None:
        return etag
    found, age_s = objectstore.read(at), objectstore.age_s(at)
    if found is None or age_s is None:  # it was given back just now
        etag = objectstore.write_if(at, content, None)
        found = None
    elif _of(found[0]).get("run") == me["run"]:  # ours: the answer to an earlier try was lost
        return found[1]
    elif age_s > STALE_S:
        etag = objectstore.write_if(at, content, found[1])
    if etag is None:
        last_sign = "" if age_s is None else f", last sign of life {age_s:.0f} s ago"
        raise _refusal(url, _of(found[0]) if found else {}, last_sign)
    return etag


def _release(at: objectstore.Location, me: dict[str, Any]) -> None:
    """Give the lock back, if it is still ours; one that cannot be given back goes stale by itself."""
    try:
        with objectstore.explained(at.url, "delete"):
            found = objectstore.read(at)
            if found is not None and _of(found[0]).get("run") == me["run"]:
                objectstore.delete(at)
    except VcnError:
        pass
