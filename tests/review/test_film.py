"""A track in its film: the frame, the shot, the file by ranges; and a film that is gone is a sentence."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from support.served_review import Asker, ask

from jobs.benchmarks.synthetic_season import SyntheticSeason
from vcn_ray.inputs.titles import slug
from vcn_ray.review.film import MOST_SHOT_S, Film, FilmError, Shots
from vcn_ray.storage.store import Store
from vcn_ray.tracks.probe import probe_video

FRAMES, FPS = 60, 25
NAME = "Überraschung é 日本 <b>.mp4"


def write_film(path: Path, codec: str = "libx264", pixels: str = "yuv420p", height_px: int = 96) -> None:
    """Frame n is of grey 4 n; a key frame every 12."""
    with av.open(str(path), "w") as sink:
        stream: Any = sink.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 160, height_px, pixels
        stream.codec_context.gop_size = 12
        for n in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((height_px, 160, 3), 4 * n, np.uint8), format="rgb24")
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))


def film_of(tmp_path: Path, path: Path) -> Film:
    info = probe_video(path)
    work = Store(tmp_path / "work")
    work.write_json(f"probe/{slug(path.name)}.json", info.to_json())
    return Film(work, [{"video": path.name, "path": str(path), "fingerprint": info.fingerprint}])


@pytest.fixture
def film(tmp_path: Path) -> Film:
    write_film(tmp_path / NAME)
    return film_of(tmp_path, tmp_path / NAME)


def grey(jpeg: bytes) -> tuple[int, tuple[int, ...]]:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return int(picture.mean()), picture.shape


@pytest.mark.parametrize("number", [0, 11, 12, 37, FRAMES - 1])
def test_a_frame_is_the_one_asked_for(film: Film, number: int) -> None:
    value, shape = grey(film.frame(0, number, 160))
    assert value == pytest.approx(4 * number, abs=3)
    assert shape == (96, 160, 3)
    assert grey(film.frame(0, number, 80))[1] == (48, 80, 3)
    assert grey(film.frame(0, number, 10**9))[1] == (96, 160, 3)  # never larger than it is


def test_a_shot_is_played_from_its_first_frame_to_its_last(film: Film, tmp_path: Path) -> None:
    film.encode_shot(0, (20, 44), str(tmp_path / "shot.mp4"))
    with av.open(str(tmp_path / "shot.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        frames = [
            (float(f.pts * f.time_base), int(f.to_ndarray(format="rgb24").mean())) for f in container.decode(stream)
        ]
    assert len(frames) == 25
    assert [time for time, _ in frames] == pytest.approx([n / FPS for n in range(25)], abs=0.002)
    assert [value for _, value in frames] == pytest.approx([4 * n for n in range(20, 45)], abs=4)


def test_uneven_sides_are_played_too(tmp_path: Path) -> None:
    write_film(tmp_path / "odd.mkv", "ffv1", "bgr0", height_px=87)
    odd = film_of(tmp_path, tmp_path / "odd.mkv")
    odd.encode_shot(0, (0, 5), str(tmp_path / "shot.mp4"))
    with av.open(str(tmp_path / "shot.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (160, 86)
    assert odd.file(0) is None  # no browser plays it


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "kind"),
    [
        ("a.mp4", "libx264", "yuv420p", "video/mp4"),
        ("a.mov", "libx264", "yuv420p", "video/mp4"),
        ("a.mp4", "libx264", "yuv444p", None),
        ("a.mp4", "mpeg4", "yuv420p", None),
        ("a.mkv", "libx264", "yuv420p", None),
        ("a.webm", "libvpx-vp9", "yuv420p", "video/webm"),
    ],
)
def test_a_browser_is_given_what_it_plays(tmp_path: Path, name: str, codec: str, pixels: str, kind: str | None) -> None:
    write_film(tmp_path / name, codec, pixels)
    file = film_of(tmp_path, tmp_path / name).file(0)
    assert (None if file is None else file.content_type) == kind


def test_a_long_shot_is_shown_around_the_track(film: Film) -> None:
    most = round(MOST_SHOT_S * film.info(0).fps)
    object.__setattr__(film.info(0), "pts", np.arange(100_000))
    assert film.piece(0, (100, 300), (150, 160)) == (100, 300)
    first, last = film.piece(0, (100, 90_000), (50_000, 50_100))
    assert last - first + 1 == most
    assert first < 50_000 < 50_100 < last
    assert film.piece(0, (100, 90_000), (100, 120))[0] == 100
    assert film.piece(0, (100, 90_000), (89_990, 90_000))[1] == 90_000
    assert film.piece(0, (100, 90_000), (100, 90_000)) == (100, 100 + most - 1)


def test_a_film_that_is_gone_or_another_is_a_sentence(film: Film, tmp_path: Path) -> None:
    assert film.problem(0) is None
    os.rename(tmp_path / NAME, tmp_path / "elsewhere.mp4")
    assert (
        film.problem(0) == f"{tmp_path / NAME} is not there any more, or cannot be read: put it back to see its frames."
    )
    assert film.file(0) is None
    with pytest.raises(FilmError, match="not there any more"):
        film.frame(0, 0, 160)
    write_film(tmp_path / NAME, height_px=64)
    assert "another film" in (film.problem(0) or "")
    os.replace(tmp_path / "elsewhere.mp4", tmp_path / NAME)
    assert film.problem(0) is None
    assert Film(Store(tmp_path), [{"video": "a"}]).problem(0) == "Where a lies is not known."


def test_a_film_in_a_bucket_is_shown_by_its_frames_and_shots(tmp_path: Path, s3_bucket: str) -> None:
    write_film(tmp_path / "a.mp4")
    store, work = Store(s3_bucket), Store(tmp_path / "work")
    store.write_file("a.mp4", tmp_path / "a.mp4")
    info = probe_video(store.where("a.mp4"))
    work.write_json(f"probe/{slug('a.mp4')}.json", info.to_json())
    film = Film(work, [{"video": "a.mp4", "path": store.where("a.mp4"), "fingerprint": info.fingerprint}])
    assert film.problem(0) is None
    assert film.file(0) is None  # the browser has no key to the bucket
    assert grey(film.frame(0, 30, 160))[0] == pytest.approx(120, abs=3)
    film.encode_shot(0, (10, 14), str(tmp_path / "shot.mp4"))
    with av.open(str(tmp_path / "shot.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5
    store.delete("a.mp4")
    assert "not there any more" in (film.problem(0) or "")


def test_pieces_are_made_once_and_go_with_the_review(film: Film) -> None:
    shots = Shots()
    paths = [shots.piece("t", film, 0, (0, n)) for n in (3, 4, 3)]
    assert paths[0] == paths[2] != paths[1]
    for n in range(5, 5 + 24):
        shots.piece("t", film, 0, (0, n))
    assert not paths[1].exists()  # the oldest; the other was asked for again
    folder = paths[0].parent
    shots.close()
    assert not folder.exists()


class _Filmed(SyntheticSeason):
    """The first title has a film."""

    filmed: Film

    def film(self, title: int) -> Film:
        return self.filmed if title == 0 else super().film(title)


def test_the_film_is_served_by_ranges(film: Film, tmp_path: Path) -> None:
    season = _Filmed(Store(tmp_path / "out"), 3, 12, 2)
    season.filmed = film
    season.facts.last_frame[:] = np.minimum(season.facts.last_frame, FRAMES - 1)
    content = (tmp_path / NAME).read_bytes()

    async def test(asker: Asker) -> None:
        track = (await asker.get("/api/tracks/1"))[1]
        assert (track["film"], track["proxy"], track["film_problem"]) == ("/film/0/0", "/shots/1.mp4", None)
        assert track["boxes"][0][:2] == [int(season.facts.first_frame[1]), pytest.approx(track["first_time_s"])]
        assert (track["shot_first_time_s"], track["shot_last_time_s"]) == (0, pytest.approx((FRAMES - 1) / FPS))
        assert await asker.get("/film/0/0") == (200, content)
        assert await asker.get("/film/0/0", Range="bytes=10-19") == (206, content[10:20])
        assert await asker.get("/film/0/0", Range="bytes=-5") == (206, content[-5:])
        assert (await asker.get("/film/0/0", Range=f"bytes={len(content)}-"))[0] == 416
        headers = asker.headers | {"Range": "bytes=0-0"}
        async with asker.client.get("/film/0/0", headers=headers) as response:
            assert response.headers["Content-Range"] == f"bytes 0-0/{len(content)}"
            assert response.headers["Content-Type"] == "video/mp4"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert NAME not in str(response.headers)
        status, shot = await asker.get("/shots/1.mp4")
        assert status == 200
        with av.open(io.BytesIO(shot)) as container:
            assert sum(1 for _ in container.decode(video=0)) == FRAMES
        status, frame = await asker.get("/frames/1.jpg?frame=30&width=160")
        assert (status, grey(frame)[0]) == (200, pytest.approx(120, abs=3))
        assert (await asker.get("/frames/1.jpg?frame=99999"))[0] == 200  # the last there is
        # The other title has none.
        row = int(season.found.rows_of_title(1).start)
        assert (await asker.get(f"/api/tracks/{row}"))[1]["film_problem"] == "Where s01e02.mp4 lies is not known."
        for path in (f"/shots/{row}.mp4", f"/frames/{row}.jpg", "/film/1/0"):
            status, answer = await asker.get(path)
            assert (status, list(answer)) == (404, ["error"])

    ask(season, tmp_path, test)
