"""Clustering is held to what people said, whatever the method, the faces and the order of tracks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.clusterer import Clusters, CropOutputs, TitleFaces
from vcn_ray.cluster.clusterers.evidence_linkage import EvidenceClusterer
from vcn_ray.cluster.clusterers.table import find_clusterer
from vcn_ray.cluster.evidence import Evidence, with_known_pairs
from vcn_ray.cluster.links import Links
from vcn_ray.cluster.title import LOW_QUALITY, SAID_TO_BE_ANOTHER, SAID_TO_BE_NOBODY, cluster_title
from vcn_ray.config import ClusterOptions, make_options

_D, _CROPS = 16, 2
_NONE = np.empty((0, 2), np.int64)


def _links(n, together=(), apart=(), left_out=()):
    group = np.full(n, -1, np.int64)
    for number, tracks in enumerate(together):
        group[list(tracks)] = number
    return Links(group, np.array(apart, np.int64).reshape(-1, 2), np.isin(np.arange(n), left_out))


def _matrix(n, pairs):
    matrix = np.zeros((n, n), bool)
    for a, b in pairs:
        matrix[a, b] = matrix[b, a] = True
    return matrix


@st.composite
def _said(draw, most=12):
    """Tracks, what was seen together, and what was said of them without contradicting that; a generator."""
    n = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    together = rng.integers(-draw(st.integers(1, 8)), draw(st.integers(1, 4)), n)
    links = Links(together, np.empty((0, 2), np.int64), rng.random(n) < draw(st.sampled_from([0.0, 0.2])))

    def two_groups(count):
        pairs = rng.integers(0, n, (count, 2))
        return pairs[links.group[pairs[:, 0]] != links.group[pairs[:, 1]]]

    seen = _matrix(n, two_groups(draw(st.integers(0, 8))))
    return Links(together, two_groups(draw(st.integers(0, 8))), links.left_out), seen, rng


def _outputs(rng, n, shaky=()):
    """Crops of tracks of four people, more or less like them; `shaky` ones scatter under dropout."""
    people = np.random.default_rng(5).normal(size=(4, _D)) + 0.3
    track = np.repeat(np.arange(n), _CROPS)
    base = (people[rng.integers(0, 4, n)] + rng.choice([0.2, 1.0]) * rng.normal(size=(n, _D)))[track]
    base = base * rng.uniform(1.5, 3.5, (len(track), 1))
    student = base + 0.5 * rng.normal(size=base.shape)
    shake = np.where(np.isin(track, shaky), 9.0, 0.05)
    stochastic = base[:, None] + rng.normal(size=(len(track), 3, _D)) * shake[:, None, None]
    log_q = base - np.log(np.exp(base).sum(1, keepdims=True))
    return CropOutputs(track, base, student, stochastic, base[:, None], log_q, log_q)


def _cluster(outputs, seen, links, **given):
    options = make_options(given).cluster
    parts = (outputs, len(seen), np.argwhere(seen), options, Calibration(), find_clusterer(options.merging))
    return cluster_title(*parts, adapted=True, links=links)


def _check(labels, links, two_people):
    """What holds of all labels that are held to links."""
    known = labels >= 0
    assert set(labels[known]) == set(range(labels.max(initial=-1) + 1))
    assert not known[links.left_out].any()
    assert known[links.said].all()
    assert all(len(set(labels[links.group == group])) == 1 for group in links.group[links.said])
    assert not (two_people & known & (labels[:, None] == labels[None])).any()


@settings(deadline=None, max_examples=80)
@given(_said())
def test_what_was_said_and_seen_holds_for_the_default_whatever_the_faces(title):
    links, seen, rng = title
    outputs = _outputs(rng, len(seen), shaky=rng.integers(0, len(seen), 3))
    found = _cluster(outputs, seen, links)
    _check(found.labels, links, links.over_groups(np.argwhere(seen)))
    assert [found.reason[track] for track in np.flatnonzero(links.left_out)] == [
        SAID_TO_BE_NOBODY
    ] * links.left_out.sum()
    assert not found.kept[links.left_out].any()
    assert (found.group[~found.kept] == -1).all()
    assert (np.isnan(found.confidence) == (found.labels < 0)).all()
    assert all((reason is None) == (label >= 0) for reason, label in zip(found.reason, found.labels, strict=True))
    together = [found.confidence[(links.group == group)] for group in links.group[links.said]]
    assert all((own == own[0]).all() for own in together)


@settings(deadline=None, max_examples=80)
@given(_said())
def test_the_default_holds_to_it_by_itself_so_each_label_has_its_probability(title):
    links, seen, rng = title
    outputs, kept = _outputs(rng, len(seen)), (rng.random(len(seen)) < 0.6) & ~links.left_out
    found = EvidenceClusterer().cluster(
        TitleFaces(outputs, kept, np.argwhere(seen), Calibration(), ClusterOptions(), adapted=True, links=links)
    )
    _check(found.labels, links, links.over_groups(np.argwhere(seen)))
    assert (np.isnan(found.confidence) == (found.labels < 0)).all()


@settings(deadline=None, max_examples=80)
@given(_said())
def test_order_of_tracks_and_numbers_of_groups_say_nothing(title):
    links, seen, rng = title
    n = len(seen)
    outputs = _outputs(rng, n, shaky=rng.integers(0, n, 2))
    found = _cluster(outputs, seen, links)
    order = rng.permutation(n)
    crops = (order[:, None] * _CROPS + np.arange(_CROPS)).ravel()
    fields = {name: values[crops] for name, values in vars(outputs).items()} | {"track_of_crop": outputs.track_of_crop}
    renumbered = np.where(links.together >= 0, 7 - links.together, -1)[order]
    moved_links = Links(renumbered, np.argsort(order)[links.apart[:, ::-1]], links.left_out[order])
    moved = _cluster(CropOutputs(**fields), seen[np.ix_(order, order)], moved_links)
    same, moved_same = (
        (labels[:, None] == labels[None]) & (labels >= 0) for labels in (found.labels[order], moved.labels)
    )
    assert (same == moved_same).all()
    assert moved.confidence == pytest.approx(found.confidence[order], abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("merging", ["literal", "hac", "dbscan", "finch", "chinese whispers"])
@settings(deadline=None, max_examples=20)
@given(title=_said())
def test_what_was_said_holds_for_any_method(merging, title):
    links, seen, rng = title
    found = _cluster(_outputs(rng, len(seen)), seen, links, merging=merging)
    _check(found.labels, links, links.over_groups(_NONE))
    assert all((reason is None) == (label >= 0) for reason, label in zip(found.reason, found.labels, strict=True))


@settings(deadline=None, max_examples=200)
@given(_said(), st.integers(1, 5))
def test_any_labels_can_be_held_and_are_then_left_alone(title, count):
    links, seen, rng = title
    labels = np.unique([-1, *rng.integers(-1, count, len(seen))], return_inverse=True)[1][1:] - 1
    held = links.hold(labels, np.argwhere(seen))
    _check(held, links, links.over_groups(_NONE))
    assert (links.hold(held, np.argwhere(seen)) == held).all()
    free = (held < 0) & (labels >= 0) & ~links.left_out
    assert np.isin(np.flatnonzero(free), links.apart).all()  # only who was said to be another loses a label


@settings(deadline=None, max_examples=40)
@given(_said(), st.sampled_from(["members", "gaussian", "mutual"]))
def test_nothing_said_is_as_before(title, matching):
    _, seen, rng = title
    outputs = _outputs(rng, len(seen))
    before, after = (_cluster(outputs, seen, links, matching=matching) for links in (None, Links.none(len(seen))))
    assert before.labels.tobytes() == after.labels.tobytes()
    assert before.confidence.tobytes() == after.confidence.tobytes()
    assert before.group.tobytes() == after.group.tobytes()
    assert before.reason == after.reason


@pytest.mark.parametrize(
    ("together", "apart"),
    [([(0, 1, 2)], [(2, 0)]), ([], [(1, 1)]), ([], [(0, 4)]), ([], [(-1, 2)])],
)
def test_contradictions_and_unknown_tracks_are_refused(together, apart):
    with pytest.raises(ValueError, match=r"said to be two people|links of 4 tracks"):
        _links(4, together, apart)


def test_one_person_who_was_seen_together_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="tracks 1 and 3 are said to be one person, and are seen together"):
        _cluster(_outputs(rng, 4), _matrix(4, [(1, 3)]), _links(4, [(0, 1, 3)]))


def test_of_a_track_that_is_left_out_nothing_else_holds():
    links = _links(4, [(0, 1), (2, 3)], [(0, 2)], left_out=[1])
    assert links.said.tolist() == [True, False, True, True]
    assert links.group.tolist() == [0, 1, 2, 2]
    assert links.over_groups(np.array([[0, 1]])).tolist() == _matrix(4, [(0, 1), (0, 2), (0, 3)]).tolist()


def test_one_low_quality_track_goes_where_its_group_goes_and_is_not_trained():
    rng = np.random.default_rng(1)
    plain = _outputs(rng, 12, shaky=[11])
    assert _cluster(plain, _matrix(12, []), None).reason[11] in (None, LOW_QUALITY)
    for other in range(11):
        found = _cluster(plain, _matrix(12, []), _links(12, [(other, 11)]))
        assert found.labels[11] == found.labels[other] >= 0
        assert not found.kept[11]
        assert found.group[11] == -1


def test_low_quality_tracks_of_whom_somebody_said_who_they_are_make_a_character():
    n = 12
    rng = np.random.default_rng(1)
    outputs = _outputs(rng, n, shaky=[11])
    others = _matrix(n, [(k, 11) for k in range(11)])  # nobody else's
    assert _cluster(outputs, others, None).reason[11] == LOW_QUALITY
    found = _cluster(outputs, others, _links(n, [(11,)]), low_quality="unknown")
    assert (found.labels == found.labels[11]).tolist() == [False] * 11 + [True]
    assert found.reason[11] is None


def test_a_group_takes_its_cannot_links_along_to_low_quality_tracks():
    """Track 11 looks like 0, with which 5 is not one; 5 was said to be 11's person."""
    rng = np.random.default_rng(1)
    outputs = _outputs(rng, 12, shaky=[11])
    outputs.base[outputs.track_of_crop == 11] = outputs.base[outputs.track_of_crop == 0]
    alone = _cluster(outputs, _matrix(12, []), None)
    assert alone.labels[11] == alone.labels[0]
    found = _cluster(outputs, _matrix(12, [(0, 5)]), _links(12, [(5, 11)]))
    assert found.labels[11] == found.labels[5] != found.labels[0]


