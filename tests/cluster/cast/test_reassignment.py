"""Tracks go to whom the whole season shows, whatever the order, and never beside somebody seen with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cast_titles import KNOWN, make_people, make_title, seasons, shuffle_tracks, unit

from vcn_ray.cluster.cast.cast_matching import match_cast
from vcn_ray.cluster.cast.reassignment import reassign_tracks


def _reassign(titles, confidence=None, least=0.0):
    cast = match_cast(titles, KNOWN)
    sure = [np.full(len(title.track_id), 0.9) for title in titles] if confidence is None else confidence
    return cast, reassign_tracks(titles, sure, cast, KNOWN, least)


#: Rows of the second title's brothers: each of one is seen with each of the other.
_SEEN_TOGETHER = [(one, other) for one in range(5) for other in range(5, 10)]


def _brothers(alike=0.75, clarity=None):
    """Two alike (cosine), whom the second title shows side by side; and strangers, to have something to compare."""
    people = make_people(9)
    people[1] = unit(alike * people[0] + np.sqrt(1 - alike**2) * people[1])
    alone = make_title("a", people, [0, 0, 0, 0, 0, 1, 2, 2], [0, 0, 0, 0, 0, 0, 1, 1], noise=0.02)
    who = [0] * 5 + [1] * 5 + [3, 3]
    both = make_title("b", people, who, [0] * 5 + [1] * 5 + [2, 2], _SEEN_TOGETHER, noise=0.02, clarity=clarity)
    return [alone, both, make_title("c", people, [4, 5, 6, 7, 8], range(5))]


def test_a_title_that_took_two_for_one_learns_from_another():
    titles = _brothers()
    cast, found = _reassign(titles)
    member = {(t, int(c)): int(m) for t, c, m in zip(cast.title, cast.cluster_id, cast.member, strict=True)}
    assert member["a", 0] == member["b", 0] != member["b", 1]
    assert found[0].moved.tolist() == [False] * 5 + [True, False, False]
    assert found[0].member[5] == member["b", 1]
    assert 0.5 < found[0].confidence[5] < 1
    assert np.isnan(found[0].confidence[~found[0].moved]).all()
    assert not found[1].moved.any()
    assert not found[2].moved.any()


def test_what_the_title_is_sure_of_has_a_say():
    titles = _brothers(alike=0.84)
    sure = [np.full(len(title.track_id), 0.9) for title in titles]
    sure[0][5] = 0.995
    assert not _reassign(titles, sure)[1][0].moved.any()
    sure[0][5] = 0.5
    assert np.flatnonzero(_reassign(titles, sure)[1][0].moved).tolist() == [5]
    sure[0][5] = np.nan  # not known
    assert not _reassign(titles, sure)[1][0].moved.any()


def test_a_track_moves_for_more_than_what_is_asked():
    assert [_reassign(_brothers(), least=least)[1][0].moved.any() for least in (0, 1000)] == [True, False]


def test_what_people_said_is_two_stays_two():
    titles = _brothers()
    sure = [np.full(len(title.track_id), 0.9) for title in titles]
    apart = [(("b", 1), ("a", 0)), (("nowhere", 3), ("a", 0))]
    cast = match_cast(titles, KNOWN, apart=apart)
    assert not reassign_tracks(titles, sure, cast, KNOWN, apart=apart)[0].moved.any()
    same = [[("a", 0), ("b", 0)]]
    cast = match_cast(titles, KNOWN, same=same)
    assert not reassign_tracks(titles, sure, cast, KNOWN, same=same)[0].moved.any()


def test_two_of_one_person_do_not_change_places():
    """Whom their titles found as two each; else each would go to the other's member, and back."""
    people = make_people(9)
    pair = [make_title(name, people, [0, 0, 1], [0, 1, 2], noise=0.25, seed=3) for name in "ab"]
    titles = [*pair, make_title("c", people, [4, 5, 6, 7, 8], range(5))]
    sure = [np.full(len(title.track_id), 0.01) for title in titles]  # no title believes what it found
    _, found = _reassign(titles, sure)
    for title, now in zip(titles, found, strict=True):
        of_two = now.member[:2]
        assert len(set(of_two.tolist())) == 1 or not now.moved[:2].all(), title.title


def test_a_dark_title_keeps_its_own():
    """Its tracks tell who they are, though all are dim beside the season's."""
    people = make_people(9)
    dark = make_title("a", people, [0] * 10 + [1] * 10, [0] * 10 + [1] * 10, noise=0.3, clarity=np.full(20, 7.0))
    bright = [
        make_title(name, people, [0, 1, *range(2, 9)] * 2, [*range(9)] * 2, noise=0.3, clarity=np.full(18, 11.0))
        for name in "bc"
    ]
    assert not _reassign([dark, *bright])[1][0].moved.any()


def test_a_blur_tells_nobody_who_a_member_is():
    """Nothing joins a member of whom there are only faces that could be anybody's."""
    dim = _brothers(clarity=np.array([10.0] * 5 + [7.0] * 5 + [10.0] * 2))
    assert not any(one.moved.any() for one in _reassign(dim)[1])


def test_of_two_seen_together_one_goes_at_most():
    people = make_people(9)
    people[1] = unit(0.75 * people[0] + 0.66 * people[1])
    alone = make_title("a", people, [0, 0, 0, 0, 0, 1, 1], [0] * 5 + [0, 0], [(5, 6)], noise=0.02)
    titles = [alone, *_brothers()[1:]]
    assert _reassign(titles)[1][0].moved.sum() == 1


@settings(max_examples=50, deadline=None)
@given(seasons(), st.randoms(use_true_random=False))
def test_whatever_the_order_and_never_with_somebody_seen_together(titles, random):
    rng = np.random.default_rng(0)
    sure = [rng.uniform(0, 1, len(title.track_id)) for title in titles]
    _cast, found = _reassign(titles, sure)
    for title, now in zip(titles, found, strict=True):
        row = {track: k for k, track in enumerate(title.track_id.tolist())}
        for a, b in title.cannot_link.tolist():
            if title.cluster_id[row[a]] != title.cluster_id[row[b]]:
                assert now.member[row[a]] != now.member[row[b]]
    number = list(range(len(titles)))
    random.shuffle(number)
    mixed, mixed_sure, orders = [], [], []
    for k in number:
        title, order = shuffle_tracks(titles[k], random)
        mixed.append(title)
        mixed_sure.append(sure[k][order])
        orders.append(order)
    again = _reassign(mixed, mixed_sure)[1]
    for k, order, now in zip(number, orders, again, strict=True):
        assert now.member.tolist() == found[k].member[order].tolist()
        assert now.confidence.tobytes() == found[k].confidence[order].tobytes()


@pytest.mark.parametrize("titles", [[], [make_title("a", make_people(2), [0, 0, 1, 1], [0, 1, 1, 2])]])
def test_a_title_alone_learns_nothing(titles):
    assert [one.moved.any() for one in _reassign(titles)[1]] == [False] * len(titles)
