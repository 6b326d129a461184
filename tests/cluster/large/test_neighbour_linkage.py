"""Merging over lists of the nearest: who is on no list is found all the same."""

import numpy as np
import pytest

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.evidence import Evidence
from vcn_ray.cluster.large.neighbour_linkage import find_characters, link
from vcn_ray.cluster.large.neighbours import Start
from vcn_ray.cluster.large.pair_space import PairSpace
from vcn_ray.cluster.similarity import unit


@pytest.mark.parametrize("between", [9, 30])
def test_who_is_two_people_with_all_the_nearest_still_finds_those_beyond(between):
    rng = np.random.default_rng(0)
    n = between + 2 + 40
    direction = rng.normal(size=(n, 64))  # strangers
    noise = unit(direction[: between + 2])
    face = unit(rng.normal(size=64))
    # Two tracks of a face, and between them others that are more like either, each of another person
    direction[: between + 2] = face + np.r_[[0.6, 0.6], np.full(between, 0.1)][:, None] * noise
    clarity, students = rng.uniform(10, 11, n), np.zeros((n, 0), np.float32)
    space = PairSpace(unit(direction).astype(np.float32), clarity, students, Calibration())
    people = np.arange(between + 2)
    two = np.array([(a, b) for a in people for b in people if a < b and (a, b) != (0, 1)])
    labels = link(Start.of(space, 8, 1), np.arange(n), two, Evidence(), 0.0)
    assert labels[0] == labels[1]
    assert len(set(labels[1 : between + 2])) == between + 1


def test_what_merged_before_the_number_of_characters_was_known_is_what_merges_then():
    rng = np.random.default_rng(1)
    person = rng.permutation(np.repeat(np.arange(150), 1 + np.arange(150) % 5))
    direction = rng.normal(size=(150, 64))[person] + 0.75 * rng.normal(size=(len(person), 64))
    clarity = rng.uniform(8, 12, len(person))
    students = np.zeros((len(person), 0), np.float32)
    start = Start.of(PairSpace(unit(direction).astype(np.float32), clarity, students, Calibration()), 16, 1)
    alone, nobody_apart = np.arange(len(person)), np.zeros((0, 2), np.int64)
    labels, settled = find_characters(start, alone, nobody_apart, Evidence(same_share=0.3), 0.0)
    assert settled.concentration > 10 * Evidence(same_share=0.3).concentration
    first = link(start, alone, nobody_apart, Evidence(same_share=0.3), 0.0)
    assert len(set(first)) < len(set(labels))
    assert labels.tolist() == link(start, alone, nobody_apart, settled, 0.0).tolist()
