"""What the measures promise.

- bounds, and 1 for a perfect clustering
- names of clusters and identities do not matter
- splitting never lowers what purity measures, merging never lowers what completeness measures
- equality with scikit-learn and with sums over all pairs of items
"""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import normalized_mutual_info_score

from vcn_ray.evaluate.metrics import cluster_scores

_untimed = settings(deadline=None)
_items = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=40)
_UNIT = ("wcp", "nmi", "bcubed_p", "bcubed_r", "bcubed_f", "pair_p", "pair_r", "pair_f")


def _score(items):
    return cluster_scores([c for c, _ in items], [i for _, i in items])


@_untimed
@given(_items)
def test_measures_lie_between_0_and_1(items):
    scores = _score(items).to_dict()
    for name in _UNIT:
        assert -1e-12 <= scores[name] <= 1 + 1e-12, name
    assert scores["pcr"] == scores["clusters"] / scores["identities"]


@_untimed
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_perfect_clustering_scores_1_in_everything(identities):
    scores = cluster_scores([f"c{i}" for i in identities], identities).to_dict()
    for name in (*_UNIT, "pcr"):
        assert scores[name] == pytest.approx(1.0), name


@_untimed
@given(_items, st.permutations(range(6)), st.permutations(range(5)), st.randoms(use_true_random=False))
def test_names_and_order_do_not_matter(items, clusters, identities, random):
    renamed = [(("cluster", clusters[c]), str(identities[i])) for c, i in items]
    random.shuffle(renamed)
    assert _score(renamed).to_dict() == pytest.approx(_score(items).to_dict())


@_untimed
@given(_items, st.lists(st.booleans(), min_size=40, max_size=40))
def test_splitting_clusters_never_lowers_purity_nor_raises_completeness(items, sides):
    whole = _score(items)
    split = _score([((c, side), i) for (c, i), side in zip(items, sides, strict=False)])
    assert split.wcp >= whole.wcp - 1e-12
    assert split.bcubed_r <= whole.bcubed_r + 1e-12
    assert split.pair_r <= whole.pair_r + 1e-12
    assert split.pcr >= whole.pcr


@_untimed
@given(_items)
def test_splitting_by_identity_makes_every_cluster_pure(items):
    split = _score([((c, i), i) for c, i in items])
    assert split.wcp == split.pair_p == 1
    assert split.bcubed_p == pytest.approx(1)
    assert split.bcubed_p >= _score(items).bcubed_p


@_untimed
@given(_items)
def test_merging_two_clusters_never_raises_purity_nor_lowers_completeness(items):
    whole, merged = _score(items), _score([(0 if c == 1 else c, i) for c, i in items])
    assert merged.wcp <= whole.wcp + 1e-12
    assert merged.bcubed_r >= whole.bcubed_r - 1e-12
    assert merged.pair_r >= whole.pair_r - 1e-12


@_untimed
@given(_items)
def test_nmi_equals_scikit_learn(items):
    expected = normalized_mutual_info_score([i for _, i in items], [c for c, _ in items])
    assert _score(items).nmi == pytest.approx(expected, abs=1e-9)


@_untimed
@given(_items)
def test_bcubed_and_pairs_equal_the_definition_over_items(items):
    precision = np.mean([np.mean([j == i for d, j in items if d == c]) for c, i in items])
    recall = np.mean([np.mean([d == c for d, j in items if j == i]) for c, i in items])
    scores = _score(items)
    assert scores.bcubed_p == pytest.approx(precision)
    assert scores.bcubed_r == pytest.approx(recall)
    assert scores.bcubed_f == pytest.approx(2 * precision * recall / (precision + recall))
    pairs = [(c == d, i == j) for (c, i), (d, j) in combinations(items, 2)]
    together = [same for same_cluster, same in pairs if same_cluster]
    alike = [same_cluster for same_cluster, same in pairs if same]
    assert scores.pair_p == pytest.approx(np.mean(together) if together else 1)
    assert scores.pair_r == pytest.approx(np.mean(alike) if alike else 1)


def test_known_example():
    # clusters aab|b, bb, c for identities a, b, c
    scores = cluster_scores([0, 0, 0, 1, 1, 2], ["a", "a", "b", "b", "b", "c"])
    assert scores.wcp == pytest.approx(5 / 6)
    assert (scores.clusters, scores.identities, scores.pcr) == (3, 3, 1)
    assert scores.bcubed_p == pytest.approx((4 / 3 + 1 / 3 + 2 + 1) / 6)
    assert scores.bcubed_r == pytest.approx((2 + 1 / 3 + 4 / 3 + 1) / 6)
    assert scores.pair_f == pytest.approx(2 * 0.5 * 0.5 / (0.5 + 0.5))


def test_no_pair_to_be_wrong_about():
    scores = cluster_scores([0, 1], ["a", "b"])
    assert scores.pair_f == 1
    assert not math.isnan(scores.nmi)


@pytest.mark.parametrize(("clusters", "identities"), [([], []), ([0], ["a", "b"])])
def test_lists_that_cannot_be_scored_are_refused(clusters, identities):
    with pytest.raises(ValueError, match=r"items|identities"):
        cluster_scores(clusters, identities)
