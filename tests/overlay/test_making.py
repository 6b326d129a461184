"""A video made of a finished season: what stays as it was, what is drawn, what is hidden, and what goes wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.filmed_season import (
    ANNA,
    FRAMES,
    HEIGHT,
    PTS,
    SHOT,
    SQUARE_MODELS,
    TIME_BASE,
    TITLE,
    TRACKS,
    WIDTH,
    SquareDetector,
    face_box,
    film_picture,
    write_film,
    write_filmed_season,
)

from vcn_ray.errors import InputError, OptionError
from vcn_ray.execution.mapping import map_here
from vcn_ray.overlay.request import OverlayRequest
from vcn_ray.overlay.season_videos import VideosMade, overlay_season, video_tasks
from vcn_ray.season.season_result import load_season
from vcn_ray.storage.store import Store

Make = Callable[..., VideosMade]


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished season, and its film beside it."""
    folder = tmp_path_factory.mktemp("season")
    write_filmed_season(Store(folder / "out"), write_film(folder / "film.mp4", timecode="10:00:00:00"))
    return folder


@pytest.fixture
def make(season: Path) -> Make:
    """Makes a video of the season into a file."""

    def made(path: object, **wanted: Any) -> VideosMade:
        result = load_season(season / "out")
        return overlay_season(result, str(path), OverlayRequest(**wanted), models=SQUARE_MODELS, executor="local")

    return made


def _pictures(path: object) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _times(path: object) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def _packets(path: object) -> list[list[tuple[Fraction, bytes]]]:
    """Of each audio stream: time and content."""
    with av.open(str(path)) as container:
        found: dict[int, list[tuple[Fraction, bytes]]] = {stream.index: [] for stream in container.streams.audio}
        for packet in container.demux(list(container.streams.audio)):
            if packet.size:
                found[packet.stream.index].append((packet.pts * packet.time_base, bytes(packet)))
        return list(found.values())


def _loudness(path: object) -> list[np.ndarray]:
    """Of each audio stream: its samples."""
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    samples = []
    for nth in range(count):
        with av.open(str(path)) as container:
            samples.append(np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=nth)]))
    return samples


def _hidden(picture: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    """Whether a box has no detail left; the encoder makes some noise."""
    x, y, w, h = box
    return float(picture[y : y + h, x : x + w].reshape(-1, 3).std(axis=0).max()) < 3


def test_times_and_audio_are_those_of_the_film(season: Path, make: Make, tmp_path: Path) -> None:
    made = make(tmp_path / "out.mp4")
    assert made.written == [str(tmp_path / "out.mp4")]
    assert not made.failed
    assert os.listdir(tmp_path) == ["out.mp4"]
    assert _times(tmp_path / "out.mp4") == [int(pts) * TIME_BASE for pts in PTS] == _times(season / "film.mp4")
    assert _packets(tmp_path / "out.mp4") == _packets(season / "film.mp4")
    assert len(_packets(tmp_path / "out.mp4")) == 2
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].metadata["timecode"] == "10:00:00:00"
        [chapter] = container.chapters()
        assert chapter["metadata"]["title"] == "one"


def test_boxes_are_drawn_and_the_rest_is_as_it_was(make: Make, tmp_path: Path) -> None:
    make(tmp_path / "out.mov", crf=4)
    pictures = _pictures(tmp_path / "out.mov")
    drawn = {  # edges of boxes are where tracks are, between their faces as well
        frame: [face_box(side, frame) for _, _, side, frames in TRACKS if frames[0] <= frame <= frames[-1]]
        for frame in range(FRAMES)
    }
    for frame in (0, 4, 19, 20, 25, 47):
        difference = np.abs(pictures[frame].astype(int) - film_picture(frame)).max(axis=2)
        for side in ("left", "right"):
            x, y, w, _ = box = face_box(side, frame)
            edge = difference[y + 1, x + 4 : x + w - 4].mean()
            assert (edge > 40) == (box in drawn[frame]), (frame, side, edge)
        assert np.median(difference[90:]) <= 8  # no name reaches there


def test_hidden_faces_leave_nothing(make: Make, tmp_path: Path) -> None:
    """Anna is hidden before she is tracked, and whoever is Unknown or in no track; Ben stays."""
    made = make(tmp_path / "out.mkv", blur=[ANNA])
    pictures = _pictures(tmp_path / "out.mkv")
    for frame, picture in enumerate(pictures):
        assert _hidden(picture, face_box("left", frame)), frame
        assert _hidden(picture, face_box("right", frame)) == (frame >= SHOT), frame
        assert len(SquareDetector().detect(picture[..., ::-1]).boxes) == (frame < SHOT)
    assert made.videos[0].hidden_faces > 0


def test_all_but_one_are_hidden(make: Make, tmp_path: Path) -> None:
    make(tmp_path / "out.mp4", blur_all_but=["0"])
    for frame, picture in enumerate(_pictures(tmp_path / "out.mp4")):
        assert _hidden(picture, face_box("right", frame)), frame
        if 0 < frame < 46:
            assert not _hidden(picture, face_box("left", frame)), frame


