"""The paper's course, and how far another is from it."""

import math

import pytest

from jobs.benchmarks.paper.published import ELEPHANTS_JOURNEY, HIDDEN_SOLDIER, Point, distance, published


def course(table: tuple[tuple[float, ...], tuple[float, ...]]) -> dict[int, Point]:
    return {number: Point(*values) for number, values in enumerate(zip(*table, strict=True), start=1)}


def test_the_paper_is_as_far_from_its_mean_on_either_title() -> None:
    apart = [distance(course(table)) for table in (HIDDEN_SOLDIER, ELEPHANTS_JOURNEY)]
    assert apart[0] == pytest.approx(apart[1])
    assert 0 < apart[0] < 0.1
    assert distance({number: published(number) for number in range(1, 11)}) == pytest.approx(0)


def test_few_clusters_of_mixed_people_become_one_for_each() -> None:
    first, fifth, last = (published(number) for number in (1, 5, 10))
    assert (round(first.wcp, 2), round(first.pcr, 2)) == (0.48, 0.43)
    assert fifth.wcp > 0.95
    assert 0.9 < fifth.pcr < 1.2 < last.pcr


def test_distance_by_hand_over_the_iterations_that_are_there() -> None:
    third = published(3)
    assert distance({3: Point(third.wcp - 0.1, 2 * third.pcr)}) == pytest.approx(0.1 + math.log(2))
    assert distance({3: third, 11: Point(0, 0)}) == pytest.approx(0)  # the paper stops at the tenth
    with pytest.raises(ValueError, match="no iteration"):
        distance({11: Point(1, 1)})
