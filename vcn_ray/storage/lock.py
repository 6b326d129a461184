"""One run at a time in a folder of results, or below an object store's prefix.

Whoever holds a place writes a record of itself there, and writes it again with each beat (`Rhythm`). Nobody compares
two machines' clocks: a run is taken for dead when its record has stayed the same for long enough, as whoever waits has
seen, or as the store's own clock says.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import json
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vcn_ray.errors import OutputError, VcnError
from vcn_ray.storage import objectstore
from vcn_ray.storage.store import Store

_LOCK = ".lock"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Rhythm:
    """How often a run says that it is alive, and after how much silence another may take its place.

    The same for all that may ask for one place.
    """

    beat_s: float = 10.0
    stale_s: float = 60.0

    @property
    def look_s(self) -> float:
        """How often whoever waits looks for a sign of life."""
        return self.beat_s / 5


def _now() -> float:
    """Seconds that also pass while the machine sleeps: after waking up, a run may find that it was given up."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lock:
    """The right to write.

    Args:
        url: the place.
        rhythm: of its beats.
        silent_keep_it: whether it outlasts any time without a beat, since the file system holds it.
    """

    def __init__(self, url: str, rhythm: Rhythm, silent_keep_it: bool):
        self.lost = threading.Event()
        self._url, self._rhythm = url, rhythm
        # Others wait from the last beat on; what is under way when this run gives up must be over by then.
        self._patience_s = math.inf if silent_keep_it else rhythm.stale_s - rhythm.beat_s
        self._alive = _now()

    def beaten(self, asked: float) -> None:
        """A beat was heard that was sent at this time (of `_now`)."""
        self._alive = asked

    def check(self) -> None:
        """Go on only if the right to write is still this run's; `OutputError` once another may have taken it over."""
        # Looked at here, since the beating thread may itself hang on a store that does not answer.
        if _now() - self._alive > self._patience_s:
            self.lost.set()
        if self.lost.is_set():
            raise OutputError(
                f"{self._url}: this run gave no sign of life for {self._rhythm.stale_s:.0f} s and another may have "
                "taken its place; see `vcn-ray status`, and run the same command again"
            )


@contextmanager
def only_run_in(out: Store, say: Say = lambda sentence: None, rhythm: Rhythm = Rhythm()) -> Iterator[Lock]:
    """Hold the place for this run.

    A folder's lock is the file system's and ends with the process, however it ends; since not every shared file system
    carries it to other machines, what another machine's run left is waited for as well. In an object store all is in
    the record, which is written under the condition that nobody else has written it meanwhile.

    Args:
        out: the place.
        say: told why it takes a while.
        rhythm: of the beats.

    Raises:
        OutputError: another run is writing there (it says which), or the place cannot be written.
    """
    with _locked_file(out, say, rhythm) if out.is_local else _locked_object(out, say, rhythm) as lock:
        yield lock


def user_name() -> str:
    """Who uses this process; a number for a container's user without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _me() -> dict[str, Any]:
    user = user_name()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"run": uuid.uuid4().hex, "user": user, "host": socket.gethostname(), "pid": os.getpid(), "started": started}


def _of(content: bytes) -> dict[str, Any]:
    """Who wrote a record; what is no record of ours is nobody's."""
    try:
        who = json.loads(content)
    except ValueError:
        return {}
    return who if isinstance(who, dict) else {}


def _named(who: dict[str, Any]) -> str:
    if not who:
        return "another run"
    place = f"process {who.get('pid')} on {who.get('host')}"
    return f"another run (of {who.get('user')}, {place}, since {who.get('started')})"


def _refusal(url: str, who: dict[str, Any], last_sign: str = "") -> OutputError:
    return OutputError(f"{url}: {_named(who)} is writing there{last_sign}; wait for it or choose another --out")


def _say_waiting(say: Say, url: str, who: dict[str, Any], for_s: float) -> None:
    say(f"{url}: {_named(who)} left no word that it has ended; up to {for_s:.0f} s are waited for a sign of its life")


