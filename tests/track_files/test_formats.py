"""Formats of tracks: what is written is read back; what others write is understood; what is wrong is said by line.

- MOT sequences and lists of tracks give back frames, boxes, tracks, scores, who is seen, rate and size, whatever the
  names; RTTM its turns
- KIT's MATLAB files, ground truth, our tables and a finished season are read as tracks
- each unusable file is one sentence with its path, its line and what to do
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from vcn_ray.errors import InputError
from vcn_ray.storage.store import Store
from vcn_ray.track_files.content import find_video
from vcn_ray.track_files.mot import write_mot_sequence
from vcn_ray.track_files.reading import read_track_file
from vcn_ray.track_files.rttm import Turn, read_rttm, write_rttm
from vcn_ray.track_files.track_lists import write_track_lists

ODD = ["Überraschung é 日本", "'\"", "<b>", "=1+1", "-", "Anna"]
side = st.floats(1, 2000, width=32)
names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8) | st.sampled_from(ODD)
boxes = st.tuples(side, side, side, side)
faces = st.lists(
    st.tuples(st.integers(0, 10**7), st.integers(0, 9), boxes, st.none() | st.floats(0.015625, 1, width=32)),
    min_size=1,
    max_size=8,
    unique_by=lambda face: face[:2],
)
each = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _rows(url: Path) -> list[tuple]:
    table = read_track_file(str(url)).faces
    columns = [table[name].to_pylist() for name in ("video", "frame", "track", "x", "y", "w", "h", "score", "identity")]
    return sorted(zip(*columns, strict=True), key=lambda row: (row[2], row[1]))


def _near(score: float | None) -> object:
    return score if score is None else pytest.approx(score, rel=1e-6)


@each
@given(faces, st.lists(st.none() | names, min_size=10, max_size=10), st.sampled_from(ODD))
def test_mot_gives_back_what_it_was_given(tmp_path_factory, faces, who, video) -> None:
    folder = tmp_path_factory.mktemp("mot")
    rows = [(frame, track, box, score, who[track]) for frame, track, box, score in faces]
    write_mot_sequence(folder / "a", rows, {"name": video, "frameRate": 24000 / 1001, "imWidth": 640, "imHeight": 360})
    read = read_track_file(str(folder))
    assert read.rates == {video: pytest.approx(24000 / 1001)}
    assert read.sizes == {video: (640, 360)}
    assert _rows(folder) == [
        (video, frame, str(track + 1), *map(_near, box), _near(score), person)
        for frame, track, box, score, person in sorted(rows, key=lambda row: (str(row[1] + 1), row[0]))
    ]


@each
@given(faces, st.lists(st.none() | names, min_size=10, max_size=10), st.sampled_from(ODD))
def test_lists_give_back_what_they_were_given(tmp_path_factory, faces, who, video) -> None:
    path = tmp_path_factory.mktemp("lists") / "a.txt"
    tracks: dict[int, list] = {}
    for frame, track, box, score in faces:
        tracks.setdefault(track, []).append((frame, box, score))
    write_track_lists(path, video, 25.0, None, [(track, who[track], own) for track, own in tracks.items()])
    assert read_track_file(str(path)).rates == {video: 25.0}
    assert _rows(path) == [
        (video, frame, str(track), *map(_near, box), _near(score), who[track])
        for frame, track, box, score in sorted(faces, key=lambda face: (str(face[1]), face[0]))
    ]


@each
@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9), st.integers(0, 10**9)), min_size=1))
def test_rttm_gives_back_its_turns(tmp_path_factory, spoken) -> None:
    path = tmp_path_factory.mktemp("rttm") / "a.rttm"
    names = [(video or " ", who or " ", micros / 1e6) for video, who, micros in spoken if (video + who).isprintable()]
    turns = [Turn(video, who, start, start / 3) for video, who, start in names] or [Turn("a", "b", 0, 1)]
    write_rttm(path, turns)
    for read, turn in zip(read_rttm("a", path.read_text(encoding="utf-8")), turns, strict=True):
        assert (read.video, read.who) == (turn.video, turn.who)
        assert read.duration_s == pytest.approx(turn.duration_s, abs=1e-6)


def _write(folder: Path, content: str | bytes, name: str = "a.txt") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def test_mot_of_others(tmp_path: Path) -> None:
    plain = _write(tmp_path, "1,3,10,20,30,40,-1,-1,-1,-1\n2,3,11,20,30,40,57.3,-1,-1,-1\n")
    assert _rows(plain) == [
        (None, 0, "3", 10, 20, 30, 40, 1, "3"),
        (None, 1, "3", 11, 20, 30, 40, 1, "3"),
    ]
    truth = _write(
        tmp_path / "MOT17-02/gt", "1 3 10 20 30 40 1 1 0.5\n2 3 10 20 30 40 0 8 1\n3 3 9 9 9 9 1 1 0\n", "gt.txt"
    )
    rows = _rows(truth.parent.parent)
    assert [(row[1], row[7]) for row in rows] == [(0, 1), (2, None)]  # one to ignore, one that is hidden


def test_single_tracks_are_called_as_their_files_and_videos_as_folders(tmp_path: Path) -> None:
    _write(tmp_path, "0 1 2 3 4\n1 1 2 3 4\n", "film/7.txt")
    _write(tmp_path, "5,1,2,3,4\n", "film/8.txt")
    assert [row[:3] for row in _rows(tmp_path)] == [("film", 0, "7"), ("film", 1, "7"), ("film", 5, "8")]


def test_bbt_as_kit_gave_it_out(tmp_path: Path) -> None:
    kind = [(name, object) for name in ("frames", "x", "y", "w", "h", "trackerId", "groundTruthIdentity")]
    tracks = np.empty((1, 2), kind)
    tracks[0, 0] = ([5, 6], [1, 2], [3, 3], [9, 9], [8, 8], [41, 41], "sheldon")
    tracks[0, 1] = ([7], [1], [3], [9], [8], [42], "")
    savemat(tmp_path / "bbt_s01e01_facetracks.mat", {"FaceTracks": tracks})
    assert _rows(tmp_path / "bbt_s01e01_facetracks.mat") == [
        (None, 5, "41", 1, 3, 9, 8, 1, "sheldon"),
        (None, 6, "41", 2, 3, 9, 8, 1, "sheldon"),
        (None, 7, "42", 1, 3, 9, 8, 1, None),
    ]


def test_tables_as_parquet_and_csv(tmp_path: Path) -> None:
    rows = {"video": ["a.mp4"] * 3, "frame": [0, 1, 1], "x": [1.5] * 3, "y": [2.0] * 3, "w": [3.0] * 3, "h": [4.0] * 3}
    table = pa.table(rows | {"track_id": [4, 4, None], "score": [0.5, None, 0.5], "cast_id": [2, 2, None]})
    pq.write_table(table, tmp_path / "a.parquet")
    csv = "video,frame,x,y,w,h,track_id,score,cast_id\na.mp4,0,1.5,2,3,4,4,0.5,2\na.mp4,1,1.5,2,3,4,4,,2\n"
    expected = [
        ("a.mp4", 0, "4", 1.5, 2, 3, 4, 0.5, "Cast 2"),
        ("a.mp4", 1, "4", 1.5, 2, 3, 4, None, "Cast 2"),
    ]
    assert _rows(tmp_path / "a.parquet") == _rows(_write(tmp_path, csv, "b.csv")) == expected
    pq.write_table(table, tmp_path / "faces.parquet")
    pq.write_table(pa.table({"track_id": [4], "first_frame": [0]}), tmp_path / "tracks.parquet")
    assert _rows(tmp_path) == expected  # a title's folder
    truth = "video,frame,x,y,w,h,identity,shot\na.mp4,3,1,2,3,4,Anna,0\n"
    assert _rows(_write(tmp_path, truth, "c.csv"))[0] == ("a.mp4", 3, "Anna in shot 0", 1, 2, 3, 4, 1, "Anna")


def test_from_a_bucket(s3_bucket: str) -> None:
    Store(s3_bucket).write_bytes("lists/a.txt", b"track 1 Anna\n0 1 2 3 4\n")
    for url in (f"{s3_bucket}/lists", f"{s3_bucket}/lists/a.txt"):
        assert read_track_file(url).faces["identity"].to_pylist() == ["Anna"]
    with pytest.raises(InputError, match="no such object"):
        read_track_file(f"{s3_bucket}/none")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        (b"\xff\xfe1,2", "not UTF-8"),
        (b"a\0b", "binary"),
        (b"PAR1xx", "damaged Parquet"),
        (b"MATLAB 5.0 no", "cannot be read"),
        ("SPEAKER a 1 0 1 <NA> <NA> b <NA> <NA>\n", "RTTM says who is there when"),
        ("0,3,10,20,30,40,1\n", "line 1: MOT's frames count from 1"),
        ("1,3,10,20,30,40,1\n2,-1,10,20,30,40,1\n", "line 2: this box is of no track"),
        ("1,3,10,20,0,40,1\n", "has no area"),
        ("1,3,10,20,3,40,1\n1,3,x,20,3,40,1\n", "line 2: a line is frame,id,x,y,w,h"),
        ("track 1\n1 2 3 4\n", "line 2: these are 4 fields"),
        ("track 1\n1 2 3 4 nan\n", "line 2: .* no numbers"),
        ("track 1\n1.5 2 3 4 5\n", "line 2: the frame 1.5"),
        ('track 1 "Anna\n1 2 3 4 5\n', "line 1: .* no JSON"),
        ("frame_rate -1\ntrack 1\n1 2 3 4 5\n", "line 1: here stands 1 above 0"),
        ("track 1\n-1 2 3 4 5\n", "there is no frame -1"),
        ("frame,x,y,w,h\n0,1,1,1,1\n", "add a column track"),
        ("frame,x,y,w,track\n0,1,1,1,1\n", "lacks the column h"),
        ("track_id,first_frame\n0,1\n", "give the table of faces"),
        ("frame,x,y,w,h,track\n0,1,1,,1,a\n", "row 2: w is empty"),
        ("frame,x,y,w,h,track\n", "no rows"),
        ("frame,x,y,w,h,track,landmarks\n0,1,1,1,1,a,1 2\n", "row 2: landmarks are ten numbers"),
    ],
)
def test_unusable_files_are_named_with_the_reason(tmp_path: Path, content: str | bytes, says: str) -> None:
    path = _write(tmp_path, content, "[b] é.txt")
    with pytest.raises(InputError, match=says) as caught:
        read_track_file(str(path))
    assert str(path) in str(caught.value)


def test_videos_are_found_by_name_with_or_without_ending() -> None:
    assert find_video("a.mp4", ["a.mp4", "b.mp4"]) == "a.mp4"
    assert find_video("s1/a.mp4", ["a.mp4"]) == find_video("a.mp4", ["C:\\x\\a.mp4"])[-5:] == "a.mp4"
    assert find_video("a.mp4", ["a", "b"]) == "a"
    assert find_video("a.mp4", ["b.mp4"]) is None
    assert find_video("a.mp4", ["x/a.mkv", "y/a.mkv"]) is None  # it may be either
