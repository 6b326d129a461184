"""Characters matched across titles: the same people meet, whatever the order, and never two people of one frame."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cast_titles import KNOWN, apart_in, make_people, make_title, seasons, shuffle_tracks, unit

from vcn_ray.cluster.cast.cast_matching import match_cast
from vcn_ray.cluster.cast.season_tracks import TitleCharacters, season_similarities, track_clarity
from vcn_ray.cluster.evidence import Evidence, crp_concentration, fit_evidence, guess_calibration, standardise


def _member(found):
    return {(t, int(c)): int(m) for t, c, m in zip(found.title, found.cluster_id, found.member, strict=True)}


def _partition(found):
    groups = {}
    for character, member in _member(found).items():
        groups.setdefault(member, set()).add(character)
    return {frozenset(group) for group in groups.values()}


@settings(max_examples=60, deadline=None)
@given(seasons(), st.randoms(use_true_random=False))
def test_order_of_titles_and_tracks_does_not_matter(titles, random):
    shuffled = [shuffle_tracks(title, random)[0] for title in titles]
    random.shuffle(shuffled)
    first, second = match_cast(titles, KNOWN), match_cast(shuffled, KNOWN)
    assert _member(first) == _member(second)
    assert first.evidence == second.evidence


@settings(max_examples=60, deadline=None)
@given(seasons())
def test_two_who_are_seen_together_are_never_one(titles):
    member = _member(match_cast(titles, KNOWN))
    assert not [pair for pair in apart_in(titles) if member[pair[0]] == member[pair[1]]]


@settings(max_examples=60, deadline=None)
@given(seasons(), st.booleans())
def test_both_ways_to_look_for_candidates_give_one_result(titles, known):
    calibration = KNOWN if known else None
    assert _member(match_cast(titles, calibration, "blocks")) == _member(match_cast(titles, calibration, "faiss"))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seasons(), st.sampled_from([0.01, 0.3, 0.9, 0.999]))
def test_it_is_average_linkage_over_all_pairs_of_tracks(titles, share):
    """Against the plain algorithm on the matrix of all tracks, for priors on either side of even odds."""
    titles = [title for title in titles if len(title.track_id)]
    evidence = Evidence(same_share=share)
    found = match_cast(titles, KNOWN, fit=lambda *_: evidence)
    if found.evidence is not None:
        assert _partition(found) == _plainly(titles, evidence)


def _plainly(titles, evidence):
    """Groups of characters; more of them than the prior expects ask for another prior, and all over again."""
    while True:
        groups = _merge_plainly(titles, evidence)
        wanted = crp_concentration(len(groups), sum(len(title.track_id) for title in titles))
        if wanted <= evidence.concentration * (1 + 1e-9):
            return groups
        evidence = replace(evidence, least_concentration=wanted)


def _merge_plainly(titles, evidence):
    vectors = np.concatenate([title.embedding.astype(float) for title in titles])
    clarity = np.concatenate([track_clarity(title, KNOWN) for title in titles])
    character = [(title.title, int(cluster)) for title in titles for cluster in title.cluster_id]
    similarity = vectors @ vectors.T
    apart = {frozenset(pair) for pair in apart_in(titles)}
    groups = {frozenset([c]): np.flatnonzero([c == other for other in character]) for c in set(character)}
    while True:
        best, chosen = 0.0, None
        for a in groups:
            for b in groups:
                if a == b or any(frozenset([x, y]) in apart for x in a for y in b):
                    continue
                if len({title for title, _ in a | b}) == 1:
                    continue
                of_a, of_b = clarity[groups[a]], clarity[groups[b]]
                average = np.average(similarity[np.ix_(groups[a], groups[b])], weights=np.outer(of_a, of_b))
                of_pairs = np.sqrt(np.average(of_a, weights=of_a) * np.average(of_b, weights=of_b))
                pairs = of_a.sum() ** 2 / (of_a**2).sum() * of_b.sum() ** 2 / (of_b**2).sum()
                larger = max(len(of_a), len(of_b))
                odds = evidence.log_odds(standardise(average, of_pairs, KNOWN), of_pairs, pairs, larger)
                if odds > best + 1e-9:
                    best, chosen = odds, (a, b)
        if chosen is None:
            return set(groups)
        a, b = chosen
        groups[a | b] = np.concatenate([groups.pop(a), groups.pop(b)])


def test_people_meet_across_titles():
    people = make_people(8)
    titles = [
        make_title("a", people, [0, 0, 1, 1, 2], [0, 0, 1, 1, 2]),
        make_title("b", people, [1, 1, 0, 3], [0, 0, 1, 2]),
        make_title("c", people, [4, 5, 6, 7, 0], [3, 4, 5, 6, 7]),
    ]
    found = _partition(match_cast(titles, KNOWN))
    assert {("a", 0), ("b", 1), ("c", 7)} in found
    assert {("a", 1), ("b", 0)} in found
    assert len(found) == 8


def test_a_split_is_healed_by_another_title_alone():
    """Two halves of one person, turned apart as far as still speaks for one person."""
    people = make_people(12)
    between = people[0]
    left, right = (unit(between + sign * 0.9 * people[1]) for sign in (1, -1))
    others = [make_title(f"x{k}", people, range(2, 12), range(10)) for k in range(3)]
    poses = np.stack([left, right])
    assert 0.05 < (left @ right) < 0.5
    split = make_title("s", poses, [0] * 6 + [1] * 6, [0] * 6 + [1] * 6, noise=0.02)
    alone = _member(match_cast([split, *others], KNOWN))
    assert alone["s", 0] != alone["s", 1]
    third = make_title("t", np.stack([between]), [0] * 6, [0] * 6, noise=0.02)
    healed = _member(match_cast([split, third, *others], KNOWN))
    assert healed["s", 0] == healed["s", 1] == healed["t", 0]
    seen_together = TitleCharacters("s", split.track_id, split.cluster_id, split.embedding, split.track_id[[[0, 11]]])
    apart = _member(match_cast([seen_together, third, *others], KNOWN))
    assert apart["s", 0] != apart["s", 1]


def test_a_title_alone_keeps_its_characters():
    people = make_people(2)
    found = match_cast([make_title("a", people, [0, 0, 0, 0, 1], [3, 3, 7, 7, 9])], KNOWN)
    assert len(_partition(found)) == 3


@pytest.mark.parametrize(
    "titles", [[], [make_title("a", make_people(1), [], [])], [make_title("a", make_people(1), [0], [4])]]
)
def test_nothing_to_match(titles):
    found = match_cast(titles, None)
    assert found.member.tolist() == [0] * len(found.title)
    assert found.evidence is None


def test_similarities_are_counted_as_they_are():
    people = make_people(4)
    titles = [
        make_title("a", people, [0, 1, 2, 0], [0, 1, 2, 0], [(0, 1), (3, 1)]),
        make_title("b", people, [0, 1, 3], [0, 1, 2], [(0, 2)]),
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
    people = make_people(10)
    rng = np.random.default_rng(1)
    titles = []
    for number in range(4):
        who = rng.integers(0, 10, 300)
        titles.append(
            make_title(f"t{number}", people, who, who, [(k, k + 1) for k in range(299) if who[k] != who[k + 1]])
        )
    of_all = season_similarities(titles)
    of_part = season_similarities(titles, most_tracks=400)
    assert (of_all[2], of_part[2]) == (1200, 400)
    shares = [
        fit_evidence(values * 10, KNOWN.typical_clarity, n, KNOWN, counts).same_share
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
    one, other = (fit_evidence(v * 10, 10.0, 50, KNOWN, c) for v, c in ((values, None), (distinct, counts)))
    assert (one.same_share, one.same_shift) == pytest.approx((other.same_share, other.same_shift), abs=1e-6)


@st.composite
def _corrected(draw):
    """A season and what people said of its characters, contradictions and characters that are not there included."""
    titles = draw(seasons())
    there = sorted({(title.title, int(c)) for title in titles for c in title.cluster_id})
    who = st.sampled_from([*there, ("t0", 99), ("Überraschung é 日本 <b>", 0)])
    same = draw(st.lists(st.lists(who, min_size=0, max_size=4), max_size=3))
    apart = draw(st.lists(st.tuples(who, who), max_size=4))
    return titles, same, apart


@settings(max_examples=60, deadline=None)
@given(_corrected(), st.randoms(use_true_random=False))
def test_what_people_said_of_characters_holds(season, random):
    titles, same, apart = season
    found = match_cast(titles, KNOWN, same=same, apart=apart)
    member = _member(found)
    two = [pair for pair in [*apart_in(titles), *apart] if pair[0] != pair[1] and set(pair) <= set(member)]
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
    again = match_cast(titles, KNOWN, same=shuffled, apart=[pair[::-1] for pair in apart])
    assert (_member(again), again.refused) == (member, found.refused)


@settings(max_examples=50, deadline=None)
@given(seasons())
def test_nothing_said_of_characters_is_as_before(titles):
    before, after = match_cast(titles, KNOWN), match_cast(titles, KNOWN, same=[[("t9", 0), ("t8", 1)]], apart=[])
    assert before.member.tobytes() == after.member.tobytes()
    assert (before.evidence, before.refused) == (after.evidence, after.refused)


def test_a_group_that_holds_two_people_is_refused_in_part():
    people = make_people(4)
    titles = [make_title("a", people, [0, 1, 2], [0, 1, 2], [(0, 1)]), make_title("b", people, [3], [0])]
    found = match_cast(titles, KNOWN, same=[[("b", 0), ("a", 1), ("a", 0), ("a", 2)]])
    assert _partition(found) == {frozenset({("a", 0), ("a", 2), ("b", 0)}), frozenset({("a", 1)})}
    assert found.refused == ((("a", 0), ("a", 1)),)


def test_two_of_one_title_can_be_said_to_be_one_unless_they_were_seen_together():
    title = make_title("a", make_people(2), [0, 1], [0, 1])
    said = [[("a", 1), ("a", 0)]]
    assert len(_partition(match_cast([title], KNOWN))) == 2
    assert len(_partition(match_cast([title], KNOWN, same=said))) == 1
    seen = match_cast([make_title("a", make_people(2), [0, 1], [0, 1], [(0, 1)])], KNOWN, same=said)
    assert len(_partition(seen)) == 2
    assert (seen.evidence, seen.refused) == (None, ((("a", 0), ("a", 1)),))


def test_two_of_one_title_that_were_joined_draw_no_third_of_it():
    """Merging two characters of one title makes no group of several titles."""
    people = make_people(3)
    titles = [make_title("a", people, [0, 0, 0, 1], [0, 1, 2, 3]), make_title("b", people, [2], [0])]
    member = _member(match_cast(titles, KNOWN, same=[[("a", 0), ("a", 1)]]))
    assert member["a", 0] == member["a", 1] != member["a", 2]


def test_what_was_said_decides_whom_others_join():
    people = make_people(6)
    titles = [make_title(name, people, [0, 0, 1, 2], [0, 0, 1, 2]) for name in "abc"]
    found = match_cast(titles, KNOWN, apart=[(("a", 0), ("b", 0)), (("a", 0), ("c", 0))])
    member = _member(found)
    assert member["b", 0] == member["c", 0] != member["a", 0]
    assert len(_partition(found)) == 4
