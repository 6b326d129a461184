"""Frames by number. What is held:

- the frame list has one entry per frame of the source, in display order, for every container and codec of the list
- frame n is frame n of the source, whether the stream is read from its start or entered in the middle
- an entered stream gives the same bytes as one read from its start
- pictures are upright, with square pixels, at the size asked for; HDR is brought to the range of SDR
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcn_ray.tracks.decode import Picture, read_frames
from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.video_info import VideoInfo

FRAMES = 100

#: name: file name, codec, encoder options
STREAMS = {
    "closed groups with B-frames": ("a.mp4", "libx264", {"g": "12", "bf": "3"}),
    "open groups": ("a.mkv", "libx264", {"x264-params": "keyint=15:min-keyint=15:open-gop=1:bframes=4:scenecut=0"}),
    "open groups in mp4": ("a.mp4", "libx264", {"x264-params": "keyint=15:open-gop=1:bframes=4:scenecut=0"}),
    "open groups, HEVC": (
        "a.mkv",
        "libx265",
        {"x265-params": "keyint=15:min-keyint=15:open-gop=1:bframes=4:log-level=none:pools=none"},
    ),
    "one key frame only": ("a.mp4", "libx264", {"g": "1000", "sc_threshold": "0"}),
    "intra refresh": ("a.mp4", "libx264", {"x264-params": "intra-refresh=1:keyint=20"}),
    "transport stream": ("a.ts", "libx264", {"g": "12", "bf": "2"}),
    "MPEG-2 transport stream": ("a.ts", "mpeg2video", {"g": "12", "bf": "2", "b": "4M"}),
    "no presentation times": ("a.avi", "mpeg4", {"g": "12", "bf": "2", "b": "4M"}),
    "hidden frames": ("a.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "30", "b": "2M"}),
    "VP9": (
        "a.webm",
        "libvpx-vp9",
        {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "30", "b": "2M", "cpu-used": "8"},
    ),
    "elementary stream without index": ("a.h264", "libx264", {"g": "12", "bf": "2"}),
    "flash video": ("a.flv", "libx264", {"g": "12"}),
    "motion JPEG": ("a.mov", "mjpeg", {"q": "3"}),
}


@pytest.fixture(scope="module", params=STREAMS)
def stream(request, videos, tmp_path_factory) -> VideoInfo:
    name, codec, options = STREAMS[request.param]
    path = tmp_path_factory.mktemp("stream") / name
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    videos.write(path, [videos.stamped(n) for n in range(FRAMES)], codec=codec, options=options, pix_fmt=pix_fmt)
    return probe_video(path)


def test_every_frame_has_its_number(stream, videos):
    assert stream.frames == FRAMES
    picture = Picture(stream)
    assert [(n, videos.read_stamp(picture.bgr(f))) for n, f in read_frames(stream)] == [(n, n) for n in range(FRAMES)]


@pytest.mark.parametrize("first_frame", [1, 13, 29, 30, 31, 46, 59, 60, 77, 98, 99])
def test_entering_gives_the_same_bytes(stream, first_frame):
    whole = {n: f.to_ndarray().tobytes() for n, f in read_frames(stream) if n >= first_frame}
    entered = {n: f.to_ndarray().tobytes() for n, f in read_frames(stream, first_frame)}
    assert entered == whole
    assert list(entered) == list(range(first_frame, FRAMES))


def test_variable_rate_keeps_order_and_times(videos, tmp_path):
    times = np.cumsum(np.random.default_rng(5).choice([20, 33, 40, 200], FRAMES)).tolist()
    path = videos.write(
        tmp_path / "v.mkv", [videos.stamped(n) for n in range(FRAMES)], times=times, options={"g": "12", "bf": "3"}
    )
    info = probe_video(path)
    assert info.frames == FRAMES
    assert info.time_s(50) == pytest.approx((times[50] - times[0]) / 1000, abs=0.002)
    picture = Picture(info)
    assert [videos.read_stamp(picture.bgr(f)) for _, f in read_frames(info, 57)] == list(range(57, FRAMES))


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3), (270, 3)])
def test_rotated_pictures_are_upright(videos, tmp_path, rotation, turns):
    stored = videos.stamped(5)
    path = videos.write(tmp_path / "r.mp4", [stored] * 5, rotation=rotation, options={"crf": "5"})
    info = probe_video(path)
    _, frame = next(read_frames(info))
    shown = Picture(info).bgr(frame)
    assert shown.shape[:2] == (info.height_px, info.width_px)
    assert np.abs(shown.astype(int) - np.rot90(stored, turns)).mean() < 8
    assert np.abs(shown.astype(int) - np.rot90(stored, turns + 2)).mean() > 30


def test_wide_pixels_become_square(videos, tmp_path):
    path = videos.write(tmp_path / "s.mp4", [videos.stamped(1)] * 3, aspect=Fraction(4, 3))
    info = probe_video(path)
    assert (info.width_px, info.height_px) == (192, 108)
    picture = Picture(info, 128)
    assert (picture.width_px, picture.height_px) == (128, 54)
    assert picture.scale.tolist() == pytest.approx([128 / 192, 0.5])


@pytest.mark.parametrize("size", [(191, 107), (33, 57), (16, 200)])
def test_odd_sizes(videos, tmp_path, size):
    grey = np.full((size[1], size[0], 3), 90, np.uint8)
    path = videos.write(tmp_path / "o.mkv", [grey] * 3, codec="ffv1", pix_fmt="bgr0")
    info = probe_video(path)
    _, frame = next(read_frames(info))
    assert Picture(info).bgr(frame).shape == (size[1], size[0], 3)
    assert max(Picture(info, 20).bgr(frame).shape[:2]) == 20


def test_ten_bit_and_hdr(videos, tmp_path):
    path = videos.write(
        tmp_path / "h.mkv",
        [np.full((64, 64, 3), 120, np.uint8)] * 3,
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={"x265-params": "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:pools=none"},
    )
    info = probe_video(path)
    assert info.transfer == "pq"
    _, frame = next(read_frames(info))
    coded = Picture(replace(info, transfer="sdr")).bgr(frame).mean()
    shown = Picture(info).bgr(frame).mean()
    # Code value 120 of 255 in PQ is about 63 nits: mid-grey on an SDR display.
    assert 110 < coded < 130
    assert 125 < shown < 165


def test_interlaced_frames_show_one_field(videos, tmp_path):
    comb = np.zeros((64, 96, 3), np.uint8)
    comb[::2] = 200  # the moving object is here in one field, elsewhere in the other

    def interlace(stream):
        stream.codec_context.flags |= 1 << 18 | 1 << 29  # interlaced DCT and motion estimation

    path = videos.write(
        tmp_path / "i.mkv", [comb] * 4, codec="mpeg2video", options={"b": "8M"}, set_up=interlace, fps=25
    )
    info = probe_video(path)
    if not info.interlaced:
        pytest.skip("this build of FFmpeg does not mark its MPEG-2 frames as interlaced")
    _, frame = next(read_frames(info))
    assert Picture(info).bgr(frame).std() < 30


@pytest.fixture(scope="module")
def coloured(portraits, tmp_path_factory, videos) -> tuple[Picture, object, np.ndarray]:
    """A picture of a film in colour, its frame, and what the whole of it looks like."""
    path = videos.write(tmp_path_factory.mktemp("c") / "c.mp4", [portraits[0][:180, :226]] * 3)
    info = probe_video(path)
    _, frame = next(read_frames(info))
    return Picture(info), frame, Picture(info).bgr(frame)


@given(st.integers(0, 224), st.integers(0, 178), st.integers(1, 300), st.integers(1, 300))
def test_a_region_has_the_pixels_of_the_whole(coloured, x, y, width, height):
    picture, frame, whole = coloured
    region = picture.region(frame, np.array([x, y]), np.array([x + width, y + height]))
    assert region is not None
    assert np.array_equal(region.bgr(), whole[y : y + height, x : x + width])


def test_what_a_region_does_not_tell_is_not_cut(videos, tmp_path):
    path = videos.write(tmp_path / "r.mp4", [videos.stamped(5)] * 3, rotation=90)
    info = probe_video(path)
    _, frame = next(read_frames(info))
    corners = np.array([0, 0]), np.array([20, 20])
    assert Picture(info).region(frame, *corners) is None
    assert Picture(replace(info, orientation=(False, False, False)), 90).region(frame, *corners) is None
