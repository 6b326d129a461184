"""From video to tracks. What is held:

- the tables of a title are the same for every window length and every order of the shards, in videos with cuts, a
  dissolve, open groups, a variable rate, rotation, and takes longer than `max_shot_s`
- each person's appearance is one track with crops; the cut between two shots cuts the tracks
- a shard where no shot begins runs no detector
- long takes cut for work come out as one shot with one track a person
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from vcn_ray.config import make_options
from vcn_ray.models.packs import load_pack
from vcn_ray.tracks.assemble import TitleTracks, assemble_title
from vcn_ray.tracks.extract import extract_shard
from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.shards import Shard, plan_shards

SIZE = (322, 182)  # odd after halving, not a multiple of 16
TABLES = ("faces", "tracks", "crops", "shots", "cannot_link")
pytestmark = pytest.mark.filterwarnings("error")


def _shot(picture: np.ndarray, frames: int, seed: int, drift: float = 0.6) -> list[np.ndarray]:
    """A picture that slides in front of the camera."""
    width, height = SIZE
    scale = max(width / picture.shape[1], height / picture.shape[0]) * 1.15
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    room_x, room_y = large.shape[1] - width, large.shape[0] - height
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    shown = []
    for n in range(frames):
        x = round(np.clip(room_x / 2 + drift * (n - frames / 2) * np.cos(angle), 0, room_x))
        y = round(np.clip(room_y / 3 + drift * (n - frames / 2) * np.sin(angle) / 2, 0, room_y))
        shown.append(large[y : y + height, x : x + width].copy())
    return shown


def _dissolve(a: list[np.ndarray], b: list[np.ndarray], frames: int) -> list[np.ndarray]:
    """The end of one shot blended into the beginning of the next."""
    blend = [
        cv2.addWeighted(x, 1 - (n + 1) / (frames + 1), y, (n + 1) / (frames + 1), 0)
        for n, (x, y) in enumerate(zip(a[-frames:], b[:frames], strict=True))
    ]
    return [*a[:-frames], *blend, *b[frames:]]


@pytest.fixture(scope="module")
def pack():
    return load_pack("opencv-zoo")


@pytest.fixture(scope="module")
def film(portraits) -> list[np.ndarray]:
    """Seven shots of three pictures and an empty room: a dissolve, cuts, a flash and a shot of a few frames."""
    astronaut, hanks, group = portraits
    room = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 255, (120, 200, 3), np.uint8), (0, 0), 9)
    opening = _dissolve(_shot(astronaut, 40, 1), _shot(group, 45, 2), 12)
    last = _shot(group, 40, 5)
    last[20] = np.full_like(last[20], 250)
    return [*opening, *_shot(hanks, 30, 3), *_shot(room, 50, 4), *_shot(hanks, 7, 6), *_shot(astronaut, 20, 7), *last]


def _codings(videos, folder: Path, film: list[np.ndarray]) -> dict[str, Path]:
    open_groups = {"x264-params": "keyint=15:min-keyint=15:open-gop=1:bframes=4:scenecut=0"}
    times = np.cumsum(np.random.default_rng(7).choice([33, 42, 50], len(film))).tolist()
    return {
        "open": videos.write(folder / "open.mkv", film, options=open_groups),
        "variable": videos.write(folder / "variable.mp4", film, times=times, options={"g": "20", "bf": "3"}),
        "turned": videos.write(folder / "turned.mp4", [np.rot90(f) for f in film], rotation=-90, options={"g": "9"}),
    }


def _title(paths: list[Path], pack, window_s: float, settings: dict, order: int = 0) -> TitleTracks:
    options = make_options(settings).tracks
    done = []
    for path in paths:
        info = probe_video(path)
        shards = plan_shards(info, window_s)
        np.random.default_rng(order).shuffle(shards)
        done.append((info, [extract_shard(info, shard, pack, options) for shard in shards]))
    return assemble_title(done)


def _assert_same(a: TitleTracks, b: TitleTracks) -> None:
    for name in TABLES:
        assert getattr(a, name).equals(getattr(b, name)), f"{name} differ"


@pytest.mark.slow
@pytest.mark.parametrize("coding", ["open", "variable", "turned"])
def test_windows_and_order_change_nothing(coding, film, videos, pack, tmp_path):
    path = _codings(videos, tmp_path, film)[coding]
    settings = {"max_shot_s": 5, "detect_max_side_px": 320, "detect_every_frames": 3 if coding == "open" else 2}
    whole = _title([path], pack, 1e6, settings)
    assert whole.shots.num_rows == 7
    assert whole.shots["transition"].to_pylist() == ["start", "dissolve", *["cut"] * 5]
    assert whole.tracks.num_rows >= 10
    assert sum(reason is None for reason in whole.tracks["reason"].to_pylist()) >= 8
    for order, window_s in enumerate([1, 5] if coding == "open" else [1.5]):
        _assert_same(_title([path], pack, window_s, settings, order), whole)


def test_the_film_s_people_are_tracked(film, videos, pack, tmp_path):
    path = videos.write(tmp_path / "film.mp4", film)
    title = _title([path], pack, 20, {"detect_max_side_px": 320})
    starts = title.shots["first_frame"].to_pylist()
    assert starts[0] == 0
    assert abs(starts[1] - 34) <= 1  # middle of the dissolve
    assert starts[2:] == [73, 103, 153, 160, 180]
    known = title.tracks.to_pandas()
    known = known[known.reason.isna()]
    people = known.groupby("shot").size().to_dict()
    assert [people.get(shot, 0) for shot in range(6)] == [1, 6, 1, 0, 1, 1]
    assert people[6] >= 6  # six people; the flash may split a track
    assert (known.crops >= 3).all()
    # The six people of the group were on screen together: none of them is another.
    links = set(zip(*(title.cannot_link[c].to_pylist() for c in ("track_a", "track_b")), strict=True))
    group = known[known.shot == 1].track_id.tolist()
    assert set(itertools.combinations(group, 2)) <= links


def test_landmarks_found_anew_change_crops_and_nothing_else(film, videos, pack, tmp_path):
    path = videos.write(tmp_path / "film.mp4", film[:60])
    refined, detected = (
        _title([path], pack, 20, {"detect_max_side_px": 320, "landmarks": how}) for how in ("refined", "detector")
    )
    for name in ("faces", "tracks", "shots", "cannot_link"):
        assert getattr(refined, name).equals(getattr(detected, name))
    assert refined.crops.drop_columns("jpeg").equals(detected.crops.drop_columns("jpeg"))
    pairs = zip(*(title.crops["jpeg"].to_pylist() for title in (refined, detected)), strict=True)
    assert sum(a != b for a, b in pairs) > 0.8 * refined.crops.num_rows


@pytest.mark.slow
def test_a_second_look_does_not_depend_on_windows(film, videos, pack, tmp_path):
    path = videos.write(tmp_path / "film.mp4", film[20:110], options={"g": "9"})
    settings = {"detect_max_side_px": 240, "detect_every_frames": 4, "detector": "pack+centerface"}
    whole = _title([path], pack, 1e6, settings)
    _assert_same(_title([path], pack, 1, settings), whole)
    assert whole.faces.num_rows >= _title([path], pack, 1e6, settings | {"detector": "pack"}).faces.num_rows


def test_every_frame_of_a_track_has_a_face(film, videos, pack, tmp_path):
    path = videos.write(tmp_path / "film.mp4", film[73:103])
    title = _title([path], pack, 20, {"detect_every_frames": 4, "detect_max_side_px": 320})
    faces = title.faces.to_pandas()
    assert faces.frame.tolist() == list(range(29))
    assert faces.score.notna().tolist() == [n % 4 == 0 for n in range(29)]
    assert np.abs(np.diff(faces.x)).max() < 3


def test_a_video_of_more_frames_a_second_takes_no_more_detections(film, videos, pack, tmp_path):
    found = {}
    for times in (1, 2):
        frames = [frame for frame in film[73:103] for _ in range(times)]
        info = probe_video(videos.write(tmp_path / f"{times}.mp4", frames, fps=25 * times))
        found[times] = extract_shard(info, Shard(0, info.frames), pack, make_options().tracks)
    assert found[1].stats["frames_detected"] == found[2].stats["frames_detected"] == 15
    tracks, twice = ({*found[k].faces["track_id"].to_pylist()} for k in (1, 2))
    assert tracks == twice == {0}


def test_a_shard_without_a_beginning_detects_nothing(film, videos, pack, tmp_path):
    path = videos.write(tmp_path / "one.mp4", film[103:153], options={"g": "5"})
    info = probe_video(path)
    result = extract_shard(info, Shard(10, 40), pack, make_options().tracks)
    assert result.stats["frames_detected"] == 0
    assert result.shots.num_rows == result.faces.num_rows == 0


def test_progress_adds_up_to_the_frames(film, videos, pack, tmp_path):
    path = videos.write(tmp_path / "film.mp4", film[:90], options={"g": "10"})
    info = probe_video(path)
    steps: list[int] = []
    shards = plan_shards(info, 1)
    assert len(shards) > 1
    results = [extract_shard(info, shard, pack, make_options().tracks, steps.append) for shard in shards]
    assert sum(steps) == info.frames
    assert all(step > 0 for step in steps)
    for result in results:
        tracks = set(result.faces["track_id"].to_pylist()) - {None}
        counts = result.faces.num_rows, len(tracks), result.crops.num_rows
        assert tuple(result.stats[name] for name in ("faces", "tracks", "crops")) == counts
    # Each frame's packet is read at least once, none more often than there are shards.
    packets = path.stat().st_size * 0.9
    assert packets < sum(result.stats["bytes_read"] for result in results) < path.stat().st_size * len(shards)


@pytest.mark.slow
def test_long_takes_are_joined_again(portraits, videos, pack, tmp_path):
    take = _shot(portraits[2], 260, 11, drift=0.15)
    path = videos.write(tmp_path / "take.mp4", take, options={"g": "24"})
    cut = _title([path], pack, 2, {"max_shot_s": 5, "detect_max_side_px": 320, "detect_every_frames": 4})
    assert cut.shots.num_rows == 1
    assert cut.shots["last_frame"].to_pylist() == [259]
    whole = _title([path], pack, 2, {"max_shot_s": 100, "detect_max_side_px": 320, "detect_every_frames": 4})
    assert cut.tracks["first_frame"].to_pylist() == whole.tracks["first_frame"].to_pylist()
    assert cut.tracks.num_rows == whole.tracks.num_rows


def test_videos_of_a_title_are_numbered_through(film, videos, pack, tmp_path):
    first = videos.write(tmp_path / "z.mp4", film[73:103])
    second = videos.write(tmp_path / "a.mp4", film[153:180])
    title = _title([first, second], pack, 20, {"detect_max_side_px": 320})
    assert title.tracks["track_id"].to_pylist() == [0, 1, 2]
    assert title.tracks["video"].to_pylist() == ["z.mp4", "a.mp4", "a.mp4"]
    assert title.shots["shot"].to_pylist() == [0, 1, 2]
    assert title.faces["shot"].to_pylist() == sorted(title.faces["shot"].to_pylist())


@pytest.mark.skipif("VCN_SEASONS" not in os.environ, reason="VCN_SEASONS does not say where labelled seasons are")
def test_tiny_season_for_every_window(pack):
    paths = sorted(Path(os.environ["VCN_SEASONS"], "tiny").glob("*.mp4"))
    whole = _title(paths, pack, 1e6, {})
    _assert_same(_title(paths, pack, 3, {}, 1), whole)
