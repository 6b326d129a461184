"""TSiam's and SSiam's pairs, and both methods on a made-up title."""

import numpy as np
import pytest
import torch

from vcn_ray.evaluate.baselines.siamese import Schedule
from vcn_ray.evaluate.baselines.tsiam_ssiam import SSIAM, TSIAM, mined_pairs, stranger_tracks

SHORT = Schedule(32, 100, max_steps=150)


def test_strangers_are_who_is_seen_together_else_the_farthest(make_title):
    faces, identity = make_title(people=3, tracks=4, together=[(0, 1), (0, 2)])
    negative = stranger_tracks(faces)
    assert np.flatnonzero(negative[0]).tolist() == [1, 2]
    assert np.flatnonzero(negative[1]).tolist() == [0]
    assert not negative.diagonal().any()
    for alone in range(3, 12):
        assert negative[alone].sum() == 2  # a quarter of the eleven others
        assert (identity[negative[alone]] != identity[alone]).all()


def test_of_many_tracks_the_25_farthest(make_title):
    faces, _ = make_title(people=4, tracks=40, crops=1)
    assert (stranger_tracks(faces).sum(axis=1) == 25).all()


def test_mined_pairs_are_the_hardest_nearest_and_farthest():
    # Half of the crops is drawn: with the draw known, the pairs can be found by hand.
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
    part = torch.randperm(40, generator=torch.Generator().manual_seed(3))[:20].tolist()
    pairs = mined_pairs(features, torch.Generator().manual_seed(3), batch_pairs=8)
    assert pairs.same.tolist() == [1, 1, 1, 1, 0, 0, 0, 0]

    def distances(a):
        return {b: float((features[a] - features[b]).norm()) for b in part if b != a}

    nearest = {a: min(distances(a).items(), key=lambda item: item[1]) for a in part}
    farthest = {a: max(distances(a).items(), key=lambda item: item[1]) for a in part}
    expected = sorted(part, key=lambda a: -nearest[a][1])[:4]
    assert pairs.first[:4].tolist() == expected
    assert pairs.second[:4].tolist() == [nearest[a][0] for a in expected]
    expected = sorted(part, key=lambda a: farthest[a][1])[:4]
    assert pairs.first[4:].tolist() == expected
    assert pairs.second[4:].tolist() == [farthest[a][0] for a in expected]


@pytest.mark.parametrize("baseline", [TSIAM, SSIAM], ids=lambda b: b.name)
def test_finds_people_who_are_far_apart_the_same_way_each_time(baseline, make_title):
    faces, identity = make_title(people=3, tracks=5, together=[(0, 1), (4, 5), (8, 9)])
    cuts = [baseline.prepare(faces, seed, SHORT) for seed in (0, 0)]
    found = [[cut(**setting).tolist() for setting in baseline.settings] for cut in cuts]
    assert identity.tolist() in found[0]
    assert found[0] == found[1]
    assert baseline.seeded
    assert not baseline.noise


@pytest.mark.parametrize("baseline", [TSIAM, SSIAM], ids=lambda b: b.name)
@pytest.mark.parametrize(("people", "tracks", "crops"), [(1, 1, 1), (1, 1, 5), (2, 1, 1), (1, 4, 1)])
def test_titles_with_little_to_learn_from(baseline, people, tracks, crops, make_title):
    faces, _ = make_title(people=people, tracks=tracks, crops=crops)
    labels = baseline.prepare(faces, 0, SHORT)(threshold=-1)
    assert labels.tolist() == [0] * (people * tracks)