@contextmanager
def _beating(lock: Lock, beat: Callable[[int], bool], every_s: float) -> Iterator[None]:
    """Beat in a thread; where a beat finds that the place is another's, it is lost."""
    over = threading.Event()

    def go_on() -> None:
        number = 0
        while not over.wait(every_s):
            number += 1
            asked = _now()
            try:
                ours = beat(number)
            except Exception:  # no answer: `Lock.check` tells when that has lasted too long  # noqa: S112
                continue
            if not ours:
                lock.lost.set()
                return
            lock.beaten(asked)

    thread = threading.Thread(target=go_on, name="lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(every_s)


@contextmanager
def _locked_file(out: Store, say: Say, rhythm: Rhythm) -> Iterator[Lock]:
    path = Path(out.where(_LOCK))
    try:
        os.makedirs(out.url, exist_ok=True)
        # Never replaced: two runs would each hold a file of that name.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(f"cannot write {out.url}: {error.strerror}; choose another --out") from None
    me = _me()

    def record(number: int = 0) -> None:
        content = json.dumps(me | {"beat": number}).encode()
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)

    def is_ours() -> bool:
        return _of(path.read_bytes()).get("run", me["run"]) == me["run"]  # a full disk may have left it empty

    def beat(number: int) -> bool:
        if not is_ours():
            return False
        record(number)
        return True

    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refusal(out.url, _of(path.read_bytes())) from None
        except OSError as error:
            raise OutputError(
                f"{out.url}: its file system cannot lock a file ({error.strerror}); choose an --out on another one"
            ) from None
        elsewhere = _wait_for_another_machine(out.url, path, me["host"], say, rhythm)
        try:
            record()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # the file system's lock holds without a record
                raise OutputError(f"cannot write {out.url}: {error.strerror}; choose another --out") from None
        else:
            if elsewhere:
                time.sleep(rhythm.look_s)  # of two machines that waited, the one that wrote last goes on
                if not is_ours():
                    raise _refusal(out.url, _of(path.read_bytes()))
        lock = Lock(out.url, rhythm, silent_keep_it=True)
        try:
            with _beating(lock, beat, rhythm.beat_s):
                yield lock
        finally:
            with suppress(OSError):  # the folder may be gone
                if is_ours():
                    os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _wait_for_another_machine(url: str, path: Path, host: str, say: Say, rhythm: Rhythm) -> bool:
    """Whether a run on another machine left its record; `OutputError` where it still writes it."""
    # Opened anew for each look: a network file system shows others' writes to those who open a file.
    content = path.read_bytes()
    who = _of(content)
    if who.get("host") in (None, host):  # this machine's runs hold the file's lock as long as they live
        return False
    _say_waiting(say, url, who, rhythm.stale_s)
    until = _now() + rhythm.stale_s
    while _now() < until:
        time.sleep(rhythm.look_s)
        if (now := path.read_bytes()) != content:
            if not now:  # it has ended
                return True
            raise _refusal(url, _of(now))
    return True


@contextmanager
def _locked_object(out: Store, say: Say, rhythm: Rhythm) -> Iterator[Lock]:
    at = objectstore.parse_url(out.where(_LOCK))
    me = _me()
    with objectstore.explained(at.url, "write"):
        etag = _acquire(out.url, at, me, say, rhythm)
        written_all_the_same = objectstore.write_if(at, json.dumps(me).encode(), None)
    if written_all_the_same is not None:
        etag = written_all_the_same
        say(f"{out.url}: this store writes whatever the condition; two runs started at one moment would both go on")
    lock = Lock(out.url, rhythm, silent_keep_it=False)

    def beat(number: int) -> bool:
        nonlocal etag
        content = json.dumps(me | {"beat": number}).encode()
        renewed = objectstore.write_if(at, content, etag, timeout_s=rhythm.beat_s / 2)
        if renewed is None:  # another's, or ours where the answer to an earlier try was lost
            found = objectstore.read(at)
            if found is None or _of(found[0]).get("run") != me["run"]:
                return False
            renewed = found[1]
        etag = renewed
        return True

    try:
        with _beating(lock, beat, rhythm.beat_s):
            yield lock
    finally:
        if not lock.lost.is_set():
            _release(at, me)


def _acquire(url: str, at: objectstore.Location, me: dict[str, Any], say: Say, rhythm: Rhythm) -> str:
    """Write the record where there is none or only that of a dead run; its version."""
    content, seen = json.dumps(me).encode(), ""
    while True:
        # In this order: whoever beats in between is the younger for it.
        found, age_s = objectstore.read(at), objectstore.age_s(at)
        if found is not None and age_s is not None:
            record, etag = found
            if _of(record).get("run") == me["run"]:
                return etag  # the answer to an earlier try was lost
            if etag != (seen or etag):
                raise _refusal(url, _of(record), f", last sign of life {age_s:.0f} s ago")
            if age_s <= rhythm.stale_s:
                if not seen:
                    seen = etag
                    _say_waiting(say, url, _of(record), rhythm.stale_s - age_s)
                time.sleep(rhythm.look_s)
                continue
        written = objectstore.write_if(at, content, None if found is None else found[1])
        if written is not None:
            return written


def _release(at: objectstore.Location, me: dict[str, Any]) -> None:
    """Give the place back, if it is still ours; a record that cannot be taken away goes stale by itself."""
    try:
        with objectstore.explained(at.url, "delete"):
            found = objectstore.read(at)
            if found is not None and _of(found[0]).get("run") == me["run"]:
                objectstore.delete(at, found[1])
    except VcnError:
        pass
