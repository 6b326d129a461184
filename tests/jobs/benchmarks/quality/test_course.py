"""How a title's loop went: training told from all else, what was delivered, whether it settled."""

import pyarrow as pa
import pytest

from jobs.benchmarks.quality.course import Course, Stopwatch
from jobs.benchmarks.quality.footage.cases import Case
from jobs.benchmarks.quality.footage.seasons import Extracted
from jobs.benchmarks.quality.methods import KnownMethods, Method
from jobs.benchmarks.quality.trial import Trial, measure
from vcn_ray.schemas import ITERATIONS


def iterations(*changed: int | None, delivered: int = 0) -> pa.Table:
    rows = [{"iteration": n, "changed_tracks": c, "delivered": n == delivered} for n, c in enumerate(changed)]
    return pa.Table.from_pylist(rows, ITERATIONS)


@pytest.mark.parametrize(
    ("changed", "limit", "settled"),
    [
        ([None, 9, 4], 10, True),
        ([None, 9, 4], 2, False),  # it was stopped
        ([None, 9, 0], 2, True),
        ([None], 10, None),
        ([None], 0, None),
        ([], 10, None),  # a title without faces
    ],
)
def test_a_loop_has_settled_if_it_stopped_by_itself(changed: list[int | None], limit: int, settled: bool) -> None:
    course = Course.of_title(iterations(*changed), limit, 1.0)
    assert course.settled == settled
    assert course.changed == tuple(changed[1:])
    assert course.delivered == (0 if changed else None)


def test_seconds_before_an_epoch_s_end_are_of_training() -> None:
    clock = iter([0, 2, 7, 10, 11, 100])
    watch = Stopwatch(lambda: next(clock))
    watch.on_event({"iteration": 0, "clusters": 3})
    for epoch in range(2):
        watch.on_event({"iteration": 1, "epoch": epoch})
    watch.on_event({"iteration": 1, "clusters": 3})
    assert (watch.train_s, watch.wall_s) == (8, 100)


def test_the_product_s_answer_says_how_its_loop_went(title: Extracted, known: KnownMethods) -> None:
    short = {"first_epochs": "2", "later_epochs": "2", "min_batches_per_epoch": "1", "batch_pairs": "16"}
    method = Method("default", "product", tuple({**short, "max_iterations": "2"}.items()))
    (answer,) = measure(Trial(method, Case(title, "whole", "whole", False), 0), known).answers
    assert answer.course is not None
    assert len(answer.course.changed) == answer.iterations
    assert 0 < answer.course.train_s < answer.wall_s
