"""Confidence held against the truth: what is right, the bins, the error, and whether wrong tracks come first."""

import csv
import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcn_ray import schemas
from vcn_ray.cli.printing import out_console, print_evaluation
from vcn_ray.evaluate.metrics import cluster_scores
from vcn_ray.evaluate.reliability import EDGES, Reliability, judge, of_majority, right_tracks
from vcn_ray.evaluate.report import evaluate_run


def _reliability(confidence, right):
    return Reliability(tuple(sorted(zip(map(float, confidence), map(bool, right), strict=True))))


@pytest.mark.parametrize(
    ("clusters", "identities", "right"),
    [
        ("aaab", "pppq", "1111"),
        ("aaabb", "pppqp", "11110"),  # of equals the first is the majority
        ("aaaab", "ppqqp", "11001"),
        ("ab", "pp", "11"),  # a split is no wrong track
        ("", "", ""),
    ],
)
def test_of_the_majority_is_whoever_most_of_a_cluster_show(clusters, identities, right):
    assert of_majority(clusters, identities) == [flag == "1" for flag in right]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("pqr")), min_size=1))
def test_the_share_of_the_majority_is_the_purity(pairs):
    clusters, identities = zip(*pairs, strict=True)
    right = of_majority(clusters, identities)
    assert sum(right) / len(right) == pytest.approx(cluster_scores(clusters, identities).wcp)


@pytest.mark.parametrize(
    ("confidence", "right", "share"),
    [
        ([0.1, 0.5, 0.9, *[1.0] * 17], [0, 0, *[1] * 17, 0], 2 / 3),  # two of twenty are looked at
        ([1.0] * 20, [0, 0, *[1] * 18], 0.1),  # no confidence says nothing
        ([0.5] * 4 + [1.0] * 16, [0, 1, 1, 1] + [1] * 16, 0.5),  # two of four equals
        ([0.5, 1.0], [0, 1], 0.2),  # there is room for a fifth of a track
        ([0.5, 1.0], [1, 1], None),
    ],
)
def test_wrong_tracks_among_the_least_confident(confidence, right, share):
    found = _reliability(confidence, right).wrong_among_least_confident()
    assert found == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("clusters", "identities", "right"),
    [
        ("aaab", "pppq", "1111"),  # a lone track, of somebody who has no other cluster
        ("aaabb", "pppqp", "11100"),  # each of b is the other's stranger
        ("aaa", "ppq", "110"),  # the others of a p are a p and a q: a tie is right
        ("aaaab", "ppqqp", "00000"),  # of two equal halves each is outnumbered; b's may be of a
        ("ab", "pp", "00"),  # either could be the other
        ("aaab", "ppqq", "1101"),  # one of a's is wrong, yet q is at home in b alone
        ("aab", "pqr", "001"),
        ("", "", ""),
    ],
)
def test_a_track_is_right_where_the_others_of_its_cluster_are_its_identity(clusters, identities, right):
    assert right_tracks(clusters, identities) == [flag == "1" for flag in right]


def _definition(clusters, identities, k):
    """Is track k right? Read plainly, over the tracks besides itself."""
    rest = [(c, i) for n, (c, i) in enumerate(zip(clusters, identities, strict=True)) if n != k]
    own = Counter(i for c, i in rest if c == clusters[k])
    if own:
        return own[identities[k]] == max(own.values())
    others = (Counter(i for c, i in rest if c == cluster) for cluster in {c for c, _ in rest})
    return not any(count[identities[k]] == max(count.values()) for count in others)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=14))
def test_right_is_the_definition_whatever_the_order(rows):
    clusters, identities = [c for c, _ in rows], [i for _, i in rows]
    right = right_tracks(clusters, identities)
    assert right == [_definition(clusters, identities, k) for k in range(len(rows))]
    assert right_tracks(clusters[::-1], identities[::-1]) == right[::-1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_bins_hold_every_track_once_and_within_their_edges(tracks):
    found = _reliability(*zip(*tracks, strict=True))
    assert [(b.low, b.high) for b in found.bins] == list(pairwise(EDGES))
    assert sum(b.tracks for b in found.bins) == len(tracks)
    assert all(b.low - 1e-9 <= b.mean_confidence <= b.high + 1e-9 for b in found.bins if b.tracks)
    gaps = [b.tracks * abs(b.mean_confidence - b.right) for b in found.bins if b.tracks]
    assert found.calibration_error == pytest.approx(sum(gaps) / len(tracks))
    json.dumps(found.to_dict())


def test_a_bin_has_its_lower_edge_and_the_last_one_both():
    assert [b.tracks for b in _reliability([0.0, 0.5, 0.9, 0.99, 1.0], [1] * 5).bins] == [1, 1, 0, 0, 1, 0, 0, 2]


def test_honest_confidence_has_no_error_and_boasting_has_its_excess():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.3, 0.9, 20_000)
    right = rng.random(20_000) < true
    assert _reliability(true, right).calibration_error < 0.02
    assert _reliability(np.minimum(true + 0.1, 1), right).calibration_error == pytest.approx(0.1, abs=0.02)


