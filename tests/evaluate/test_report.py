"""A whole evaluation: figures equal a plain reading of their definitions, row by row."""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vcn_ray import schemas
from vcn_ray.errors import InputError
from vcn_ray.evaluate.metrics import cluster_scores
from vcn_ray.evaluate.report import evaluate_run


def _noisy_run(seed, title="t", videos=("a.mp4", "b.mp4"), people=5, shots=12):
    """Ground-truth rows and a faces table with all that goes wrong: jitter, false, mixed, Unknown and lost tracks."""
    rng = np.random.default_rng(seed)
    truth, faces, track = [], [], 0
    for video in videos:
        for shot in range(shots):
            cast = rng.choice(people, size=rng.integers(1, 3), replace=False)
            length = int(rng.integers(3, 15))
            for slot, person in enumerate(cast):
                cluster = [person, person + people, 0, None][rng.choice(4, p=[0.6, 0.2, 0.1, 0.1])]
                kind = rng.choice(["good", "lost", "false", "mixed"], p=[0.7, 0.1, 0.1, 0.1])
                for frame in range(shot * 20, shot * 20 + length):
                    box = np.array([100.0 * slot, 50, 40, 50]) + rng.normal(0, 4, 4)
                    truth.append([video, frame, *box.round(1), f"p{person}", shot])
                    if kind == "lost":
                        continue
                    shift = 500 if kind == "false" and rng.random() < 0.7 else 0
                    if kind == "mixed" and rng.random() < 0.4:
                        shift = 100 * (1 - 2 * slot)
                    found = box + rng.normal(0, 5, 4) + [shift, 0, 0, 0]
                    faces.append([title, f"/media/{video}", frame, shot, *found, track, cluster])
                track += 1
    return truth, faces


def _table(faces):
    names = ("title", "video", "frame", "shot", "x", "y", "w", "h", "track_id", "cluster_id")
    columns = {n: [row[k] for row in faces] for k, n in enumerate(names)}
    missing = {n: [None] * len(faces) for n in schemas.FACES.names if n not in columns}
    return pa.table({**columns, **missing}).select(schemas.FACES.names).cast(schemas.FACES)


def _write(tmp_path, truth):
    path = tmp_path / "truth.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["video", "frame", "x", "y", "w", "h", "identity", "shot"], *truth])
    return path


def _overlap(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inside = max(0, width) * max(0, height)
    return inside / (a[2] * a[3] + b[2] * b[3] - inside)


def _expected(truth, table):
    """The definitions, face by face."""
    labels = defaultdict(list)
    for video, frame, *box, identity, shot in truth:
        labels[video, frame].append((box, (identity, shot)))
    votes, boxes, cluster = defaultdict(Counter), Counter(), {}
    for row in table.to_pylist():
        track = Path(row["video"]).name, row["track_id"]
        boxes[track] += 1
        cluster[track] = row["cluster_id"]
        face = [row[k] for k in "xywh"]
        best = max(labels[track[0], row["frame"]], key=lambda label: _overlap(face, label[0]), default=None)
        if best and _overlap(face, best[0]) >= 0.3:
            votes[track][best[1]] += 1
    real = {t: votes[t].most_common(1)[0][0] for t in boxes if votes[t].total() >= boxes[t] / 2}
    known = [t for t in real if cluster[t] is not None]
    appearances = {(v, s, i) for v, _, _, _, _, _, i, s in truth}
    scores = cluster_scores([cluster[t] for t in known], [real[t][0] for t in known])
    every = cluster_scores([t if cluster[t] is None else cluster[t] for t in real], [real[t][0] for t in real])
    return {
        "tracks": len(boxes),
        "false_tracks": len(boxes) - len(real),
        "unknown": len(real) - len(known),
        "track_purity": np.mean([votes[t][real[t]] / votes[t].total() for t in real]),
        "appearance_recall": len({(t[0], real[t][1], real[t][0]) for t in real} & appearances) / len(appearances),
        "identities": len({row[6] for row in truth}),
        "clusters": scores.clusters,
        "wcp": scores.wcp,
        "nmi": scores.nmi,
        "bcubed_f": scores.bcubed_f,
        "pair_f": scores.pair_f,
        "bcubed_f_all": every.bcubed_f,
    }


@pytest.mark.parametrize("seed", range(6))
def test_figures_equal_the_definitions(tmp_path, seed):
    truth, faces = _noisy_run(seed)
    table = _table(faces)
    found = evaluate_run(table, _write(tmp_path, truth)).summary()
    expected = _expected(truth, table)
    assert expected["false_tracks"] > 0
    assert expected["unknown"] > 0
    assert max(expected["wcp"], expected["track_purity"], expected["appearance_recall"]) < 1
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=6e-5)


def test_order_of_rows_does_not_matter(tmp_path):
    truth, faces = _noisy_run(1)
    path = _write(tmp_path, truth)
    assert evaluate_run(_table(faces[::-1]), path) == evaluate_run(_table(faces), path)


def test_table_over_iterations_ends_with_the_delivery(tmp_path):
    truth, faces = _noisy_run(2)
    faces_table = _table(faces)
    people = {row[7 + 1]: row[9] for row in faces}
    rows = [(0, t, t) for t in people] + [(1, t, c) for t, c in people.items()]
    iterations = pa.table(
        {"iteration": [r[0] for r in rows], "track_id": [r[1] for r in rows], "cluster_id": [r[2] for r in rows]}
    )
    evaluation = evaluate_run(faces_table, _write(tmp_path, truth), iterations)
    base, last, final = evaluation.table()
    assert [row["iteration"] for row in (base, last, final)] == [0, 1, "final"]
    assert (base["wcp"], base["unknown"]) == (1.0, 0)  # every track a cluster of its own
    assert {**last, "iteration": "final"} == final
    assert json.loads(evaluation.json())["iterations"]["0"]["wcp"] == 1.0


