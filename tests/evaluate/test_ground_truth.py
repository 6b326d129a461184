"""Reading ground truth (each way in which it can be wrong has its sentence) and matching tracks to it."""

import time

import numpy as np
import pytest

from vcn_ray.errors import InputError
from vcn_ray.evaluate.ground_truth import match_tracks, read_ground_truth

HEADER = "video,frame,x,y,w,h,identity,shot\n"


def _write(tmp_path, text):
    path = tmp_path / "truth.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_reads_boxes_names_and_shots(tmp_path):
    truth = read_ground_truth(_write(tmp_path, HEADER + "reels/a.mp4,7,1,2,3.5,4,Zoë,5\n"))
    assert truth.video.tolist() == ["a.mp4"]
    assert truth.boxes.tolist() == [[1, 2, 3.5, 4]]
    assert (truth.frame.tolist(), truth.identity.tolist(), truth.shot.tolist()) == ([7], ["Zoë"], ["5"])


def test_shot_is_optional_and_a_byte_order_mark_harmless(tmp_path):
    truth = read_ground_truth(_write(tmp_path, "\ufeffvideo,frame,x,y,w,h,identity\na.mp4,0,1,1,2,2,42\n"))
    assert (truth.identity.tolist(), truth.shot.tolist()) == (["42"], [0])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        (HEADER, "no rows"),
        ("video,frame,x,y,w,h\na,0,1,1,1,1\n", "lacks the column identity"),
        ("video;frame;x;y;w;h;identity\na;0;1;1;1;1;p\n", "separated by commas"),
        (HEADER + "a,zero,1,1,1,1,p,0\n", "not a CSV file.*zero"),
        (HEADER + "a,0,1,1,1\n", "not a CSV file.*columns"),
        (HEADER + "a,0,1,1,1,1,,0\n", "row 2: identity is empty"),
        (HEADER + "a,0,1,1,5,5,p,0\na,0,1,1,0,5,p,0\n", "row 3.*no area"),
        (HEADER + "a,0,nan,1,1,1,p,0\n", "no area|empty"),
        (b"PAR1\x00\x15\x04binary", "damaged Parquet file"),
        (b"\xff\xfe\x00v", "not UTF-8"),
    ],
)
def test_unusable_files_are_named_with_the_reason(tmp_path, content, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read_ground_truth(_write(tmp_path, content))
    assert "truth.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_ground_truth(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="no file in it holds tracks"):
        read_ground_truth(tmp_path)


def _match(tmp_path, truth_rows, faces):
    """faces: (video, frame, x, y, w, h, track)."""
    truth = read_ground_truth(_write(tmp_path, HEADER + "".join(f"{row}\n" for row in truth_rows)))
    columns = list(zip(*faces, strict=True))
    return match_tracks(
        np.array(columns[0], dtype=object),
        np.array(columns[1]),
        np.array([f[2:6] for f in faces], dtype=np.float32),
        np.array(columns[6]),
        truth,
    )


def test_majority_of_matches_names_the_track(tmp_path):
    truth = [f"v,{frame},0,0,10,10,{'b' if frame == 2 else 'a'},0" for frame in range(3)]
    matches = _match(tmp_path, truth, [("v", frame, 0, 0, 10, 10, 7) for frame in range(3)])
    assert matches.track_id.tolist() == [7]
    assert matches.identity.tolist() == ["a"]
    assert (matches.matched.tolist(), matches.agreeing.tolist()) == ([3], [2])


def test_among_equals_the_first_seen_wins(tmp_path):
    matches = _match(tmp_path, ["v,0,0,0,9,9,z,0", "v,1,0,0,9,9,a,0"], [("v", k, 0, 0, 9, 9, 0) for k in (0, 1)])
    assert matches.identity.tolist() == ["z"]


@pytest.mark.parametrize(("faces", "is_real"), [(3, False), (2, True)])
def test_track_needs_half_of_its_boxes_matched(tmp_path, faces, is_real):
    matches = _match(tmp_path, ["v,0,0,0,10,10,a,0"], [("v", frame, 0, 0, 10, 10, 1) for frame in range(faces)])
    assert matches.is_real.tolist() == [is_real]


@pytest.mark.parametrize(("height", "matched"), [(3.0, 1), (2.9, 0)])
def test_boxes_match_from_an_overlap_of_three_tenths(tmp_path, height, matched):
    assert _match(tmp_path, ["v,0,0,0,10,10,a,0"], [("v", 0, 0, 0, 10, height, 1)]).matched.tolist() == [matched]


def test_best_overlap_wins_and_videos_do_not_mix(tmp_path):
    truth = ["v,0,0,0,10,10,left,0", "v,0,4,0,10,10,right,0", "w,0,3,0,10,10,elsewhere,0"]
    matches = _match(tmp_path, truth, [("v", 0, 3, 0, 10, 10, 1), ("w", 0, 0, 0, 10, 10, 1)])
    assert matches.identity.tolist() == ["right", "elsewhere"]


def test_a_film_of_200_000_faces_takes_seconds(tmp_path):
    rng = np.random.default_rng(0)
    n = 200_000
    frame, track = np.arange(n) // 2, np.arange(n) // 200
    boxes = np.stack([np.where(np.arange(n) % 2, 300, 0), np.zeros(n), np.full(n, 80), np.full(n, 80)], axis=1)
    boxes[:, :2] += rng.normal(0, 3, (n, 2))
    rows = zip(frame, boxes.round(1).tolist(), track % 9, strict=True)
    path = _write(
        tmp_path, HEADER + "".join(f"v,{f},{b[0]},{b[1]},{b[2]},{b[3]},p{i},{f // 100}\n" for f, b, i in rows)
    )
    begin = time.perf_counter()
    matches = match_tracks(np.full(n, "v", dtype=object), frame, boxes, track, read_ground_truth(path))
    assert time.perf_counter() - begin < 10
    assert matches.is_real.all()