def test_unknown_faces_may_be_kept_and_the_unsure_hidden(make: Make, tmp_path: Path) -> None:
    make(tmp_path / "kept.mp4", blur=["Cast 1"], keep_unknown=True)
    kept = _pictures(tmp_path / "kept.mp4")
    assert _hidden(kept[5], face_box("right", 5))
    assert not _hidden(kept[SHOT + 5], face_box("right", SHOT + 5))
    make(tmp_path / "sure.mp4", blur=["Cast 1"], least=0.98)  # nobody is that sure
    assert all(_hidden(picture, face_box("left", n)) for n, picture in enumerate(_pictures(tmp_path / "sure.mp4")))


def test_a_supercut_is_as_long_as_the_appearances(season: Path, make: Make, tmp_path: Path) -> None:
    make(tmp_path / "out.mp4", supercut=ANNA)
    frames = [*range(4, 20), *range(SHOT, FRAMES - 1)]  # her last face is in the last frame but one
    pictures, times = _pictures(tmp_path / "out.mp4"), _times(tmp_path / "out.mp4")
    assert len(pictures) == len(frames)
    for picture, frame in zip(pictures, frames, strict=True):
        assert np.median(np.abs(picture.astype(int) - film_picture(frame))) <= 6, frame
    steps = [int(PTS[frame + 1] - PTS[frame]) * TIME_BASE for frame in frames]
    assert times == [sum(steps[:n], Fraction(0)) for n in range(len(steps))]
    cut = float(sum(steps[:16], Fraction(0)))
    for samples in _loudness(tmp_path / "out.mp4"):
        assert len(samples) / 48000 == pytest.approx(float(sum(steps)), abs=0.03)  # a packet of AAC is 21 ms
        at = round(cut * 48000)
        quiet, loud = (np.abs(samples[low:high]).max() for low, high in ((at - 3000, at - 600), (at + 600, at + 3000)))
        assert quiet < 0.2 < loud


def test_of_a_title_that_was_run_in_part_the_part_is_made(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", ("aac",))
    write_filmed_season(Store(tmp_path / "out"), film)
    title = Store(tmp_path / "out").child("titles", load_season(tmp_path / "out").titles[0].slug)
    record = title.read_json("title.json")
    record["videos"][0] |= {"first_frame": 10, "end_frame": 30}
    title.write_json("title.json", record)
    overlay_season(load_season(tmp_path / "out"), str(tmp_path / "x.mkv"), OverlayRequest(boxes=False))
    shown = _pictures(tmp_path / "x.mkv")
    assert len(shown) == 20
    assert np.median(np.abs(shown[0].astype(int) - film_picture(10))) <= 6
    [samples] = _loudness(tmp_path / "x.mkv")
    assert len(samples) / 48000 == pytest.approx(float((PTS[30] - PTS[10]) * TIME_BASE), abs=0.05)


def test_turned_film_is_made_upright(tmp_path: Path, season: Path) -> None:
    turned = tmp_path / "film.mp4"
    with av.open(str(season / "film.mp4")) as source, av.open(str(turned), "w") as sink:
        stream = sink.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                sink.mux(packet)
    write_filmed_season(Store(tmp_path / "out"), turned)
    overlay_season(load_season(tmp_path / "out"), str(tmp_path / "x.mp4"), OverlayRequest(boxes=False))
    shown = _pictures(tmp_path / "x.mp4")[0]
    assert shown.shape == (WIDTH, HEIGHT, 3)
    assert np.median(np.abs(np.rot90(film_picture(0)).astype(int) - shown)) <= 6


@pytest.mark.parametrize(("name", "sound", "ending"), [("a.mov", "pcm_s16le", ".mov"), ("a.ts", "mp2", ".mp4")])
def test_in_a_folder_the_kind_of_file_holds_the_audio(tmp_path: Path, name: str, sound: str, ending: str) -> None:
    film = write_film(tmp_path / name, (sound,))
    write_filmed_season(Store(tmp_path / "out"), film)
    [path] = overlay_season(load_season(tmp_path / "out"), f"{tmp_path}/videos/", OverlayRequest()).written
    assert path == f"{tmp_path}/videos/a-overlay{ending}"
    assert [content for _, content in _packets(path)[0]] == [content for _, content in _packets(film)[0]]


def test_what_cannot_be_made_is_a_sentence(season: Path, make: Make, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", ("pcm_s24le",))
    write_filmed_season(Store(tmp_path / "out"), film)
    result = load_season(tmp_path / "out")
    (failed,) = overlay_season(result, str(tmp_path / "x.mp4"), OverlayRequest()).failed
    assert "cannot hold the pcm_s24le audio" in failed.error
    assert "let it end in .mov or .mkv" in failed.error
    film.write_bytes(film.read_bytes()[:-5000] + bytes(5000))
    (failed,) = overlay_season(result, str(tmp_path / "x.mkv"), OverlayRequest()).failed
    assert "another film" in failed.error
    film.unlink()
    (failed,) = overlay_season(result, str(tmp_path / "x.mkv"), OverlayRequest()).failed
    assert "put it back" in failed.error
    (tmp_path / "file").touch()
    (failed,) = make(tmp_path / "file" / "x.mp4").failed
    assert failed.error.startswith("cannot write")
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith((".tmp-", "x."))]
    assert {path.name for path in tmp_path.iterdir()} == {"out", "file"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blur": ["Ana"]}, "no track is of a character 'Ana'"),
        ({"blur": [ANNA], "blur_all_but": ["1"]}, "give one of them"),
        ({"keep_unknown": True}, "is for --blur"),
        ({"blur": ["Unknown"], "keep_unknown": True}, "give one of them"),
        ({"supercut": "99"}, "no track is of a character '99'"),
        ({"blur": [ANNA], "least": 7}, "a probability is 0 to 1"),
        ({"preset": "warp"}, "there are: ultrafast"),
        ({"crf": 99}, "0 (lossless) to 51"),
    ],
)
def test_wrong_wishes_are_told_before_anything_is_made(
    make: Make, arguments: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError) as raised:
        make(tmp_path / "x.mp4", **arguments)
    assert message in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_titles_and_videos_are_found_by_name(season: Path, tmp_path: Path) -> None:
    result = load_season(season / "out")
    for name, wanted, message in (
        ("x.mp4", {"title": TITLE[:-2]}, "did you mean"),
        ("x.mp4", {"video": "fil.mp4"}, "did you mean 'film.mp4'?"),
        ("x.avi", {}, "videos are written as .mp4"),
    ):
        with pytest.raises(OptionError, match=message):
            overlay_season(result, str(tmp_path / name), OverlayRequest(), **wanted)


