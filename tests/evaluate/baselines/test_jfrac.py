"""JFRAC: the field's labels, its constraints, and the whole method on a made-up title."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.evaluate.baselines import jfrac
from vcn_ray.evaluate.baselines.jfrac import JFRAC, fit_field
from vcn_ray.evaluate.baselines.labels import by_appearance

SHORT = {"rounds": 2, "steps_per_round": 20}


def _field(seed, tracks=12, crops=3, dim=4, links=6):
    """Outputs, tracks and cannot-links of strangers, and labels of which each of 3 clusters has a track."""
    random = np.random.default_rng(seed)
    cannot_link = np.zeros((tracks, tracks), dtype=bool)
    for a, b in random.integers(tracks, size=(links, 2)):
        cannot_link[a, b] = cannot_link[b, a] = a != b
    labels = random.permutation(np.arange(tracks) % 3)
    outputs = np.repeat(random.normal(size=(tracks, dim)), crops, axis=0)
    return outputs + 0.2 * random.normal(size=outputs.shape), cannot_link, labels


def test_field_corrects_wrong_labels(make_title):
    faces, identity = make_title(people=3, tracks=6)
    labels = identity.copy()
    labels[[0, 4, 8]] = [1, 2, 0]
    found = fit_field(faces.embeddings, faces.track_of_crop, faces.cannot_link, labels)
    assert found.tolist() == identity.tolist()


def test_field_parts_two_who_are_seen_together(make_title):
    faces, identity = make_title(people=2, tracks=5, noise=1.5, together=[(0, 2)])  # one person, by mistake
    alone = fit_field(faces.embeddings, faces.track_of_crop, np.zeros_like(faces.cannot_link), identity)
    parted = fit_field(faces.embeddings, faces.track_of_crop, faces.cannot_link, identity)
    assert alone[0] == alone[2]
    assert parted[0] != parted[2]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_field_does_not_depend_on_the_order_of_tracks(seed):
    outputs, cannot_link, labels = _field(seed)
    found = fit_field(outputs, np.repeat(np.arange(12), 3), cannot_link, labels)
    order = np.random.default_rng(seed + 1).permutation(12)
    shuffled = fit_field(
        outputs.reshape(12, 3, -1)[order].reshape(36, -1),
        np.repeat(np.arange(12), 3),
        cannot_link[np.ix_(order, order)],
        labels[order],
    )
    assert by_appearance(found[order]).tolist() == shuffled.tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_field_stays_where_it_has_settled(seed):
    outputs, cannot_link, labels = _field(seed)
    track_of_crop = np.repeat(np.arange(12), 3)
    found = fit_field(outputs, track_of_crop, cannot_link, labels)
    assert fit_field(outputs, track_of_crop, cannot_link, found).tolist() == found.tolist()


def test_pairs_are_from_the_sources_that_they_are_said_to_be_from(make_title):
    faces, identity = make_title(people=3, tracks=4, together=[(0, 1), (4, 5)])
    sampler = jfrac._PairSampler(faces, np.random.default_rng(0))
    first, second, same = sampler.draw(identity)
    track, other = faces.track_of_crop[first].reshape(4, -1), faces.track_of_crop[second].reshape(4, -1)
    same = same.reshape(4, -1)
    assert (track[0] == other[0]).all()
    assert faces.cannot_link[track[1], other[1]].all()
    assert (identity[track[2]] == identity[other[2]]).all()
    assert (track[2] != other[2]).any()
    assert (identity[track[3]] != identity[other[3]]).all()
    assert set(identity[other[3]].tolist()) == {0, 1, 2}
    assert (same == [[1], [0], [1], [0]]).all()
    assert len(np.unique(first)) > 40  # of 48 crops


def test_one_cluster_and_no_cannot_links_leave_two_sources(make_title):
    faces, identity = make_title(people=2, tracks=3)
    same = jfrac._PairSampler(faces, np.random.default_rng(0)).draw(np.zeros_like(identity))[2]
    assert len(same) == 2 * jfrac._PAIRS_PER_SOURCE
    assert (same == 1).all()


def test_training_draws_a_persons_tracks_together_and_finds_the_people(make_title):
    seen = []

    def spy(outputs, *rest):
        seen.append(np.array(outputs))
        return fit_field(outputs, *rest)

    faces, identity = make_title(people=3, tracks=5, noise=1.0, together=[(0, 1), (4, 5)])
    threshold = 0.3
    first, again = (JFRAC.prepare(faces, seed, **SHORT, fit=spy)(threshold=threshold) for seed in (0, 0))
    assert first.tolist() == again.tolist() == identity.tolist()
    assert np.array_equal(seen[2], seen[5])
    same = identity[faces.track_of_crop][:, None] == identity[faces.track_of_crop]
    before, after = seen[0] @ seen[0].T, seen[2] @ seen[2].T
    assert after[same].mean() > before[same].mean() + 0.02
    JFRAC.prepare(faces, 1, **SHORT, fit=spy)(threshold=threshold)
    assert not np.array_equal(seen[2], seen[8])


@pytest.mark.parametrize("tracks", [0, 1, 2])
def test_few_tracks(tracks, make_title, first_tracks):
    faces, _ = make_title(people=1, tracks=2)
    few = first_tracks(faces, tracks)
    labels = JFRAC.prepare(few, 0, **SHORT)(**JFRAC.settings[0])
    assert labels.dtype == np.int64
    assert labels.tolist() == [0] * tracks
