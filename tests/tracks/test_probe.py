"""What is told of a video, and of what is none.

- each kind of file that cannot be used gives one sentence with its path
- damage that leaves frames gives these frames and a warning
- the fingerprint follows the content, not the name
"""

from __future__ import annotations

import os
import re
import wave
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from vcn_ray.errors import InputError
from vcn_ray.tracks.decode import read_frames
from vcn_ray.tracks.probe import probe_video


@pytest.fixture(scope="module")
def clip(videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    return videos.write(folder / "clip.mp4", [videos.stamped(n) for n in range(60)], options={"g": "12"}, fps=30)


def _sound_only(path):
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))


def _picture(path):
    cv2.imwrite(str(path.with_suffix(".png")), np.zeros((64, 64, 3), np.uint8))
    path.with_suffix(".png").rename(path)


def _no_index(path, clip):
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])


UNUSABLE = {
    "missing": (lambda path, clip: None, "does not exist"),
    "a folder": (lambda path, clip: path.mkdir(), "is a folder"),
    "empty": (lambda path, clip: path.touch(), r"is empty \(0 bytes\)"),
    "text": (lambda path, clip: path.write_text("not a video\n" * 50), "is not a video that can be read"),
    "sound only": (lambda path, clip: _sound_only(path), "only sound"),
    "a still picture": (lambda path, clip: _picture(path), "is a still picture, not a video"),
    "index missing": (_no_index, "cut short or was never finished"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_files_are_refused_in_one_sentence(kind, clip, tmp_path):
    make, told = UNUSABLE[kind]
    path = tmp_path / "video.mp4"
    make(path, clip)
    with pytest.raises(InputError, match=told) as caught:
        probe_video(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert not re.search(r"Errno|0x|Traceback", message)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(clip, tmp_path):
    path = tmp_path / "secret.mp4"
    path.write_bytes(clip.read_bytes())
    path.chmod(0)
    with pytest.raises(InputError, match="permission"):
        probe_video(path)


@pytest.mark.parametrize("kind", ["mkv", "ts", "mp4 with its index in front"])
def test_what_a_truncated_video_holds_is_used_and_told(kind, videos, tmp_path):
    name = {"mkv": "a.mkv", "ts": "a.ts"}.get(kind, "a.mp4")
    options = {"movflags": "faststart"} if name == "a.mp4" else {}
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (96, 160, 3), np.uint8) for _ in range(120)]
    whole = videos.write(tmp_path / f"whole_{name}", frames, options={"g": "12"}, container_options=options)
    cut = tmp_path / name
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    info = probe_video(cut)
    assert 50 < info.frames < 100
    read = [n for n, _ in read_frames(info)]
    assert read[:50] == list(range(50))
    if kind != "ts":  # a transport stream does not say how long it was to be
        assert any("ends early" in warning for warning in info.warnings)


def test_whole_videos_give_no_warning(clip):
    assert probe_video(clip).warnings == ()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_that_goes_on_after_the_picture_is_no_cut(name, tmp_path):
    with av.open(str(tmp_path / name), "w") as sink:
        picture, sound = sink.add_stream("libx264", rate=25), sink.add_stream("aac", rate=48000)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            sink.mux(picture.encode(frame))
        for number in range(200):
            heard = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            heard.sample_rate, heard.pts, heard.time_base = 48000, number * 1024, Fraction(1, 48000)
            sink.mux(sound.encode(heard))
        sink.mux(picture.encode())
        sink.mux(sound.encode())
    assert probe_video(tmp_path / name).warnings == ()


def test_description(clip):
    info = probe_video(clip)
    assert (info.name, info.width_px, info.height_px, info.frames) == ("clip.mp4", 192, 108, 60)
    assert info.fps == pytest.approx(30)
    assert info.duration_s == pytest.approx(2)
    assert info.time_s(0) == 0
    assert info.time_s(30) == pytest.approx(1)
    assert info.sample_aspect_ratio == 1
    assert info.transfer == "sdr"
    assert not info.interlaced
    assert info.timed


def test_fingerprint_follows_content(clip, tmp_path):
    copy = tmp_path / "other name.mp4"
    copy.write_bytes(clip.read_bytes())
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(clip.read_bytes()[:-1] + b"!")
    assert probe_video(copy).fingerprint == probe_video(clip).fingerprint
    assert probe_video(changed).fingerprint != probe_video(clip).fingerprint


def test_start_time_and_edit_list_do_not_shift_frames(videos, tmp_path):
    late = videos.write(
        tmp_path / "late.ts", [videos.stamped(n) for n in range(40)], container_options={"output_ts_offset": "7200"}
    )
    info = probe_video(late)
    assert int(info.pts[0]) * info.time_base > 7000
    assert info.frames == 40
    assert info.duration_s == pytest.approx(40 / 24, rel=0.05)
    assert info.warnings == ()


def test_cover_pictures_are_not_the_video(clip, tmp_path):
    path = tmp_path / "cover.mp4"
    cover = np.full((300, 300, 3), 99, np.uint8)
    with av.open(str(path), "w") as container, av.open(str(clip)) as source:
        picture = container.add_stream("mjpeg", rate=1)
        picture.width = picture.height = 300
        picture.pix_fmt = "yuvj420p"
        picture.disposition = av.stream.Disposition.attached_pic
        stream = container.add_stream_from_template(source.streams.video[0])
        container.mux(picture.encode(av.VideoFrame.from_ndarray(cover, format="bgr24")))
        container.mux(picture.encode())
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    info = probe_video(path)
    assert (info.width_px, info.frames) == (192, 60)


@pytest.mark.parametrize(
    ("ending", "codec", "timecode"),
    [
        ("mov", "libx264", "09:59:58;04"),
        ("mp4", "libx264", "10:00:00:00"),
        ("mkv", "libx264", "10:00:00:00"),
        ("mxf", "mpeg2video", "10:00:00:00"),
        ("mp4", "libx264", ""),
    ],
)
def test_the_start_time_code_is_the_files_own(ending, codec, timecode, tmp_path):
    path = tmp_path / f"clip.{ending}"
    with av.open(str(path), "w") as container:
        rate = Fraction(30000, 1001) if ";" in timecode else Fraction(25)
        stream = container.add_stream(codec, rate=rate, width=128, height=128, pix_fmt="yuv420p")
        if timecode:
            container.metadata["timecode"] = stream.metadata["timecode"] = timecode
        frames = [av.VideoFrame.from_ndarray(np.full((128, 128, 3), n, np.uint8)) for n in range(5)]
        container.mux([packet for frame in [*frames, None] for packet in stream.encode(frame)])
    assert probe_video(path).start_timecode == timecode


@pytest.mark.parametrize("layouts", [[], ["stereo"], ["mono", "mono", "5.1"]])
def test_the_channels_of_all_sound_are_counted(layouts, tmp_path):
    path = tmp_path / "clip.mov"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=25, width=128, height=128, pix_fmt="yuv420p")
        sounds = [container.add_stream("pcm_s16le", rate=48000, layout=layout) for layout in layouts]
        frames = [av.VideoFrame.from_ndarray(np.full((128, 128, 3), n, np.uint8)) for n in range(5)]
        container.mux([packet for frame in [*frames, None] for packet in pictures.encode(frame)])
        for sound, layout in zip(sounds, layouts, strict=True):
            silence = np.zeros((1, 4800 * av.AudioLayout(layout).nb_channels), np.int16)
            heard = av.AudioFrame.from_ndarray(silence, format="s16", layout=layout)
            heard.sample_rate = 48000
            container.mux([packet for frame in [heard, None] for packet in sound.encode(frame)])
    assert probe_video(path).audio_channels == sum(av.AudioLayout(layout).nb_channels for layout in layouts)
