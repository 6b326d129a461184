"""Files of tracks and embeddings that are wrong in ways that readers of their formats trip over."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from vcn_ray.errors import InputError
from vcn_ray.track_files.features import read_features
from vcn_ray.track_files.reading import read_track_file

_HEAD = "frame,x,y,w,h,track"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{_HEAD},frame\n0,1,1,5,5,a,0\n", "more than once"),
        (f"{_HEAD},cast_id\n0,1,1,5,5,a,Anna\n", "cast_id holds string"),
        (f"{_HEAD},time_s\n0,1,1,5,5,a,nan\n", "time_s is nan"),
        (f"{_HEAD}\n1e300,1,1,5,5,a\n", "no whole number"),
        (f"{_HEAD},landmarks\n0,1,1,5,5,a,nan 2 3 4 5 6 7 8 9 10\n", "ten numbers"),
        (_HEAD.replace(",", ";") + "\n0;1;1;5;5;a\n", "separated by commas"),
        ("1,1,1,1,5,5,1\n2,inf,1,1,5,5,1\n", "line 2: a line is frame,id"),
        ("1,1,1,1,5,5,1\n1e300,1,1,1,5,5,1\n", "line 2: a line is frame,id"),
        (f"{_HEAD}\n0,1e300,1,5,5,a\n", "row 2: the box .* lies in no picture"),
        (f"{_HEAD},score\n0,1,1,5,5,a,1\n1,1,1,5,5,a,87\n", "row 3: the score 87 is not from 0 to 1"),
        ("# by hand\n1,1,1,1,5,5,1\n2,1,1,1,0,5,1\n", "line 3: the box .* has no area"),
        ("track 1\n\n0 1 1 5 5\n1 1 1 0 5\n", "line 4: the box .* has no area"),
        ("track 1\n0 1 1 5 5 7\n", "line 2: the score 7 is not from 0 to 1"),
        ('track 1 "\\ud800"\n0 1 1 5 5\n', "no JSON text"),
    ],
)
def test_what_is_wrong_with_text_is_told(tmp_path, text, said):
    path = tmp_path / "boxes.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_track_file(str(path))


def test_blank_lines_at_the_beginning_take_no_time(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("\n" * 200 + f"{_HEAD}\n0,1,1,5,5,a\n", encoding="utf-8")
    assert read_track_file(str(path)).faces.num_rows == 1


def test_whoever_is_called_nothing_is_nobody(tmp_path):
    path = tmp_path / "boxes.parquet"
    rows = {name: [float(n + 1)] * 2 for n, name in enumerate("xywh")}
    pq.write_table(pa.table({"frame": [0, 1], "track": ["a", "a"], "identity": ["", "Anna"]} | rows), path)
    assert read_track_file(str(path)).faces["identity"].to_pylist() == [None, "Anna"]


@pytest.mark.parametrize("rate", ["inf", "nan", "0", "many"])
def test_a_sequence_of_no_rate_is_refused(tmp_path, rate):
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt" / "gt.txt").write_text("1,1,1,1,5,5,1\n")
    (tmp_path / "seqinfo.ini").write_text(f"[Sequence]\nframeRate={rate}\n")
    with pytest.raises(InputError, match=f"framerate of its seqinfo.ini is '{rate}'"):
        read_track_file(str(tmp_path))


def test_large_embeddings_are_directions_as_any(tmp_path):
    path = tmp_path / "features.npz"
    np.savez(path, embedding=np.eye(2, dtype=np.float32) * np.float32(3e38), track=[0, 1], clarity=[1.0, 1.0])
    assert read_features(str(path)).embeddings.tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("wrong", [{"score": ["x"]}, {"video": [[1]]}, {"track": [b"\xff"]}])
def test_parquet_columns_of_other_types_are_refused(tmp_path, wrong):
    path = tmp_path / "boxes.parquet"
    row = {"frame": [0], "x": [1.0], "y": [1.0], "w": [5.0], "h": [5.0], "track": ["a"]}
    pq.write_table(pa.table(row | wrong), path)
    with pytest.raises(InputError, match=f"{next(iter(wrong))} holds"):
        read_track_file(str(path))


@pytest.mark.parametrize(("frames", "said"), [("abc", "no numbers"), ([2.5], "no whole"), ([np.nan], "no whole")])
def test_matlab_frames_that_are_none_are_refused(tmp_path, frames, said):
    track = np.zeros((1,), [(name, "O") for name in ("x", "y", "w", "h", "frames")])
    for name in "xywh":
        track[0][name] = [5.0]
    track[0]["frames"] = frames
    path = tmp_path / "tracks.mat"
    savemat(path, {"FaceTracks": track})
    with pytest.raises(InputError, match=said):
        read_track_file(str(path))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"track": 5}, "shape"), ({"video": "a"}, "shape"), ({"frame": [0, 10**12]}, "whole number")],
)
def test_features_that_are_not_one_each_or_far_out_are_refused(tmp_path, wrong, said):
    path = tmp_path / "features.npz"
    np.savez(path, **({"embedding": np.eye(2), "track": [0, 1]} | wrong))
    with pytest.raises(InputError, match=said):
        read_features(str(path))


def test_features_of_no_track_are_refused_and_endless_numbers_are_names(tmp_path):
    path = tmp_path / "features.parquet"
    pq.write_table(pa.table({"embedding": [[1.0, 0.0], [0.0, 1.0]], "track": [None, 1]}), path)
    with pytest.raises(InputError, match="row 1: track is empty"):
        read_features(str(path))
    np.savez(tmp_path / "long.npz", embedding=np.eye(2), track=["9" * 5000, "1"])
    assert read_features(str(tmp_path / "long.npz")).track.tolist() == [0, 1]
