"""Films of other kinds: HDR stays HDR, fields stay fields, odd sides and RGB become what players take; subtitles."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.filmed_season import FRAMES, film_picture, write_filmed_season

from vcn_ray.overlay.picture_format import PictureFormat
from vcn_ray.overlay.task import VideoMade
from vcn_ray.season.season_result import load_season
from vcn_ray.storage.store import Store
from vcn_ray.tracks.probe import probe_video

HDR = {"color_trc": 16, "color_primaries": 9, "colorspace": 9, "color_range": 1}
TALL, WIDE = 112, 192


def _film(path: Path, codec: str, pixels: str, **wanted: Any) -> Path:
    """The film of `filmed_season` at 25 frames a second; of less width and height by `odd`; with lines of `text`."""
    height, width = TALL - wanted.get("odd", 0), WIDE - wanted.get("odd", 0)
    with av.open(str(path), "w") as sink:
        stream: Any = sink.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = width, height, pixels, wanted.get("options", {})
        for name, value in wanted.get("colours", {}).items():
            setattr(stream.codec_context, name, value)
        text: Any = sink.add_mux_stream("subrip") if "text" in wanted else None
        for number in range(FRAMES):
            picture = np.ascontiguousarray(film_picture(number)[:height, :width])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            for name, value in wanted.get("colours", {}).items():
                setattr(frame, name, value)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
        for number, line in enumerate(wanted.get("text", ())):
            packet = av.Packet(line)
            packet.stream, packet.pts, packet.dts, packet.duration = text, 500 * number, 500 * number, 400
            packet.time_base = Fraction(1, 1000)
            sink.mux(packet)
    return path


def _made(tmp_path: Path, film: Path, name: str) -> VideoMade:
    write_filmed_season(Store(tmp_path / "out"), film)
    [made] = load_season(tmp_path / "out").overlay(tmp_path / name).videos
    assert not made.error, made.error
    return made


@pytest.mark.parametrize(
    ("codec", "pixels", "wanted", "becomes"),
    [
        ("libx265", "yuv420p10le", {"colours": HDR, "options": {"x265-params": "log-level=none"}}, "yuv420p10le"),
        ("prores_ks", "yuv422p10le", {}, "yuv420p"),
        ("ffv1", "bgr0", {"odd": 1}, "yuv420p"),
        ("libx264", "yuvj420p", {}, "yuvj420p"),
        ("libx264", "yuv420p", {"options": {"flags": "+ildct+ilme"}}, "yuv420p"),
    ],
)
def test_the_picture_is_as_it_was(tmp_path: Path, codec: str, pixels: str, wanted: Any, becomes: str) -> None:
    film = _film(tmp_path / "film.mov" if codec != "ffv1" else tmp_path / "film.mkv", codec, pixels, **wanted)
    _made(tmp_path, film, f"x{film.suffix}")
    with av.open(str(film)) as source, av.open(str(tmp_path / f"x{film.suffix}")) as result:
        before, after = (list(container.decode(video=0)) for container in (source, result))
        assert result.streams.video[0].codec_context.name == ("hevc" if "colours" in wanted else "h264")
        assert result.streams.video[0].codec_context.pix_fmt == becomes
    assert [frame.pts * frame.time_base for frame in after] == [frame.pts * frame.time_base for frame in before]
    assert (after[0].width, after[0].height) == (before[0].width // 2 * 2, before[0].height // 2 * 2)
    assert after[0].color_trc == before[0].color_trc
    assert after[0].interlaced_frame == before[0].interlaced_frame == ("flags" in wanted.get("options", {}))
    shown, given = (frame.to_ndarray(format="rgb24").astype(int) for frame in (after[5], before[5]))
    assert np.median(np.abs(shown - given[: shown.shape[0], : shown.shape[1]])) <= 3
    assert np.abs(shown - given[: shown.shape[0], : shown.shape[1]])[40:72, 20:60].max() > 40  # a box


def test_subtitles_go_along_where_the_file_holds_them(tmp_path: Path) -> None:
    lines = [b"one", "Überraschung 日本".encode()]
    film = _film(tmp_path / "film.mkv", "libx264", "yuv420p", text=lines)
    made = _made(tmp_path, film, "x.mkv")
    assert not any("subtitle" in remark for remark in made.remarks)
    with av.open(str(tmp_path / "x.mkv")) as container:
        assert [bytes(packet) for packet in container.demux(subtitles=0) if packet.size] == lines
    made = _made(tmp_path, film, "x.mp4")
    assert any("subtitle stream left out: such a file cannot hold" in remark for remark in made.remarks)


def test_of_several_picture_streams_the_first_is_shown_and_that_is_told(tmp_path: Path) -> None:
    """As of several angles; whoever is hidden in the first one is not to be seen in another."""
    first = _film(tmp_path / "one.mkv", "libx264", "yuv420p")
    with av.open(str(first)) as source, av.open(str(tmp_path / "film.mkv"), "w") as sink:
        angles = [sink.add_stream_from_template(source.streams.video[0]) for _ in range(2)]
        packets = [packet for packet in source.demux() if packet.size]
        for packet in packets:
            for angle in angles:
                copy = av.Packet(bytes(packet))
                copy.stream, copy.pts, copy.dts = angle, packet.pts, packet.dts
                copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
                sink.mux(copy)
    assert any("2 picture streams" in warning for warning in probe_video(str(tmp_path / "film.mkv")).warnings)
    made = _made(tmp_path, tmp_path / "film.mkv", "x.mkv")
    assert made.remarks == ("the first of 2 picture streams alone is written",)
    with av.open(str(tmp_path / "x.mkv")) as result:
        assert len(result.streams.video) == 1


def test_a_film_that_changes_its_size_stays_of_one(tmp_path: Path) -> None:
    """As broadcasts do at advertisements: boxes, in pixels of the first size, would lie beside the faces."""
    info = probe_video(str(_film(tmp_path / "film.mkv", "libx264", "yuv420p")))
    large = np.ascontiguousarray(film_picture(5))
    frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in (large, large[::2, ::2].copy())]
    first, second = (frame.reformat(format="yuv420p") for frame in frames)
    made = PictureFormat(first, info).convert(second)
    assert (made.width, made.height) == (WIDE, TALL)
    assert np.abs(made.to_ndarray(format="rgb24").astype(int) - large).mean() < 20