def test_clusters_that_share_a_group_become_one_unless_that_joins_two_people():
    labels = np.array([0, 0, 1, 1, 2, 2])
    joined = _links(6, [(1, 2)])
    assert joined.hold(labels, _NONE).tolist() == [0, 0, 0, 0, 1, 1]
    assert joined.hold(labels, np.array([[0, 3]])).tolist() == [0, 0, 0, 1, 2, 2]
    assert _links(6, [(0, 3)], [(1, 2)]).hold(labels, _NONE).tolist() == [0, 0, 1, 0, 2, 2]


def test_of_two_people_in_one_cluster_the_later_leaves_but_a_lone_track_before_a_group():
    one = np.zeros(5, np.int64)
    assert _links(5, [], [(1, 3)]).hold(one, _NONE).tolist() == [0, 0, 0, -1, 0]
    assert _links(5, [(3, 4)], [(1, 3)]).hold(one, _NONE).tolist() == [0, -1, 0, 0, 0]
    assert _links(5, [], [(1, 2), (0, 1)]).hold(one, _NONE).tolist() == [0, -1, 0, 0, 0]  # 1 has left: 2 may stay
    assert _links(5, [(0, 1), (3, 4)], [(1, 3)]).hold(one, _NONE).tolist() == [0, 0, 0, 1, 1]


