"""What has changed from one iteration to the next."""

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.pipeline.iteration import changed_tracks


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3)), max_size=12).map(
        lambda pairs: np.array(pairs, np.int64).reshape(-1, 2)
    )
)
def test_changed_tracks_are_those_in_another_character_however_characters_are_numbered(labels):
    before, after = labels.T
    fewest = min((before != np.array([*order, -1])[after]).sum() for order in permutations(range(4)))
    assert changed_tracks(before, after) == changed_tracks(after, before) == fewest


def test_a_large_character_that_loses_one_track_has_one_that_changed():
    before = np.zeros(100, np.int64)
    assert changed_tracks(before, np.r_[before[1:], 1]) == 1
    assert changed_tracks(before, np.repeat([0, 1], 50)) == 50