def test_figures_of_a_small_case():
    found = _reliability([0.6, 0.8, 0.8, 1.0], [0, 1, 0, 1])
    assert found.brier == pytest.approx((0.36 + 0.04 + 0.64 + 0) / 4)
    assert found.auc == pytest.approx((1 + 1 + 1 + 0.5) / 4)  # of four pairs, one is a tie
    assert _reliability([0.6, 0.8], [1, 1]).auc is None


def test_tracks_are_pooled_one_by_one():
    a, b = _reliability([0.6, 0.9], [0, 1]), _reliability([0.2], [1])
    assert Reliability.pooled([a, b]) == Reliability.pooled([b, a]) == _reliability([0.2, 0.6, 0.9], [1, 0, 1])


def test_a_track_without_confidence_counts_as_a_member_alone():
    found = judge("aaa", "ppq", [0.9, None, 0.7])
    assert found == _reliability([0.7, 0.9], [0, 1])
    assert judge("aa", "pp", [None, None]) is None


@pytest.fixture
def run(tmp_path):
    """Faces, tracks and labels: two of p and one of q in cluster 0, a false track, an Unknown one, p again in 1."""
    identity = ["p", "p", "q", None, "p", "p"]
    cluster, confidence = [0, 0, 0, 0, None, 1], [0.9, 0.8, 0.3, 0.6, None, 0.7]
    rows = [
        {"title": "t", "video": "/media/a.mp4", "frame": k, "track_id": k, "cluster_id": c, "confidence": p}
        | {"x": 0, "y": 0, "w": 9, "h": 9}
        for k, (c, p) in enumerate(zip(cluster, confidence, strict=True))
    ]
    with open(tmp_path / "labels.csv", "w", newline="") as file:
        labels = [["a.mp4", k, 0, 0, 9, 9, who] for k, who in enumerate(identity) if who]
        csv.writer(file).writerows([["video", "frame", "x", "y", "w", "h", "identity"], *labels])
    tables = (pa.Table.from_pylist(rows, schema) for schema in (schemas.FACES, schemas.TRACKS))
    return *tables, tmp_path / "labels.csv"


def test_an_evaluation_judges_true_tracks_in_clusters(run):
    faces, tracks, labels = run
    evaluation = evaluate_run(faces, labels, tracks=tracks)
    expected = _reliability(np.float32([0.9, 0.8, 0.3, 0.7]), [1, 1, 0, 0])
    assert evaluation.reliability == expected
    assert json.loads(evaluation.json())["reliability"] == expected.to_dict()
    assert evaluation.summary()["confidence_brier"] == expected.to_dict()["brier"]
    assert evaluate_run(faces, labels, tracks=tracks.take(list(range(len(tracks)))[::-1])) == evaluation


def test_without_confidence_there_is_nothing_to_judge(run):
    faces, tracks, labels = run
    for table in (None, tracks.drop(["confidence"]), schemas.TRACKS.empty_table()):
        evaluation = evaluate_run(faces, labels, tracks=table)
        assert evaluation.reliability is None
        assert not [name for name in evaluation.summary() if name.startswith("confidence")]


def test_several_titles_are_judged_together_and_each(run):
    faces, tracks, labels = run
    lines = labels.read_text()
    labels.write_text(lines + lines.split("\n", 1)[1].replace("a.mp4", "b.mp4"))

    def twice(table):
        names = {"title": ["u"] * len(table), "video": ["b.mp4"] * len(table)}
        other = table
        for name, values in names.items():
            other = other.set_column(other.column_names.index(name), name, pa.array(values, pa.string()))
        return pa.concat_tables([table, other])

    evaluation = evaluate_run(twice(faces), labels, tracks=twice(tracks))
    each = [title.reliability for title in evaluation.titles.values()]
    assert each[0] == each[1] == evaluate_run(faces, labels, tracks=tracks).reliability
    assert evaluation.reliability == Reliability.pooled(each)


def test_the_bins_are_printed(run):
    faces, tracks, labels = run
    with out_console.capture() as shown:
        print_evaluation(evaluate_run(faces, labels, tracks=tracks), as_json=False)
    assert "0.8 to 0.9" in shown.get()
    with out_console.capture() as shown:
        print_evaluation(evaluate_run(faces, labels), as_json=False)
    assert "0.8 to 0.9" not in shown.get()