def test_who_was_taken_out_of_a_methods_character_says_why():
    class AllInOne:
        def cluster(self, title):
            return Clusters(np.zeros(4, np.int64), np.full(4, 0.9))

    options, links = make_options({}).cluster, _links(4, [], [(0, 2)])
    outputs = _outputs(np.random.default_rng(0), 4)
    found = cluster_title(outputs, 4, _NONE, options, None, AllInOne(), adapted=False, links=links)
    assert found.labels.tolist() == [0, 0, -1, 0]
    assert found.reason[2] == SAID_TO_BE_ANOTHER
    assert found.confidence.tolist() == pytest.approx([0.9, 0.9, np.nan, 0.9], nan_ok=True)


def test_those_left_out_have_no_say_in_what_low_quality_is():
    outputs, seen = _outputs(np.random.default_rng(1), 12, shaky=[8, 9, 10, 11]), _matrix(12, [])
    assert _cluster(outputs, seen, None).kept[11]
    assert not _cluster(outputs, seen, _links(12, left_out=[8, 9, 10])).kept[11]


def test_pairs_of_which_people_said_what_they_are_place_no_curve():
    asked = []

    def watched(values, clarity, evidence, adapted, linkable):
        asked.append(linkable)

    kept, links = np.arange(6) != 5, _links(6, [(0, 1, 5)], [(1, 2)])
    title = TitleFaces(
        _outputs(np.random.default_rng(0), 6),
        kept,
        np.array([[3, 4]]),
        None,
        ClusterOptions(),
        adapted=True,
        links=links,
    )
    EvidenceClusterer(fuse=watched).cluster(title)
    assert np.argwhere(asked[0]).tolist() == [[0, 3], [0, 4], [1, 3], [1, 4], [2, 3], [2, 4]]