def test_clusters_of_different_titles_are_different(tmp_path):
    truth = [[v, 0, 0, 0, 9, 9, "p", 0] for v in ("a.mp4", "b.mp4")]
    faces = [[f"title {v}", f"{v}.mp4", 0, 0, 0, 0, 9, 9, 0, 0] for v in "ab"]
    evaluation = evaluate_run(_table(faces), _write(tmp_path, truth))
    assert (evaluation.scores.clusters, evaluation.identities, evaluation.scores.pcr) == (2, 2, 1.0)
    assert evaluation.scores.bcubed_f == 1.0
    assert {name: title.tracks for name, title in evaluation.titles.items()} == {"title a": 1, "title b": 1}


def test_faces_without_a_track_are_counted_apart(tmp_path):
    faces = [["t", "a.mp4", k, 0, 0, 0, 9, 9, track, track] for k, track in enumerate([0, None])]
    evaluation = evaluate_run(_table(faces), _write(tmp_path, [["a.mp4", 0, 0, 0, 9, 9, "p", 0]]))
    assert (evaluation.tracks, evaluation.untracked_faces) == (1, 1)


def test_nothing_found_and_nothing_known_have_no_clustering_scores(tmp_path):
    path = _write(tmp_path, [["a.mp4", 0, 0, 0, 9, 9, "p", 0]])
    empty = evaluate_run(schemas.FACES.empty_table(), path)
    assert (empty.tracks, empty.appearance_recall, empty.scores.wcp) == (0, 0.0, None)
    unknown = evaluate_run(_table([["t", "a.mp4", 0, 0, 0, 0, 9, 9, 0, None]]), path)
    assert (unknown.scores.unknown, unknown.scores.wcp, unknown.appearance_recall) == (1, None, 1.0)


def test_videos_that_do_not_correspond_are_told(tmp_path):
    path = _write(tmp_path, [["a.mp4", 0, 0, 0, 9, 9, "p", 0], ["b.mp4", 0, 0, 0, 9, 9, "p", 0]])
    faces = [["t", v, 0, 0, 0, 0, 9, 9, k, 0] for k, v in enumerate(["a.mp4", "c.mp4"])]
    notes = evaluate_run(_table(faces), path).notes
    assert any("c.mp4 has no labelled face" in note for note in notes)
    assert any("b.mp4 is in the ground truth but not" in note for note in notes)
    with pytest.raises(InputError, match=r"labels a.mp4, b.mp4, but the run is of c.mp4"):
        evaluate_run(_table(faces[1:]), path)
    collapsing = [["t", f"{folder}/a.mp4", 0, 0, 0, 0, 9, 9, k, 0] for k, folder in enumerate(["one", "two"])]
    with pytest.raises(InputError, match=r"one/a.mp4 and two/a.mp4 of one title have the same file name"):
        evaluate_run(_table(collapsing), path)
    twice = [["t", "a.mp4", 0, 0, 0, 0, 9, 9, 0, 0], ["u", "x/a.mp4", 0, 0, 0, 0, 9, 9, 0, 0]]
    with pytest.raises(InputError, match=r"a.mp4 is in the titles 't' and 'u'"):
        evaluate_run(_table(twice), path)


def _cast_run(cast):
    """Two people in two titles of one video each, a track each; `cast` is of a's p, a's q, b's p, b's q."""
    truth = [[f"{v}.mp4", 0, 20 * k, 0, 9, 9, who, 0] for v in "ab" for k, who in enumerate("pq")]
    faces = [[f"title {v}", f"{v}.mp4", 0, 0, 20 * k, 0, 9, 9, k, k] for v in "ab" for k in range(2)]
    return truth, _table(faces).append_column("cast_id", pa.array(cast, pa.int64()))


def test_the_cast_is_measured_against_identities_of_the_season(tmp_path):
    truth, faces = _cast_run([0, 1, 0, 1])
    evaluation = evaluate_run(faces, _write(tmp_path, truth))
    assert (evaluation.scores.clusters, evaluation.scores.pcr) == (4, 1.0)
    assert (evaluation.cast.clusters, evaluation.cast.pcr, evaluation.cast.identities_found) == (2, 1.0, 2)
    assert (evaluation.cast.wcp, evaluation.cast.bcubed_f) == (1.0, 1.0)
    assert all(title.cast is None for title in evaluation.titles.values())


def test_a_cast_that_splits_joins_and_leaves_out_is_told(tmp_path):
    truth, faces = _cast_run([0, 0, 1, None])
    evaluation = evaluate_run(faces, _write(tmp_path, truth))
    cast = evaluation.cast
    assert (evaluation.scores.bcubed_f, evaluation.scores.unknown) == (1.0, 0)
    assert (cast.clusters, cast.unknown, cast.wcp, cast.pcr) == (2, 1, pytest.approx(2 / 3, abs=1e-4), 1.0)
    assert (cast.bcubed_p, cast.bcubed_r) == pytest.approx((2 / 3, 2 / 3), abs=1e-4)
    assert evaluation.summary()["cast_wcp"] == cast.wcp
    assert json.loads(evaluation.json())["cast"]["wcp"] == cast.wcp


def test_without_cast_or_with_one_title_there_is_nothing_to_measure(tmp_path):
    truth, faces = _cast_run([0, 1, 0, 1])
    path = _write(tmp_path, truth)
    assert evaluate_run(faces.drop(["cast_id"]), path).cast is None
    assert evaluate_run(faces.slice(0, 2), path).cast is None
    assert not [name for name in evaluate_run(faces.slice(0, 2), path).summary() if name.startswith("cast")]
