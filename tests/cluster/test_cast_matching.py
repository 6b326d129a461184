"""Characters matched across titles: the same people meet, whatever the order, and never two people of one frame."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.cast_matching import TitleCharacters, log_likelihood_ratio, match_cast, season_similarities
from vcn_ray.cluster.evidence import Evidence, fit_evidence, guess_calibration

_KNOWN = Calibration()


def _unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _people(count, seed=0, dim=64):
    """Directions of people who are as alike as strangers are to SFace."""
    rng = np.random.default_rng(seed)
    return _unit(rng.normal(size=(count, dim)) + 0.33 * rng.normal(size=dim))


def _title(name, people, person_of_track, cluster_of_track, cannot_link=(), noise=0.1, seed=0):
    rng = np.random.default_rng([seed, *name.encode()])
    vectors = people[list(person_of_track)] + noise * rng.normal(size=(len(person_of_track), people.shape[1]))
    ids = np.arange(len(person_of_track)) * 2 + 5
    pairs = np.array([(ids[a], ids[b]) for a, b in cannot_link], np.int64).reshape(-1, 2)
    return TitleCharacters(name, ids, np.array(cluster_of_track, np.int64), _unit(vectors).astype(np.float32), pairs)


def _member(found):
    return {(t, int(c)): int(m) for t, c, m in zip(found.title, found.cluster_id, found.member, strict=True)}


def _partition(found):
    groups = {}
    for character, member in _member(found).items():
        groups.setdefault(member, set()).add(character)
    return {frozenset(group) for group in groups.values()}


@st.composite
def _seasons(draw):
    """Up to five titles of noisy tracks; characters may be wrong, cannot-links anywhere, people alike."""
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    people = _people(draw(st.integers(1, 6)), seed, dim=draw(st.sampled_from([4, 16])))
    titles = []
    for number in range(draw(st.integers(1, 5))):
        tracks = draw(st.integers(0, 12))
        clusters = rng.integers(0, 5, tracks)
        who = np.where(rng.random(tracks) < 0.8, clusters % len(people), rng.integers(0, len(people), tracks))
        links = rng.integers(0, max(tracks, 1), (draw(st.integers(0, 6)), 2)) if tracks else []
        noise = draw(st.sampled_from([0.02, 0.15, 0.4]))
        titles.append(_title(f"t{number}", people, who, clusters, links, noise, seed))
    return titles


def _apart(titles):
    """Pairs of characters of one title that hold two tracks seen together."""
    for title in titles:
        cluster = dict(zip(title.track_id.tolist(), title.cluster_id.tolist(), strict=True))
        for a, b in title.cannot_link.tolist():
            if cluster[a] != cluster[b]:
                yield (title.title, cluster[a]), (title.title, cluster[b])


@settings(max_examples=150, deadline=None)
@given(_seasons(), st.randoms(use_true_random=False))
def test_order_of_titles_and_tracks_does_not_matter(titles, random):
    shuffled = []
    for title in titles:
        order = list(range(len(title.track_id)))
        random.shuffle(order)
        parts = (title.track_id, title.cluster_id, title.embedding)
        shuffled.append(TitleCharacters(title.title, *(part[order] for part in parts), title.cannot_link[:, ::-1]))
    random.shuffle(shuffled)
    first, second = match_cast(titles, _KNOWN), match_cast(shuffled, _KNOWN)
    assert _member(first) == _member(second)
    assert first.evidence == second.evidence


@settings(max_examples=150, deadline=None)
@given(_seasons())
def test_two_who_are_seen_together_are_never_one(titles):
    member = _member(match_cast(titles, _KNOWN))
    assert not [pair for pair in _apart(titles) if member[pair[0]] == member[pair[1]]]


@settings(max_examples=150, deadline=None)
@given(_seasons(), st.booleans())
def test_both_ways_to_look_for_candidates_give_one_result(titles, known):
    calibration = _KNOWN if known else None
    assert _member(match_cast(titles, calibration, "blocks")) == _member(match_cast(titles, calibration, "faiss"))


@settings(max_examples=150, deadline=None)
@given(_seasons(), st.sampled_from([0.01, 0.3, 0.9, 0.999]))
def test_it_is_average_linkage_over_all_pairs_of_tracks(titles, share):
    """Against the plain algorithm on the matrix of all tracks, for priors on either side of even odds."""
    titles = [title for title in titles if len(title.track_id)]
    evidence = Evidence(same_share=share)
    found = match_cast(titles, _KNOWN, fit=lambda *_: evidence)
    if found.evidence is not None:
        assert _partition(found) == _plainly(titles, evidence)


def _plainly(titles, evidence):
    vectors = np.concatenate([title.embedding.astype(float) for title in titles])
    character = [(title.title, int(cluster)) for title in titles for cluster in title.cluster_id]
    similarity = vectors @ vectors.T
    apart = {frozenset(pair) for pair in _apart(titles)}
    groups = {frozenset([c]): np.flatnonzero([c == other for other in character]) for c in set(character)}
    while True:
        best, chosen = -np.inf, None
        for a in groups:
            for b in groups:
                if a == b or any(frozenset([x, y]) in apart for x in a for y in b):
                    continue
                if len({title for title, _ in a | b}) == 1:
                    continue
                average = similarity[np.ix_(groups[a], groups[b])].mean()
                pairs = len(groups[a]) * len(groups[b])
                odds = np.sqrt(pairs) * log_likelihood_ratio(evidence, average) + evidence.prior_log_odds
                if odds > 0 and average > best + 1e-9:
                    best, chosen = average, (a, b)
        if chosen is None:
            return set(groups)
        a, b = chosen
        groups[a | b] = np.concatenate([groups.pop(a), groups.pop(b)])


def test_people_meet_across_titles():
    people = _people(8)
    titles = [
        _title("a", people, [0, 0, 1, 1, 2], [0, 0, 1, 1, 2]),
        _title("b", people, [1, 1, 0, 3], [0, 0, 1, 2]),
        _title("c", people, [4, 5, 6, 7, 0], [3, 4, 5, 6, 7]),
    ]
    found = _partition(match_cast(titles, _KNOWN))
    assert {("a", 0), ("b", 1), ("c", 7)} in found
    assert {("a", 1), ("b", 0)} in found
    assert len(found) == 8


def test_a_split_is_healed_by_another_title_alone():
    """Two halves of one person, turned apart as far as still speaks for one person."""
    people = _people(12)
    between = people[0]
    left, right = (_unit(between + sign * 0.9 * people[1]) for sign in (1, -1))
    others = [_title(f"x{k}", people, range(2, 12), range(10)) for k in range(3)]
    poses = np.stack([left, right])
    assert 0.05 < (left @ right) < 0.5
    split = _title("s", poses, [0] * 6 + [1] * 6, [0] * 6 + [1] * 6, noise=0.02)
    alone = _member(match_cast([split, *others], _KNOWN))
    assert alone["s", 0] != alone["s", 1]
    third = _title("t", np.stack([between]), [0] * 6, [0] * 6, noise=0.02)
    healed = _member(match_cast([split, third, *others], _KNOWN))
    assert healed["s", 0] == healed["s", 1] == healed["t", 0]
    seen_together = TitleCharacters("s", split.track_id, split.cluster_id, split.embedding, split.track_id[[[0, 11]]])
    apart = _member(match_cast([seen_together, third, *others], _KNOWN))
    assert apart["s", 0] != apart["s", 1]


def test_a_title_alone_keeps_its_characters():
    people = _people(2)
    found = match_cast([_title("a", people, [0, 0, 0, 0, 1], [3, 3, 7, 7, 9])], _KNOWN)
    assert len(_partition(found)) == 3


@pytest.mark.parametrize("titles", [[], [_title("a", _people(1), [], [])], [_title("a", _people(1), [0], [4])]])
def test_nothing_to_match(titles):
    found = match_cast(titles, None)
    assert found.member.tolist() == [0] * len(found.title)
    assert found.evidence is None


def test_similarities_are_counted_as_they_are():
    people = _people(4)
    titles = [
        _title("a", people, [0, 1, 2, 0], [0, 1, 2, 0], [(0, 1), (3, 1)]),
        _title("b", people, [0, 1, 3], [0, 1, 2], [(0, 2)]),
    ]
    vectors = np.concatenate([title.embedding for title in titles]).astype(float)
    may = np.triu(np.ones((7, 7), bool), 1)
    for a, b in [(0, 1), (1, 3), (4, 6)]:
        may[a, b] = False
    expected = np.sort((vectors @ vectors.T)[may])
    values, counts, tracks = season_similarities(titles)
    assert (counts.sum(), tracks) == (21 - 3, 7)
    np.testing.assert_allclose(np.repeat(values, counts), expected, atol=1 / 4096 + 1e-9)


def test_of_many_tracks_a_part_tells_the_same():
    people = _people(10)
    rng = np.random.default_rng(1)
    titles = []
    for number in range(4):
        who = rng.integers(0, 10, 300)
        titles.append(_title(f"t{number}", people, who, who, [(k, k + 1) for k in range(299) if who[k] != who[k + 1]]))
    of_all = season_similarities(titles)
    of_part = season_similarities(titles, most_tracks=400)
    assert (of_all[2], of_part[2]) == (1200, 400)
    shares = [
        fit_evidence(values * 10, _KNOWN.typical_clarity, n, _KNOWN, counts).same_share
        for values, counts, n in (of_all, of_part)
    ]
    assert shares[1] == pytest.approx(shares[0], rel=0.1)
    assert season_similarities(titles, most_tracks=400)[1].tolist() == of_part[1].tolist()


def test_counted_similarities_give_the_evidence_of_the_single_ones():
    rng = np.random.default_rng(0)
    values = np.round(np.concatenate([rng.normal(0.1, 0.11, 900), rng.normal(0.5, 0.15, 100)]), 2)
    distinct, counts = np.unique(values, return_counts=True)
    one, other = guess_calibration(values), guess_calibration(distinct, counts)
    assert one.model_dump() == pytest.approx(other.model_dump())
    one, other = (fit_evidence(v * 10, 10.0, 50, _KNOWN, c) for v, c in ((values, None), (distinct, counts)))
    assert (one.same_share, one.same_shift) == pytest.approx((other.same_share, other.same_shift), abs=1e-6)


@st.composite
def _corrected(draw):
    """A season and what people said of its characters, contradictions and characters that are not there included."""
    titles = draw(_seasons())
    there = sorted({(title.title, int(c)) for title in titles for c in title.cluster_id})
    who = st.sampled_from([*there, ("t0", 99), ("Überraschung é 日本 <b>", 0)])
    same = draw(st.lists(st.lists(who, min_size=0, max_size=4), max_size=3))
    apart = draw(st.lists(st.tuples(who, who), max_size=4))
    return titles, same, apart


@settings(max_examples=60, deadline=None)
@given(_corrected(), st.randoms(use_true_random=False))
def test_what_people_said_of_characters_holds(season, random):
    titles, same, apart = season
    found = match_cast(titles, _KNOWN, same=same, apart=apart)
    member = _member(found)
    two = [pair for pair in [*_apart(titles), *apart] if pair[0] != pair[1] and set(pair) <= set(member)]
    assert not [pair for pair in two if member[pair[0]] == member[pair[1]]]
    for group in same:
        known = sorted(set(group) & set(member))
        first, refused = known[:1], {pair for pair in found.refused if set(pair) <= set(known)}
        assert {member[who] for who in known} == {member[who] for who in [*first, *(b for _, b in refused)]}
    assert all(member[a] != member[b] for a, b in found.refused)
    if not two:
        assert not found.refused
    random.shuffle(titles)
    shuffled = [random.sample(group, len(group)) for group in random.sample(same, len(same))]
    again = match_cast(titles, _KNOWN, same=shuffled, apart=[pair[::-1] for pair in apart])
    assert (_member(again), again.refused) == (member, found.refused)


@settings(max_examples=50, deadline=None)
@given(_seasons())
def test_nothing_said_of_characters_is_as_before(titles):
    before, after = match_cast(titles, _KNOWN), match_cast(titles, _KNOWN, same=[[("t9", 0), ("t8", 1)]], apart=[])
    assert before.member.tobytes() == after.member.tobytes()
    assert (before.evidence, before.refused) == (after.evidence, after.refused)


def test_a_group_that_holds_two_people_is_refused_in_part():
    people = _people(4)
    titles = [_title("a", people, [0, 1, 2], [0, 1, 2], [(0, 1)]), _title("b", people, [3], [0])]
    found = match_cast(titles, _KNOWN, same=[[("b", 0), ("a", 1), ("a", 0), ("a", 2)]])
    assert _partition(found) == {frozenset({("a", 0), ("a", 2), ("b", 0)}), frozenset({("a", 1)})}
    assert found.refused == ((("a", 0), ("a", 1)),)


def test_two_of_one_title_can_be_said_to_be_one_unless_they_were_seen_together():
    title = _title("a", _people(2), [0, 1], [0, 1])
    said = [[("a", 1), ("a", 0)]]
    assert len(_partition(match_cast([title], _KNOWN))) == 2
    assert len(_partition(match_cast([title], _KNOWN, same=said))) == 1
    seen = match_cast([_title("a", _people(2), [0, 1], [0, 1], [(0, 1)])], _KNOWN, same=said)
    assert len(_partition(seen)) == 2
    assert (seen.evidence, seen.refused) == (None, ((("a", 0), ("a", 1)),))


def test_two_of_one_title_that_were_joined_draw_no_third_of_it():
    """Merging two characters of one title makes no group of several titles."""
    people = _people(3)
    titles = [_title("a", people, [0, 0, 0, 1], [0, 1, 2, 3]), _title("b", people, [2], [0])]
    member = _member(match_cast(titles, _KNOWN, same=[[("a", 0), ("a", 1)]]))
    assert member["a", 0] == member["a", 1] != member["a", 2]


def test_what_was_said_decides_whom_others_join():
    people = _people(6)
    titles = [_title(name, people, [0, 0, 1, 2], [0, 0, 1, 2]) for name in "abc"]
    found = match_cast(titles, _KNOWN, apart=[(("a", 0), ("b", 0)), (("a", 0), ("c", 0))])
    member = _member(found)
    assert member["b", 0] == member["c", 0] != member["a", 0]
    assert len(_partition(found)) == 4
