"""Labels by appearance."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.evaluate.baselines.labels import by_appearance


def test_example():
    assert by_appearance(np.array([7, -1, 3, 7, -5, 0])).tolist() == [0, -1, 1, 0, -1, 2]
    assert by_appearance(np.array([], dtype=np.int64)).tolist() == []


@given(st.lists(st.integers(-2, 5), max_size=12), st.permutations(range(6)))
def test_names_of_clusters_do_not_matter(labels, names):
    renamed = [names[label] if label >= 0 else label for label in labels]
    assert by_appearance(np.array(renamed, np.int64)).tolist() == by_appearance(np.array(labels, np.int64)).tolist()