def test_known_pairs_of_one_person_count_in_the_share():
    """The share of 40 pairs, 10 of them one character's, is that of the 70 after 30 more were said to be so."""
    fitted = Evidence(same_share=(10 + 1) / (40 + 20))
    assert with_known_pairs(fitted, 40, 30).same_share == pytest.approx((40 + 1) / (70 + 20))
    assert with_known_pairs(fitted, 40, 0) is fitted
    assert with_known_pairs(Evidence(same_share=1 / 20), 0, 45).same_share < 1


def test_a_method_that_knows_cannot_links_is_told_who_are_two_people():
    outputs = _outputs(np.random.default_rng(0), 4)
    outputs.base[:] = outputs.base[0]
    title = TitleFaces(outputs, np.ones(4, bool), _NONE, None, ClusterOptions(), adapted=False)
    assert find_clusterer("hac").cluster(title).labels.tolist() == [0] * 4
    labels = find_clusterer("hac").cluster(replace(title, links=_links(4, [], [(0, 2)]))).labels
    assert labels[0] != labels[2] >= 0


@pytest.mark.parametrize("matching", ["members", "gaussian", "mutual"])
def test_linked_tracks_train_together_those_left_out_not_at_all(matching):
    rng = np.random.default_rng(3)
    outputs = _outputs(rng, 8)
    spread = np.concatenate([outputs.views + 0.01 * rng.normal(size=outputs.views.shape) for _ in range(4)], axis=1)
    outputs = CropOutputs(**{**vars(outputs), "views": spread})
    links = _links(8, [(0, 7)], [(1, 2)], left_out=[4])
    found = _cluster(outputs, _matrix(8, []), links, matching=matching)
    kept = found.kept
    assert kept[[0, 7]].all()
    assert found.group[0] == found.group[7] >= 0
    assert found.group[1] != found.group[2]
    assert found.group[4] == -1


@pytest.mark.parametrize("settings", [{}, {"method": "paper"}, {"merging": "hac"}])
def test_all_can_be_left_out_and_all_be_one(settings):
    outputs, seen = _outputs(np.random.default_rng(0), 3), _matrix(3, [])
    assert _cluster(outputs, seen, _links(3, left_out=[0, 1, 2]), **settings).labels.tolist() == [-1] * 3
    one = _cluster(outputs, seen, _links(3, [(0, 1, 2)]), **settings)
    assert one.labels.tolist() == [0] * 3
