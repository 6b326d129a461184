import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.cluster.evidence import Evidence
from vcn_ray.identify.naming import Verdict, decide, log_ratios, pair_log_ratios, posterior
from vcn_ray.identify.references import References

NOBODY = np.empty((0, 2), np.int64)


def _exactly(log_ratio: np.ndarray, together: list[tuple[int, int]], share: float) -> np.ndarray:
    """The posterior by adding up all ways to name everybody."""
    characters, people = log_ratio.shape
    weight = np.concatenate([log_ratio + np.log(share / people), np.full((characters, 1), np.log1p(-share))], axis=1)
    total = np.zeros((characters, people + 1))
    for named in itertools.product(range(people + 1), repeat=characters):
        if any(named[a] == named[b] != people for a, b in together):
            continue
        total[np.arange(characters), named] += np.exp(weight[np.arange(characters), named].sum())
    return total / total.sum(axis=1, keepdims=True)


@st.composite
def _trees(draw: st.DrawFn) -> tuple[np.ndarray, list[tuple[int, int]]]:
    characters, people = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    ratios = st.lists(st.floats(-30, 30), min_size=characters * people, max_size=characters * people)
    together = [(draw(st.integers(0, b - 1)), b) for b in range(1, characters) if draw(st.booleans())]
    return np.array(draw(ratios)).reshape(characters, people), together


@settings(max_examples=60, deadline=None)
@given(_trees(), st.floats(0.05, 0.95))
def test_posterior_is_exact_where_no_circle_is_seen_together(
    case: tuple[np.ndarray, list[tuple[int, int]]], share: float
) -> None:
    log_ratio, together = case
    found = posterior(log_ratio, np.array(together, np.int64).reshape(-1, 2), share)
    np.testing.assert_allclose(found.probability, _exactly(log_ratio, together, share), atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(1, 4), st.booleans())
def test_two_seen_together_never_get_one_name(seed: int, characters: int, people: int, sure: bool) -> None:
    rng = np.random.default_rng(seed)
    pairs = np.array([pair for pair in itertools.combinations(range(characters), 2) if rng.random() < 0.6])
    pairs = pairs.reshape(-1, 2)
    log_ratio = rng.normal(0, 30 if sure else 4, (characters, people))
    found = posterior(log_ratio, pairs)
    np.testing.assert_allclose(found.probability.sum(axis=1), 1, atol=1e-9)
    assert 0 < found.share < 1
    said = [verdict.reference for verdict in decide(found.probability, pairs)]
    assert not [(a, b) for a, b in pairs.tolist() if said[a] is not None and said[a] == said[b]]


def test_of_two_seen_together_the_likelier_is_named_and_the_other_is_nobody() -> None:
    verdicts = decide(posterior(np.array([[20.0], [10.0]]), np.array([[0, 1]])).probability, np.array([[0, 1]]))
    assert [verdict.reference for verdict in verdicts] == [0, None]
    assert min(verdict.confidence for verdict in verdicts) > 0.99


def test_two_as_likely_as_one_another_are_not_named() -> None:
    together = np.array([[0, 1]])
    found = posterior(np.array([[40.0], [40.0]]), together)
    np.testing.assert_allclose(found.probability, 0.5, atol=1e-5)
    assert [verdict.reference for verdict in decide(found.probability, together, 0.6)] == [None, None]


def test_two_that_are_never_seen_together_may_be_one_person() -> None:
    verdicts = decide(posterior(np.array([[20.0, 0.0], [20.0, 0.0]]), NOBODY).probability, NOBODY)
    assert [verdict.reference for verdict in verdicts] == [0, 0]


def test_the_share_of_people_in_the_gallery_is_found() -> None:
    few = np.full((50, 5), -12.0)
    few[:5, 0] = 12
    assert posterior(few, NOBODY).share == pytest.approx(6 / 52, abs=0.01)
    assert posterior(np.full((50, 1), 12.0), NOBODY).share > 0.95
    unclear = np.array([[2.0, -9, -9, -9, -9]])
    alone = posterior(np.concatenate([unclear, np.full((40, 5), -12.0)]), NOBODY).probability[0, 0]
    among = posterior(np.concatenate([unclear, np.full((40, 5), 12.0)]), NOBODY).probability[0, 0]
    assert among > 5 * alone  # where the rest of the cast is in the gallery, this one is more likely to be


def test_a_name_that_is_fixed_holds_and_others_seen_with_it_go_without() -> None:
    fixed = np.array([[np.inf, -np.inf], [30.0, 2.0], [30.0, 2.0]])
    found = posterior(fixed, np.array([[0, 1]])).probability
    assert found[0, 0] == pytest.approx(1)
    assert found[1, 0] < 1e-6
    assert found[2, 0] > 0.99


def test_alternatives_come_by_probability_and_nobody_is_one() -> None:
    probability = np.array([[0.6, 0.2, 0.05, 0.0001, 0.1499], [0.1, 0.1, 0.0, 0.0, 0.8]])
    assert decide(probability, NOBODY) == [
        Verdict(0, 0.6, ((1, 0.2), (None, 0.1499), (2, 0.05))),
        Verdict(None, 0.8, ((0, 0.1), (1, 0.1))),
    ]
    assert decide(probability, NOBODY, least=0.7)[0].reference is None


def test_nobody_to_name_or_nobody_to_be_is_no_error() -> None:
    assert posterior(np.empty((0, 3)), NOBODY).probability.shape == (0, 4)
    assert posterior(np.empty((2, 0)), NOBODY).probability.tolist() == [[1.0], [1.0]]


def test_more_pictures_and_more_tracks_say_more() -> None:
    person = np.eye(8)[:1] * 0.5
    evidence = Evidence()

    def ratio(tracks: int, pictures: int, clarity: float = np.nan) -> float:
        reference = References(("Anna",), np.eye(8)[:1], np.array([pictures]), np.array([clarity]))
        return float(log_ratios(person, np.array([tracks]), reference, evidence)[0, 0])

    assert ratio(4, 1) == pytest.approx(2 * ratio(1, 1)) == pytest.approx(ratio(1, 4))
    assert ratio(0, 1) == ratio(1, 0) == 0
    typical = evidence.calibration.typical_clarity
    assert ratio(1, 1, typical) == pytest.approx(ratio(1, 1))
    assert ratio(1, 1, 0.4 * typical) < ratio(1, 1)  # a blurred picture: strangers look alike, too


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.floats(1, 20))
def test_evidence_never_falls_as_similarity_grows(similarities: list[float], clarity: float) -> None:
    ordered = np.sort(similarities)[:, None]
    ratios = pair_log_ratios(ordered, np.array([clarity]), Evidence())[:, 0]
    assert (np.diff(ratios) >= -1e-9).all()
