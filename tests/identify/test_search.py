import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.cluster.evidence import Evidence
from vcn_ray.cluster.similarity import unit
from vcn_ray.identify.naming import log_ratios, posterior
from vcn_ray.identify.references import References
from vcn_ray.identify.search import PeopleIndex, lowest_similarity

NOBODY = np.empty((0, 2), np.int64)


def _person(vector: np.ndarray, clarity: float = np.nan) -> References:
    return References(("who",), vector[None], np.array([1]), np.array([clarity]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_it_finds_what_a_plain_loop_finds(seed: int, people: int) -> None:
    rng = np.random.default_rng(seed)
    mean = unit(rng.normal(size=(people, 16)))
    tracks = rng.integers(0, 9, people)
    together = rng.integers(0, people, (people // 3, 2))
    person = _person(unit(mean[0] + 0.2 * rng.normal(size=16)))
    found = PeopleIndex(mean, tracks, together).find(person, Evidence())
    ratio = log_ratios(mean, tracks, person, Evidence())
    plain = posterior(ratio, together[together[:, 0] != together[:, 1]], 0.5 / people).probability[:, 0]
    # Those whom no evidence speaks for are left out, who else would have a slight say in whom they are seen with.
    np.testing.assert_allclose(found[plain > 0.5], plain[plain > 0.5], atol=0.02)
    np.testing.assert_allclose(plain[found > 0.5], found[found > 0.5], atol=0.02)


def test_nobody_is_found_where_the_person_is_not() -> None:
    rng = np.random.default_rng(1)
    mean = unit(rng.normal(size=(500, 128)))
    found = PeopleIndex(mean, np.full(500, 5), NOBODY).find(_person(unit(rng.normal(size=128))), Evidence())
    assert found.max() < 0.1


def test_the_more_are_searched_the_more_similar_one_has_to_be() -> None:
    mean = np.array([[0.42, np.sqrt(1 - 0.42**2)]])
    person = _person(np.array([1.0, 0.0]))
    few, many = (PeopleIndex(mean, np.ones(1, int), NOBODY, of=n).find(person, Evidence())[0] for n in (1, 1000))
    assert few > 0.8
    assert many < 0.1


def test_of_two_seen_together_one_alone_is_the_person_and_of_others_both_may_be() -> None:
    mean = np.array([[0.9, 0.4], [0.7, 0.7], [0.88, 0.44]])
    index = PeopleIndex(unit(mean), np.full(3, 4), np.array([[0, 1]]))
    found = index.find(_person(np.array([1.0, 0.0])), Evidence())
    assert found[0] > 0.9
    assert found[1] < 0.1
    assert found[2] > 0.9


@pytest.mark.parametrize("clarity", [np.nan, 6.0, 14.0])
def test_the_lowest_similarity_is_where_evidence_turns(clarity: float) -> None:
    person = _person(np.array([1.0, 0.0]), clarity)
    at = lowest_similarity(person, Evidence())

    def ratio(similarity: float) -> float:
        return float(log_ratios(np.array([[similarity, 0.0]]), np.ones(1, int), person, Evidence())[0, 0])

    assert ratio(at + 1e-6) > 0
    assert ratio(at - 1e-6) <= 0
