"""Frames on their way: in order, each with what was found around it; what goes wrong in a thread is raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.overlay.pipeline import looked_at, read_ahead


def test_items_are_read_ahead_in_order_and_an_error_comes_when_it_is_its_turn() -> None:
    def items() -> Iterator[int]:
        yield from range(30)
        raise ValueError("torn")

    got = []
    with pytest.raises(ValueError, match="torn"):
        got.extend(read_ahead(items()))
    assert list(read_ahead(iter(range(100)), 3)) == list(range(100))


def test_who_stops_asking_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    ahead = read_ahead(iter(range(1000)), 2)
    assert next(ahead) == 0
    ahead.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.05)
    assert threading.active_count() <= before


@settings(max_examples=30, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 60), unique=True, max_size=25).map(sorted),
    reach=st.integers(0, 9),
    threads=st.integers(1, 3),
)
def test_each_frame_comes_with_all_that_was_found_within_reach(numbers: list[int], reach: int, threads: int) -> None:
    frames = [(number, f"frame {number}") for number in numbers]
    got = list(looked_at(frames, lambda number, frame: (number, frame), reach, threads))
    assert [(number, frame) for number, frame, _ in got] == frames
    for number, _, near in got:
        assert near == [(at, (at, f"frame {at}")) for at in numbers if abs(at - number) <= reach]


def test_without_anything_to_look_for_frames_pass() -> None:
    assert list(looked_at([(1, "a"), (2, "b")], None, 0, 1)) == [(1, "a", []), (2, "b", [])]
