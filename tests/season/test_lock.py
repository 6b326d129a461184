"""One run at a time in a place; whoever is refused is told who runs there; the dead do not hold it.

- What cannot be locked is told apart from what is locked.
- In an object store: of two that ask at once one gets it; silence loses it; a run that lost it hears of it.
"""

import errno
import fcntl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from vcn_ray import objectstore
from vcn_ray.errors import OutputError
from vcn_ray.season import lock as lock_module
from vcn_ray.season.lock import only_run_in
from vcn_ray.storage import Store


@pytest.fixture(params=["folder", "bucket"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(tmp_path) if request.param == "folder" else Store(f"{request.getfixturevalue('s3_bucket')}/season")


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats and patience are short."""
    monkeypatch.setattr(lock_module, "BEAT_S", 0.2)
    monkeypatch.setattr(lock_module, "STALE_S", 3.0)


@pytest.mark.parametrize(
    ("number", "says"), [(errno.EWOULDBLOCK, "another run is writing there"), (errno.ENOLCK, "cannot lock a file")]
)
def test_folder_that_cannot_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OutputError, match=says), only_run_in(Store(tmp_path)):
        pass


def test_second_run_is_refused_and_told_who_runs_there(out: Store) -> None:
    with only_run_in(out) as lock:
        says = r"another run \(of .+, process \d+ on .+\) is writing there"
        with pytest.raises(OutputError, match=says), only_run_in(out):
            pass
        lock.check()
    with only_run_in(out):
        pass


def test_of_many_that_ask_at_once_one_gets_it(out: Store) -> None:
    got, over = [], threading.Event()

    def ask() -> None:
        try:
            with only_run_in(out):
                got.append(1)
                over.wait()
        except OutputError:
            pass

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    over.set()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_living_run_keeps_its_lock_however_long_it_takes(s3_bucket: str, fast: None) -> None:
    with only_run_in(Store(s3_bucket)) as lock:
        time.sleep(4)
        lock.check()
        with pytest.raises(OutputError, match=r"last sign of life [01] s ago"), only_run_in(Store(s3_bucket)):
            pass


def test_dead_run_loses_it_to_one_of_those_that_ask(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "BEAT_S", 1000.0)
    monkeypatch.setattr(lock_module, "STALE_S", 2.0)
    with only_run_in(Store(s3_bucket)):  # it gives no sign of life
        with pytest.raises(OutputError, match="is writing there"), only_run_in(Store(s3_bucket)):
            pass
        time.sleep(3.5)
        test_of_many_that_ask_at_once_one_gets_it(Store(s3_bucket))


def test_run_that_lost_it_hears_of_it_and_leaves_the_other_alone(s3_bucket: str, fast: None) -> None:
    at = objectstore.parse_url(f"{s3_bucket}/.lock")
    with only_run_in(Store(s3_bucket)) as lock:
        objectstore.write(at, b'{"run": "another"}')
        time.sleep(1)
        with pytest.raises(OutputError, match="another may have taken its place"):
            lock.check()
    assert objectstore.read(at) is not None


def test_store_that_does_not_answer_for_long_loses_it(
    s3_bucket: str, fast: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with only_run_in(Store(s3_bucket)) as lock:

        def dead(*_: Any) -> None:
            raise OSError("no answer")

        monkeypatch.setattr(objectstore, "write_if", dead)
        time.sleep(0.6)
        lock.check()
        time.sleep(3.5)
        with pytest.raises(OutputError, match="another may have taken its place"):
            lock.check()
