"""The schedules that the simulation is held against."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.benchmarks.simulation.schedule import (
    Machine,
    TitleSeconds,
    both_s,
    covered,
    draw_work,
    list_schedule,
    lower_bounds,
)

SECONDS = st.integers(1, 20).map(float)
TITLES = st.builds(
    TitleSeconds,
    st.lists(SECONDS, min_size=1, max_size=5).map(tuple),
    st.lists(SECONDS, max_size=3).map(tuple),
    SECONDS,
)
MACHINES = st.builds(Machine, st.integers(2, 5), st.integers(0, 3), st.integers(1, 2))


def under_way(spans: list[tuple[float, float]], at: float) -> int:
    return sum(start <= at < end for start, end in spans)


@settings(max_examples=150, deadline=None)
@given(st.lists(TITLES, min_size=1, max_size=6), MACHINES, st.randoms(use_true_random=False))
def test_no_schedule_beats_the_bounds(work: list[TitleSeconds], machine: Machine, random: Any) -> None:
    bound = max(lower_bounds(work, machine).values())
    assert bound <= list_schedule(work, machine).wall_s + 1e-9
    shuffled = random.sample(work, len(work))  # another order is another real schedule
    assert bound <= list_schedule(shuffled, machine).wall_s + 1e-9


@settings(max_examples=150, deadline=None)
@given(st.lists(TITLES, min_size=1, max_size=6), MACHINES)
def test_the_greedy_schedule_is_possible(work: list[TitleSeconds], machine: Machine) -> None:
    schedule = list_schedule(work, machine)
    adaptations = list(zip(schedule.adapt_starts, schedule.ends, strict=True))
    for title, (start, end) in zip(work, adaptations, strict=True):
        assert start >= max(title.shards) + max(title.views, default=0.0)
        assert end - start == pytest.approx(title.adapt)
    most = machine.gpus or machine.cpus // machine.adapt_cpus
    assert max(under_way(adaptations, start) for start, _ in adaptations) <= most
    one_after_the_other = sum(sum(title.shards) + sum(title.views) + title.adapt for title in work)
    assert schedule.wall_s <= one_after_the_other + 1e-9


def test_one_cpu_does_everything_in_series() -> None:
    work = [TitleSeconds((3.0, 2.0), (1.0,), 4.0), TitleSeconds((1.0,), (), 2.0)]
    schedule = list_schedule(work, Machine(cpus=1, gpus=0))
    assert schedule.wall_s == 13.0
    assert schedule.ends == (10.0, 13.0)  # the first title goes to its end before the second begins
    assert lower_bounds(work, Machine(1, 0))["CPUs"] == 13.0


def test_gpus_run_beside_extraction() -> None:
    work = [TitleSeconds((1.0,), (), 5.0), TitleSeconds((1.0,), (), 5.0)]
    assert list_schedule(work, Machine(cpus=4, gpus=1)).ends == (6.0, 11.0)
    assert lower_bounds(work, Machine(4, 1))["GPUs"] == 11.0


def test_a_titles_work_does_not_depend_on_the_others() -> None:
    few, many = (draw_work(n, 4, 1.0, 2, 0.5, 8.0, spread=0.4, seed=3) for n in (2, 5))
    assert many[:2] == few
    assert draw_work(2, 4, 1.0, 2, 0.5, 8.0, spread=0.4, seed=4) != few


def test_drawn_seconds_have_the_mean_asked_for() -> None:
    [title] = draw_work(1, 20_000, 1.5, 0, 0.5, 8.0, spread=0.4, seed=0)
    assert sum(title.shards) / len(title.shards) == pytest.approx(1.5, rel=0.02)


def test_overlap_counts_time_once() -> None:
    first = [(0.0, 4.0), (1.0, 3.0), (6.0, 8.0)]
    assert covered(first) == [(0.0, 4.0), (6.0, 8.0)]
    assert both_s(first, [(2.0, 7.0), (2.0, 3.0)]) == 3.0
