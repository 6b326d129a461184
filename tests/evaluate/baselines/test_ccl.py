"""CCL: its labels, and the method on a made-up title."""

import numpy as np
import pytest

from vcn_ray.evaluate.baselines.ccl import CCL, clustered_pairs
from vcn_ray.evaluate.baselines.first_neighbours import FINCH
from vcn_ray.evaluate.baselines.siamese import Schedule

SHORT = Schedule(32, 100, max_steps=150)


def test_pairs_are_the_first_partitions_unless_the_video_says_otherwise(make_title):
    faces, _ = make_title(people=3, tracks=4)
    labels = FINCH.prepare(faces, 0)(partition=1)
    same, different = clustered_pairs(faces)
    assert np.array_equal(same, labels[:, None] == labels[None, :])
    a, b = next((a, b) for a in range(12) for b in range(a) if labels[a] == labels[b])
    faces, _ = make_title(people=3, tracks=4, together=[(a, b)])
    same, different = clustered_pairs(faces)
    assert different[a, b]
    assert different[b, a]
    assert same.diagonal().all()
    assert np.array_equal(different, ~same)


def test_finds_people_who_are_far_apart_the_same_way_each_time(make_title):
    faces, identity = make_title(people=3, tracks=5, together=[(0, 1)])
    cuts = [CCL.prepare(faces, seed, SHORT) for seed in (0, 0)]
    found = [[cut(**setting).tolist() for setting in CCL.settings] for cut in cuts]
    assert identity.tolist() in found[0]
    assert found[0] == found[1]


@pytest.mark.parametrize(("people", "tracks"), [(1, 1), (2, 1), (1, 3)])
def test_titles_with_little_to_learn_from(people, tracks, make_title):
    faces, _ = make_title(people=people, tracks=tracks)
    assert CCL.prepare(faces, 0, SHORT)(threshold=-1).tolist() == [0] * (people * tracks)
