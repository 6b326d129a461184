"""What many ask for at once is done in few runs, the season's first title first; each hears of its own rows alone."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from vcn_ray.execution.request_batcher import RequestBatcher


def _rows(title: str, count: int = 2) -> list[dict[str, Any]]:
    return [{"title": title, "step": f"s{n}"} for n in range(count)]


def test_what_gathers_during_a_run_goes_together_into_the_next() -> None:
    runs: list[list[str]] = []
    began, go_on = threading.Event(), threading.Event()

    def run(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        runs.append([row["title"] for row in rows])
        began.set()
        assert go_on.wait(30)
        yield from reversed(rows)

    batcher, landed = RequestBatcher(run, lambda: 1), dict[str, list[str]]()

    def ask(place: int) -> None:
        title = f"t{place}"
        batcher.do(place, _rows(title), lambda row: landed.setdefault(title, []).append(row["step"]))

    threads = [threading.Thread(target=ask, args=(0,))]
    threads[0].start()
    assert began.wait(30)
    for place in (3, 1, 2):
        threads.append(threading.Thread(target=ask, args=(place,)))
        threads[-1].start()
    while len(batcher._waiting) < 3:
        pass
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert runs == [["t0", "t0"], ["t1", "t1", "t2", "t2", "t3", "t3"]]
    assert {title: sorted(steps) for title, steps in landed.items()} == {f"t{n}": ["s0", "s1"] for n in range(4)}


def test_error_is_that_of_its_own_title() -> None:
    def refuse(row: dict[str, Any]) -> None:
        raise ValueError(row["title"])

    batcher, landed = RequestBatcher(lambda rows: iter(rows), lambda: 1), []
    with pytest.raises(ValueError, match="bad"):
        batcher.do(0, _rows("bad"), refuse)
    batcher.do(1, _rows("good"), landed.append)
    assert len(landed) == 2


def test_run_that_breaks_off_is_an_error_of_all_that_were_in_it() -> None:
    def run(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        yield rows[0]
        raise ConnectionError("Ray is gone")

    with pytest.raises(ConnectionError):
        RequestBatcher(run, lambda: 1).do(0, _rows("a"), lambda _: None)
    with pytest.raises(RuntimeError, match="not all"):
        RequestBatcher(lambda rows: iter(rows[:1]), lambda: 1).do(0, _rows("a"), lambda _: None)
