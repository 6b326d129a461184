"""t-SNE: which crops are mapped, the same each time, one look for one person."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.plots.embedding_map import _look, _looks, _looks_of_truth, choose_points, map_crops


@given(st.lists(st.integers(0, 40), max_size=200), st.integers(5, 60))
def test_no_more_crops_are_chosen_than_fit_and_none_twice(tracks: list[int], most: int) -> None:
    chosen = choose_points(np.array(tracks, np.int64), most)
    assert len(chosen) <= most
    assert (np.diff(chosen) > 0).all()
    if len(set(tracks)) <= most:
        assert {tracks[one] for one in chosen} == set(tracks)


def test_the_map_is_the_same_each_time_and_keeps_people_apart() -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(3, 16)), 10, axis=0)
    crops = centres + 0.1 * rng.normal(size=centres.shape)
    crops /= np.linalg.norm(crops, axis=1, keepdims=True)
    places = map_crops(crops)
    assert places.shape == (30, 2)
    np.testing.assert_array_equal(places, map_crops(crops))
    middle = places.reshape(3, 10, 2).mean(axis=1)
    spread = np.abs(places.reshape(3, 10, 2) - middle[:, None]).max()
    between = min(np.linalg.norm(middle[a] - middle[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert between > 2 * spread


def test_a_person_looks_like_the_character_that_most_of_its_crops_are_in() -> None:
    result = [4, 4, 4, 9, 9, None]
    truth = ["q", "q", "p", "p", "r", None]
    looks = _looks(result)
    of_truth = _looks_of_truth(truth, result, looks)
    assert of_truth["q"] == looks[4]
    assert of_truth["p"] == looks[9] or of_truth["r"] == looks[9]
    assert len(set(of_truth.values())) == 3  # a person of no character has a look of its own


def test_looks_differ_for_150_characters() -> None:
    assert len({_look(number) for number in range(150)}) == 150
