"""Identities of few good tracks are left out whole, as S 4 has it; other formats than CSV are ground truth, too."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from vcn_ray.errors import InputError
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.evaluate.report import evaluate_run
from vcn_ray.schemas import FACES, TRACKS
from vcn_ray.storage.store import Store
from vcn_ray.track_files.mot import write_mot_sequence
from vcn_ray.track_files.track_lists import write_track_lists

#: Each shot of 10 frames is one track: who is seen, its cluster, whether it has crops.
SHOTS = [
    ("Anna", 0, True),
    ("Anna", 0, True),
    ("Ben", 1, True),
    ("Ben", None, False),
    ("Cleo", 2, True),
    (None, 3, True),
]


def _run() -> tuple[pa.Table, pa.Table]:
    faces = [
        {"title": "t", "video": "a.mp4", "frame": 10 * n + k, "x": 5, "y": 5, "w": 9, "h": 9}
        | {"track_id": n, "cluster_id": cluster}
        for n, (_, cluster, _) in enumerate(SHOTS)
        for k in range(10)
    ]
    tracks = [
        {"title": "t", "video": "a.mp4", "track_id": n, "crops": 4 * good} for n, (_, _, good) in enumerate(SHOTS)
    ]
    tables = []
    for rows, schema in ((faces, FACES), (tracks, TRACKS)):
        tables.append(pa.table({name: [row.get(name) for row in rows] for name in schema.names}).cast(schema))
    return tables[0], tables[1]


def _lists(path: Path, video: str = "a.mp4") -> Path:
    tracks = [
        (n, who, [(10 * n + k, (5.0, 5.0, 9.0, 9.0), 1.0) for k in range(10)])
        for n, (who, _, _) in enumerate(SHOTS)
        if who is not None
    ]
    write_track_lists(path, video, None, None, tracks)
    return path


def test_identities_of_one_good_track_are_neither_right_nor_wrong(tmp_path: Path) -> None:
    faces, tracks = _run()
    truth = _lists(tmp_path / "a.txt")
    whole = evaluate_run(faces, truth, None, tracks)
    assert (whole.tracks, whole.false_tracks, whole.identities, whole.scores.pcr) == (6, 1, 3, 1.0)
    some = evaluate_run(faces, truth, None, tracks, min_tracks=2)
    assert (some.tracks, some.false_tracks, some.identities, some.scores.pcr) == (3, 1, 1, 1.0)
    assert (some.appearances, some.appearance_recall, some.scores.unknown) == (2, 1.0, 0)
    assert some.notes == ["2 of 3 identities have fewer than 2 good tracks: left out, with 3 tracks"]
    without_table = evaluate_run(faces, truth, min_tracks=2)  # any track counts: Ben stays
    assert without_table.identities == 2
    with pytest.raises(InputError, match="no identity has 9 good tracks"):
        evaluate_run(faces, truth, None, tracks, min_tracks=9)


@pytest.mark.parametrize("named", ["a.mp4", "a", "/x/a.mp4"])
def test_lists_and_mot_give_the_figures_of_the_csv(tmp_path: Path, named: str) -> None:
    faces, tracks = _run()
    csv = [f"a.mp4,{10 * n + k},5,5,9,9,{who},{n}" for n, (who, _, _) in enumerate(SHOTS) if who for k in range(10)]
    (tmp_path / "a.csv").write_text("\n".join(["video,frame,x,y,w,h,identity,shot", *csv]))
    expected = evaluate_run(faces, tmp_path / "a.csv", None, tracks).summary()
    mot = [(10 * n + k, n, (5.0, 5.0, 9.0, 9.0), 1.0, who) for n, (who, _, _) in enumerate(SHOTS) for k in range(10)]
    write_mot_sequence(tmp_path / "mot" / "seq", mot, {"name": named})
    for given in (_lists(tmp_path / "a.txt", named), tmp_path / "mot"):
        assert evaluate_run(faces, given, None, tracks).summary() == expected


def test_from_a_bucket(tmp_path: Path, s3_bucket: str) -> None:
    faces, tracks = _run()
    store = Store(s3_bucket)
    store.write_bytes("a.csv", b"video,frame,x,y,w,h,identity\na.mp4,0,5,5,9,9,Anna\n")
    store.write_bytes("lists/a.txt", _lists(tmp_path / "a.txt").read_bytes())
    assert evaluate_run(faces, f"{s3_bucket}/a.csv").identities == 1
    for url in (f"{s3_bucket}/lists", f"{s3_bucket}/lists/a.txt"):
        assert evaluate_run(faces, url, None, tracks).identities == 3


def test_a_file_that_names_no_video_is_of_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("".join(f"{frame + 1},1,5,5,9,9,1,-1,-1,-1\n" for frame in range(20)))
    assert evaluate_run(_run()[0], tmp_path / "gt.txt").scores.wcp == 1.0


def test_tracks_without_identities_are_no_ground_truth(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("track 1\n0 1 2 3 4\n")
    with pytest.raises(InputError, match="a ground truth needs identities"):
        read_ground_truth(tmp_path / "a.txt")
