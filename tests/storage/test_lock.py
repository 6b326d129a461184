"""One run at a time in a place; whoever is refused is told who runs there; the dead do not hold it.

- What cannot be locked is told apart from what is locked.
- A killed run is waited for, unless the file system knows that it is dead; of many that wait one gets the place.
- Silence loses it, and a run that lost it hears of it.
"""

import errno
import fcntl
import itertools
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from vcn_ray.errors import OutputError
from vcn_ray.storage import lock as lock_module
from vcn_ray.storage import objectstore
from vcn_ray.storage.lock import Rhythm, only_run_in
from vcn_ray.storage.store import Store

pytestmark = pytest.mark.slow  # it waits for heartbeats

FAST = Rhythm(beat_s=0.2, stale_s=2.5)
DEAD = {"run": "dead", "user": "ann", "host": "elsewhere", "pid": 7, "started": "2026-01-01T00:00:00+00:00"}


@pytest.fixture(params=["folder", "bucket"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(tmp_path) if request.param == "folder" else Store(f"{request.getfixturevalue('s3_bucket')}/season")


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run is on a machine of its own, whose file locks the others do not see."""
    number = itertools.count()
    monkeypatch.setattr("socket.gethostname", lambda: f"machine{next(number)}")
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)


def _ask_at_once(out: Store, number: int = 6, rhythm: Rhythm = FAST) -> tuple[int, list[str]]:
    """How many of several runs got the place, and what the others were told."""
    got: list[int] = []
    told: list[str] = []
    over = threading.Event()

    def ask() -> None:
        try:
            with only_run_in(out, rhythm=rhythm):
                got.append(1)
                over.wait()
        except OutputError as error:
            told.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(number)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    while len(got) + len(told) < number and time.monotonic() < until:
        time.sleep(0.05)
    over.set()
    for thread in threads:
        thread.join()
    return len(got), told


@pytest.mark.parametrize(
    ("number", "says"), [(errno.EWOULDBLOCK, "another run is writing there"), (errno.ENOLCK, "cannot lock a file")]
)
def test_folder_that_cannot_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OutputError, match=says), only_run_in(Store(tmp_path), rhythm=FAST):
        pass


def test_second_run_is_refused_and_told_who_runs_there(out: Store) -> None:
    said: list[str] = []
    with only_run_in(out, said.append, FAST) as lock:
        says = r"another run \(of .+, process \d+ on .+, since .+\) is writing there"
        with pytest.raises(OutputError, match=says), only_run_in(out, rhythm=FAST):
            pass
        lock.check()
    with only_run_in(out, said.append, FAST):  # it ended: nobody waits
        pass
    with pytest.raises(KeyError), only_run_in(out, said.append, FAST):
        raise KeyError
    with only_run_in(out, said.append, FAST):
        pass
    assert said == []


def test_of_many_that_ask_at_once_one_gets_it(out: Store) -> None:
    got, told = _ask_at_once(out)
    assert got == 1
    assert len(told) == 5


def test_living_run_keeps_its_lock_however_long_it_takes(out: Store, machines: None) -> None:
    with only_run_in(out, rhythm=FAST) as lock:
        time.sleep(4)
        lock.check()
        with pytest.raises(OutputError, match=r"on machine0, since .+ is writing there"), only_run_in(out, rhythm=FAST):
            pass
        lock.check()


def test_dead_run_loses_it_to_one_of_those_that_ask(out: Store, machines: None) -> None:
    out.write_json(".lock", DEAD)
    started = time.monotonic()
    got, told = _ask_at_once(out)
    assert got == 1
    assert all("is writing there" in sentence for sentence in told)
    assert time.monotonic() - started > 1  # its sign of life was waited for


def test_of_machines_that_took_a_dead_run_s_folder_at_one_moment_one_goes_on(
    tmp_path: Path, machines: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited, together = lock_module._wait_for_another_machine, threading.Barrier(3)

    def all_waited(*args: Any) -> bool:
        result = waited(*args)
        together.wait(20)
        return result

    # No argument could: the moment between two machines' last look and their record is the one that is tried.
    monkeypatch.setattr(lock_module, "_wait_for_another_machine", all_waited)
    Store(tmp_path).write_json(".lock", DEAD)
    got, told = _ask_at_once(Store(tmp_path), 3, Rhythm(beat_s=2.5, stale_s=2.5))
    assert got == 1
    assert len(told) == 2


def test_waiting_for_a_dead_run_is_told(out: Store) -> None:
    out.write_json(".lock", DEAD)
    said: list[str] = []
    with only_run_in(out, said.append, FAST):
        pass
    assert len(said) == 1
    assert "of ann, process 7 on elsewhere, since 2026" in said[0]
    assert "waited for a sign of its life" in said[0]


def test_old_record_in_a_bucket_is_dead_by_the_store_s_clock(s3_bucket: str) -> None:
    Store(s3_bucket).write_json(".lock", DEAD)
    time.sleep(4)
    said: list[str] = []
    with only_run_in(Store(s3_bucket), said.append, FAST):
        pass
    assert said == []


def test_killed_process_of_this_machine_is_not_waited_for(tmp_path: Path) -> None:
    code = (
        "import os, sys; from vcn_ray.storage.store import Store; from vcn_ray.storage.lock import only_run_in\n"
        "with only_run_in(Store(sys.argv[1])): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 9  # noqa: S603
    assert json.loads((tmp_path / ".lock").read_bytes())["pid"] > 0
    said: list[str] = []
    with only_run_in(Store(tmp_path), said.append, FAST):
        pass
    assert said == []


def test_run_that_lost_it_hears_of_it_and_leaves_the_other_alone(out: Store) -> None:
    with only_run_in(out, rhythm=FAST) as lock:
        out.write_json(".lock", {"run": "another"})
        assert lock.lost.wait(5)
        with pytest.raises(OutputError, match="another may have taken its place"):
            lock.check()
    assert out.read_json(".lock") == {"run": "another"}


@pytest.mark.parametrize("fault", ["no answer", "hangs"])
def test_store_that_does_not_answer_for_long_loses_it(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    over = threading.Event()
    with only_run_in(Store(s3_bucket), rhythm=FAST) as lock:

        def dead(*_: Any, **__: Any) -> None:
            if fault == "hangs":
                over.wait()
            raise OSError("no answer")

        # No server could: the client gives up on one that hangs.
        monkeypatch.setattr(objectstore, "write_if", dead)
        time.sleep(0.6)
        lock.check()
        time.sleep(2.5)
        with pytest.raises(OutputError, match="another may have taken its place"):
            lock.check()
        over.set()


def test_beat_whose_answer_was_lost_is_a_beat(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = objectstore.write_if

    def repeated(at: Any, content: bytes, etag: str | None, timeout_s: float | None = None) -> str | None:
        real(at, content, etag)
        return real(at, content, etag)  # as botocore does where the first answer did not arrive

    with only_run_in(Store(s3_bucket), rhythm=FAST) as lock:
        # No server could: whether botocore asks again is its own choice.
        monkeypatch.setattr(objectstore, "write_if", repeated)
        time.sleep(3.5)
        lock.check()


def test_store_that_writes_whatever_the_condition_is_told(faulty: Any, s3_bucket: str) -> None:
    said: list[str] = []
    store = Store(s3_bucket)
    faulty.faults = ["careless"] * 100
    with only_run_in(store, said.append, FAST) as lock:
        time.sleep(1)
        lock.check()
        with pytest.raises(OutputError, match="is writing there"), only_run_in(store, rhythm=FAST):
            pass
    assert len(said) == 1
    assert "writes whatever the condition" in said[0]


def test_full_disk_holds_the_lock_without_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("os.pwrite", full)
    with only_run_in(Store(tmp_path), rhythm=FAST) as lock:
        time.sleep(0.5)
        lock.check()
        with (
            pytest.raises(OutputError, match="another run is writing there"),
            only_run_in(Store(tmp_path), rhythm=FAST),
        ):
            pass
