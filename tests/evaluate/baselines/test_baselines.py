"""The list of the field's methods: every one keeps the contract that a bench relies on."""

import numpy as np
import pytest

from vcn_ray.evaluate.baselines import baselines
from vcn_ray.evaluate.baselines.problem import Baseline

#: Those of this module's neighbours that take no training: the others are tested by themselves.
_UNTRAINED = [
    b for b in baselines(0.363) if not b.name.lower().startswith(("tsiam", "ssiam", "ccl", "jfrac", "vctrsf"))
]


def _few(baseline: Baseline):
    """The first, a middle and the last setting."""
    return [baseline.settings[k] for k in sorted({0, len(baseline.settings) // 2, len(baseline.settings) - 1})]


def test_names_are_unique_and_fit_a_list_with_commas():
    names = [b.name for b in baselines(0.4)]
    assert len(set(names)) == len(names) >= 13
    assert not any("," in name for name in names)
    assert all(b.source for b in _UNTRAINED)


@pytest.mark.parametrize("baseline", _UNTRAINED, ids=lambda b: b.name)
@pytest.mark.parametrize("tracks", [0, 1, 2, 9])
def test_labels_are_numbered_by_appearance_for_few_tracks_too(baseline, tracks, make_title, first_tracks):
    faces = first_tracks(make_title()[0], tracks)
    cut = baseline.prepare(faces, 0)
    for setting in _few(baseline):
        labels = cut(**setting)
        assert labels.shape == (tracks,)
        assert labels.dtype == np.int64
        clusters = labels[labels >= 0]
        assert np.unique(clusters).tolist() == list(range(len(set(clusters.tolist()))))
        first = [int(np.flatnonzero(labels == k)[0]) for k in np.unique(clusters)]
        assert first == sorted(first)
        assert baseline.noise or (labels >= 0).all()
        assert (labels >= -1).all()


@pytest.mark.parametrize("baseline", _UNTRAINED, ids=lambda b: b.name)
def test_one_of_the_settings_finds_people_who_are_far_apart(baseline, make_title):
    faces, identity = make_title(people=3, tracks=3)
    cut = baseline.prepare(faces, 0)
    assert any(cut(**setting).tolist() == identity.tolist() for setting in baseline.settings)


def test_constrained_ones_keep_apart_who_are_seen_together(make_title):
    together = [(0, 3), (1, 4)]  # tracks of one and the same person, by mistake
    faces, _ = make_title(together=together)
    for baseline in baselines(0.363):
        if baseline.name.endswith("with cannot-link"):
            for setting in _few(baseline):
                labels = baseline.prepare(faces, 0)(**setting)
                assert all(labels[a] != labels[b] for a, b in together)
        elif baseline.name == "HAC at own threshold":
            labels = baseline.prepare(faces, 0)(**baseline.settings[0])
            assert all(labels[a] == labels[b] for a, b in together)


def test_the_networks_threshold_is_the_only_setting():
    assert [b.settings for b in baselines(0.41) if b.name.startswith("HAC at own")] == [({"threshold": 0.41},)] * 2
