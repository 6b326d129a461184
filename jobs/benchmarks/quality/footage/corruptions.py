"""Degraded copies of labelled videos: smaller, blurred, dark, compressed; every frame kept, and its time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from jobs.benchmarks.quality.footage.cases import write_labels
from jobs.benchmarks.quality.footage.seasons import Footage, videos_digest
from vcn_ray.errors import InputError
from vcn_ray.evaluate.ground_truth import GroundTruth, read_ground_truth
from vcn_ray.storage.store import digest
from vcn_ray.track_files.content import file_name
from vcn_ray.tracks.decode import Picture, read_frames
from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.video_info import VideoInfo

#: Median height of the labelled faces of a season, pixels, once its videos are scaled down.
FACES_PX = {"faces12": 12, "faces16": 16, "faces20": 20, "faces28": 28}

#: What can be done to a video. Half: of its width and height. Faces: see `FACES_PX`. Blur: Gaussian of a 240th of its
#: height. Dark: half as bright, steeper in the shadows, with a sensor's noise. Compressed: x264's constant rate factor
#: 38.
KINDS = ("half", *FACES_PX, "blur", "dark", "compressed")

#: Raise it whenever copies come out otherwise.
_VERSION = 1

_LEAST_SIDE_PX = 16  # of an encoded picture

_CRF, _CRF_COMPRESSED = "23", "38"
_BLUR_OF_HEIGHT = 1 / 240
_DARK_GAIN, _DARK_GAMMA, _DARK_NOISE = 0.5, 1.6, 4.0  # noise: standard deviation of 0..255


@dataclass(frozen=True)
class Copy:
    """A video to be degraded."""

    source: str
    target: str
    kind: str
    size: tuple[int, int] | None = None  # (width, height) in pixels where the kind makes it smaller

    def __str__(self) -> str:
        return f"{self.kind} copy of {self.source}"


def degraded(footage: Footage, kind: str, cache: str) -> tuple[Footage, list[Copy]] | None:
    """The degraded copy of a season, with its ground truth, and the copies that are still to be made.

    The folder in the cache is named by a digest of the videos' content. None where faces are as small already, or
    nearly nothing would be left of the pictures. Raises `InputError` where a video or the ground truth cannot be read.
    """
    truth = read_ground_truth(footage.ground_truth).of_videos({file_name(video) for video in footage.videos})
    infos = {file_name(video): probe_video(video) for video in footage.videos}
    sizes = {name: _size(Picture(info), kind, truth) for name, info in infos.items()}
    of_faces = [sizes[name] for name in infos] if kind in FACES_PX else []
    if any(size is None or min(size) < _LEAST_SIDE_PX for size in of_faces):
        return None
    key = digest(_VERSION, videos_digest(footage), *of_faces)
    folder = Path(cache).absolute() / "degraded" / f"{footage.season}-{kind}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    labels = folder / "ground_truth.csv"
    write_labels(_scaled(truth, {name: _scale(info, sizes[name]) for name, info in infos.items()}), labels)
    targets = [str(folder / file_name(video)) for video in footage.videos]
    copies = [Copy(v, target, kind, sizes[file_name(v)]) for v, target in zip(footage.videos, targets, strict=True)]
    found = Footage(footage.season, kind, tuple(targets), str(labels))
    return found, [copy for copy in copies if not os.path.exists(copy.target)]


def make_copy(copy: Copy) -> str:
    """Make a copy, whole or not at all; gives what is wrong with the video, "" where nothing is."""
    cv2.setNumThreads(1)
    unfinished = f"{copy.target}.unfinished"
    try:
        info = probe_video(copy.source)
        frames = _encode(info, unfinished, copy)
        if frames != info.frames or probe_video(unfinished).frames != info.frames:
            raise InputError(
                f"{copy.source}: a copy lacks some of its {info.frames} frames, so labels would not fit it"
            )
    except InputError as error:
        return str(error)
    os.replace(unfinished, copy.target)
    return ""


def change(kind: str, picture: np.ndarray, rng: np.random.Generator, size: tuple[int, int] | None = None) -> np.ndarray:
    """A picture (h, w, 3) uint8 as it is before it is encoded; size: (width, height) of kinds that make it smaller."""
    if size is not None:
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    high, wide = picture.shape[:2]
    picture = picture[: high // 2 * 2, : wide // 2 * 2]  # the encoder takes even sizes alone
    if kind == "blur":
        return cv2.GaussianBlur(picture, (0, 0), high * _BLUR_OF_HEIGHT)
    if kind == "dark":
        curve = (255 * _DARK_GAIN * (np.arange(256) / 255) ** _DARK_GAMMA).astype(np.float32)
        noise = rng.normal(0, _DARK_NOISE, picture.shape[:2]).astype(np.float32)
        return np.clip(curve[picture] + noise[..., None], 0, 255).astype(np.uint8)
    return picture


def _encode(info: VideoInfo, target: str, copy: Copy) -> int:
    """Write the copy; gives its number of frames."""
    picture, rng, frames = Picture(info), np.random.default_rng(0), 0
    options = {"crf": _CRF_COMPRESSED if copy.kind == "compressed" else _CRF, "preset": "veryfast", "threads": "1"}
    with av.open(target, "w", format="mp4") as sink:
        stream = sink.add_stream("libx264", rate=Fraction(info.fps).limit_denominator(100_000), options=options)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = info.time_base
        for number, frame in read_frames(info):
            image = change(copy.kind, picture.bgr(frame), rng, copy.size)
            if not frames:
                stream.height, stream.width = image.shape[:2]
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24").reformat(format="yuv420p")
            shown.pts, shown.time_base = int(info.pts[number]), info.time_base
            sink.mux(stream.encode(shown))
            frames += 1
        sink.mux(stream.encode(None))
    return frames


def _size(picture: Picture, kind: str, truth: GroundTruth) -> tuple[int, int] | None:
    """(width, height) in even numbers that the kind makes pictures of; None where it leaves them as large.

    truth: the labels of the whole season, at its own size.
    """
    wide, high = picture.bgr_size
    if kind == "half":
        return max(2, wide // 4 * 2), max(2, high // 4 * 2)
    factor = FACES_PX[kind] / float(np.median(truth.boxes[:, 3])) if kind in FACES_PX and len(truth) else 1.0
    return (2 * round(wide * factor / 2), 2 * round(high * factor / 2)) if factor < 1 else None


def _scale(info: VideoInfo, size: tuple[int, int] | None) -> np.ndarray:
    """(2,) pixels of the copy per pixel of the displayed source, in x and y."""
    return Picture(info).scale if size is None else np.array(size) / (info.width_px, info.height_px)


def _scaled(truth: GroundTruth, scales: dict[str, np.ndarray]) -> GroundTruth:
    """Labels of the copies."""
    factors = np.array([[*scales[video], *scales[video]] for video in truth.video]).reshape(-1, 4)
    return GroundTruth(truth.video, truth.frame, truth.boxes * factors, truth.identity, truth.shot)