def test_into_a_bucket(season: Path, s3_bucket: str) -> None:
    [path] = load_season(season / "out").overlay(f"{s3_bucket}/videos/x.mp4", supercut=ANNA).written
    assert path == f"{s3_bucket}/videos/x.mp4"
    assert Store(s3_bucket).keys() == ["videos/x.mp4"]


def test_one_that_fails_leaves_the_others(season: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = load_season(season / "out")
    title = Store(season / "out").child("titles", result.titles[0].slug)
    record = title.read_json("title.json")
    gone = record["videos"][0] | {"video": "gone.mp4", "path": "/nowhere/gone.mp4"}
    monkeypatch.setattr(Store, "read_json", lambda self, key: {**record, "videos": [gone, *record["videos"]]})
    made = overlay_season(result, str(tmp_path), OverlayRequest(), executor="local")
    assert [bool(one.error) for one in made.videos] == [True, False]
    assert os.listdir(tmp_path) == ["film-overlay.mp4"]
    with pytest.raises(OptionError, match="is one file and 2 videos would be made"):
        overlay_season(result, str(tmp_path / "x.mp4"), OverlayRequest())


def test_no_film_of_the_season_is_written_over(season: Path, tmp_path: Path) -> None:
    """Nor one of another title, under whichever name, nor one that is called as a video that was made."""
    other = tmp_path / "film-overlay.mp4"
    other.write_bytes(b"another film")
    (tmp_path / "link.mp4").symlink_to(other)
    result = load_season(season / "out")
    result.titles[0].videos.append(str(other))
    for out in (season / "film.mp4", other, tmp_path / "link.mp4", tmp_path):
        with pytest.raises(OptionError, match="never written over"):
            overlay_season(result, str(out), OverlayRequest())
    assert other.read_bytes() == b"another film"


def test_videos_that_differ_in_their_ending_alone_stay_apart(season: Path, tmp_path: Path) -> None:
    write_filmed_season(Store(tmp_path / "out"), season / "film.mp4")
    title = Store(tmp_path / "out").child("titles", load_season(tmp_path / "out").titles[0].slug)
    record = title.read_json("title.json")
    title.write_json("title.json", record | {"videos": [*record["videos"], record["videos"][0] | {"video": "film.ts"}]})
    tasks = video_tasks(load_season(tmp_path / "out"), f"{tmp_path}/videos/", OverlayRequest())
    assert [task.name.split("/")[1] for task in tasks] == ["film-overlay-mp4", "film-overlay-ts"]


def test_in_this_process_items_come_in_order_and_tell_how_far_they_are() -> None:
    heard: list[tuple[int, int, int]] = []

    def work(item: int, tell: Callable[[int, int], None], threads: int) -> int:
        tell(item, 9)
        return item * threads

    options = load_options(3)
    landed = list(map_here(work, [4, 5], lambda item, why: 0, options, lambda *event: heard.append(event)))
    assert landed == [(0, 12), (1, 15)]
    assert heard == [(0, 4, 9), (1, 5, 9)]


def load_options(cpus: int) -> Any:
    from vcn_ray.config import RunOptions

    return RunOptions(num_cpus=cpus)


def test_no_video_is_an_error(tmp_path: Path) -> None:
    Store(tmp_path).write_json("season.json", {"titles": [], "errors": []})
    with pytest.raises(InputError, match="no finished title"):
        overlay_season(load_season(tmp_path), "x.mp4", OverlayRequest())
