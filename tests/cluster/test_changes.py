"""Two people in one track are found; poses, blur and single bad crops do not split it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.changes import find_changes

DIM = 128
SEEDS = st.integers(0, 2**32 - 1)


def _unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _people(rng, count):
    """Strangers: unit vectors at right angles."""
    return np.linalg.qr(rng.normal(size=(DIM, count)))[0].T


def _crops(rng, person, count, alike=0.85):
    """Crops of a person whose cosine with one another is about `alike`."""
    return _unit(np.sqrt(alike) * person + np.sqrt(1 - alike) * _unit(rng.normal(size=(count, DIM))))


@settings(max_examples=50)
@given(SEEDS, st.lists(st.integers(2, 8), min_size=2, max_size=3))
def test_every_change_of_person_is_found(seed, counts):
    rng = np.random.default_rng(seed)
    people = _people(rng, len(counts))
    track = np.concatenate([_crops(rng, person, count) for person, count in zip(people, counts, strict=True)])
    assert find_changes(track, Calibration()) == np.cumsum(counts)[:-1].tolist()


def test_somebody_who_passes_before_another_is_cut_out():
    rng = np.random.default_rng(3)
    one, other = _people(rng, 2)
    track = np.concatenate([_crops(rng, one, 4), _crops(rng, other, 2), _crops(rng, one, 3)])
    assert find_changes(track, Calibration()) == [4, 6]


@settings(max_examples=50)
@given(SEEDS, st.integers(1, 12), st.sampled_from([0.3, 0.6, 0.9]))
def test_one_person_is_never_split(seed, count, alike):
    rng = np.random.default_rng(seed)
    assert find_changes(_crops(rng, *_people(rng, 1), count, alike), Calibration()) == []


@given(SEEDS, st.integers(2, 6), st.booleans())
def test_one_bad_crop_does_not_split(seed, count, at_end):
    rng = np.random.default_rng(seed)
    one, other = _people(rng, 2)
    good, bad = _crops(rng, one, count), _crops(rng, other, 1)
    assert find_changes(np.concatenate([good, bad] if at_end else [bad, good]), Calibration()) == []


def test_a_head_that_turns_does_not_split():
    """From one pose to another at which the embedding is nearly as far from the first as a stranger's."""
    rng = np.random.default_rng(0)
    front, side = _people(rng, 2)
    turn = np.linspace(0, 1, 12)[:, None]
    poses = _unit((1 - turn) * front + turn * (0.4 * front + 0.6 * side))
    assert find_changes(np.concatenate([_crops(rng, pose, 1) for pose in poses]), Calibration()) == []


def test_parts_too_unsteady_to_judge_do_not_split():
    rng = np.random.default_rng(1)
    one, other = _people(rng, 2)
    track = np.concatenate([_crops(rng, one, 6), _crops(rng, other, 6, alike=0.3)])
    assert find_changes(track, Calibration()) == []


@pytest.mark.parametrize(("similarity", "found"), [(-0.1, True), (0.1, True), (0.45, False)])
def test_parts_as_far_apart_as_strangers_split(similarity, found):
    first = np.eye(DIM)[0]
    second = similarity * first + np.sqrt(1 - similarity**2) * np.eye(DIM)[1]
    track = np.repeat([first, second], 4, axis=0)
    assert find_changes(track, Calibration()) == ([4] if found else [])


@given(SEEDS)
def test_the_same_backwards(seed):
    rng = np.random.default_rng(seed)
    one, other = _people(rng, 2)
    track = np.concatenate([_crops(rng, one, 5), _crops(rng, other, 3)])
    assert find_changes(track[::-1], Calibration()) == [3]
