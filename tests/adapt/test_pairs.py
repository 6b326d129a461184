import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.adapt.pairs import characters_once, draw_epoch


@settings(deadline=None)
@given(
    groups=st.lists(st.integers(-1, 4), min_size=1, max_size=40).filter(lambda g: max(g) >= 0),
    batch=st.integers(1, 9),
    min_batches=st.integers(1, 5),
)
def test_pairs_are_two_crops_of_a_group_and_fill_whole_batches(groups, batch, min_batches):
    group_of_crop = np.array(groups)
    pairs = draw_epoch(group_of_crop, batch, min_batches, seed=0, iteration=1, epoch=0)
    assert len(pairs) % batch == 0
    assert len(pairs) // batch >= min_batches
    a, b = group_of_crop[pairs.crop_a], group_of_crop[pairs.crop_b]
    assert (a >= 0).all()
    assert (a == b).all()
    sizes = np.bincount(group_of_crop[group_of_crop >= 0])
    assert ((pairs.crop_a != pairs.crop_b) == (sizes[a] > 1)).all()
    assert set(pairs.crop_a) == set(np.flatnonzero(group_of_crop >= 0))


def test_every_crop_comes_first_equally_often_and_partners_are_drawn_evenly():
    groups = np.array([0] * 4 + [1] * 6)
    pairs = draw_epoch(groups, 10, 300, seed=0, iteration=1, epoch=0)
    assert (np.bincount(pairs.crop_a) == 300).all()
    partners = np.bincount(pairs.crop_b[pairs.crop_a == 5], minlength=10)[[4, 6, 7, 8, 9]]
    assert partners.min() > 40


@pytest.mark.parametrize("change", [{"seed": 1}, {"iteration": 2}, {"epoch": 1}])
def test_order_and_partners_come_from_seed_iteration_and_epoch(change):
    groups = np.repeat(np.arange(5), 5)
    place = {"seed": 0, "iteration": 1, "epoch": 0}
    first, again = (draw_epoch(groups, 5, 1, **place) for _ in range(2))
    other = draw_epoch(groups, 5, 1, **(place | change))
    assert np.array_equal(first.crop_a, again.crop_a)
    assert np.array_equal(first.local_draws, again.local_draws)
    assert not np.array_equal(first.crop_a, other.crop_a)


def test_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="no crop is left"):
        draw_epoch(np.array([-1, -1]), 4, 1, 0, 1, 0)


@given(st.lists(st.integers(-1, 3), min_size=2, max_size=8), st.integers(0, 5), st.booleans())
def test_every_character_begins_as_many_pairs_whatever_its_tracks_and_crops(character_of_track, epoch, filtered):
    character_of_track = np.array(character_of_track)
    track_of_crop = np.repeat(np.arange(len(character_of_track)), 1 + np.arange(len(character_of_track)) % 3)
    group = np.where(filtered & (track_of_crop == 0), -1, track_of_crop)
    trained, character = group >= 0, character_of_track[track_of_crop]
    weight = np.zeros(len(group))
    weight[trained] = characters_once(character[trained])
    assert weight[trained].mean() == pytest.approx(1)
    assert (weight[trained & (character < 0)] == 1).all()
    pairs = draw_epoch(group, 8, 40, seed=0, iteration=1, epoch=epoch, weight_of_crop=weight)
    begun = np.bincount(character[pairs.crop_a][character[pairs.crop_a] >= 0], minlength=4)
    of_each = begun[np.unique(character[trained & (character >= 0)])]
    if len(of_each):
        assert of_each.max() - of_each.min() <= 2 * len(group)  # each crop's number is rounded up or down
        assert of_each.min() > 0
    assert (group[pairs.crop_a] == group[pairs.crop_b]).all()
    assert (group[pairs.crop_a] >= 0).all()
