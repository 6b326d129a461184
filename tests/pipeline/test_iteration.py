"""What has changed from one iteration to the next."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.pipeline.iteration import changed_tracks


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3)), max_size=12).map(
        lambda pairs: np.array(pairs, np.int64).reshape(-1, 2)
    )
)
def test_changed_tracks_are_those_whose_company_changed(labels):
    before, after = labels.T

    def together(values):
        return (values[:, None] == values[None]) & (values >= 0)[:, None]

    expected = (together(before) != together(after)).any(axis=1).sum()
    assert changed_tracks(before, after) == expected
