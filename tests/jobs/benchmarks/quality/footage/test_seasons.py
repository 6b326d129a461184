"""Labelled footage: what is extracted once for methods, and what is extracted for each."""

import pytest

from jobs.benchmarks.quality.footage.seasons import extraction_digest
from vcn_ray.config import make_options


@pytest.mark.parametrize(
    ("setting", "shared"),
    [
        ({}, True),
        ({"seed": 3}, True),
        ({"head_lr": 1e-4}, True),
        ({"merging": "hac"}, True),
        ({"cached_local_views": 3}, False),
        ({"max_crops_per_track": 5}, False),
        ({"views_precision": "bfloat16"}, False),
        ({"detect_every_frames": 3}, False),
    ],
)
def test_methods_share_tracks_and_views_where_these_are_the_same(setting, shared):
    assert (extraction_digest(make_options(setting)) == extraction_digest(make_options())) is shared
