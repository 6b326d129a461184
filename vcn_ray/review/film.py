"""The film behind the faces: a frame as a picture, a shot as a small film, the file itself where a browser plays it.

The record of a title names its files; they may have been moved or replaced since. A film that is gone, or another one
under the same name, is a sentence on the page and nothing else.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2

from vcn_ray.errors import VcnError
from vcn_ray.inputs.titles import slug
from vcn_ray.review.bounded_cache import BoundedCache
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.sources import stat_source
from vcn_ray.storage.store import Store
from vcn_ray.tracks.container import footage_stream, open_container
from vcn_ray.tracks.decode import Picture, read_frames
from vcn_ray.tracks.probe import video_fingerprint
from vcn_ray.tracks.video_info import VideoInfo

#: Longest piece of a shot that is shown, and its longer side.
MOST_SHOT_S = 40.0
_PROXY_SIDE_PX = 640
_MOST_FRAME_SIDE_PX = 1920

_PROXIES_KEPT = 24
_FRAMES_BYTES = 32 << 20
_FRAME_QUALITY = 85

#: What browsers play of themselves, by the container's format and the codec.
_PLAYED = {"mp4": {"h264", "vp9", "av1"}, "webm": {"vp8", "vp9", "av1"}}
_EIGHT_BIT = {"yuv420p", "yuvj420p"}


@dataclass(frozen=True)
class FilmFile:
    """What a browser is given to play."""

    path: str
    content_type: str


class Film:
    """A title's videos, opened when somebody looks at them.

    Args:
        work: the title's working store, in which lies what was found when they were looked at.
        videos: name, path and fingerprint of each, in order, as in ``title.json``.
    """

    def __init__(self, work: Store, videos: Sequence[Mapping[str, str]]):
        self._work, self._videos = work, videos
        self._infos: dict[int, VideoInfo] = {}
        self._checked: dict[int, tuple[tuple[int, str], str | None]] = {}
        self._files: dict[int, FilmFile | None] = {}

    def info(self, video: int) -> VideoInfo:
        """What is known of a video; `OutputError` where its record is gone."""
        if video not in self._infos:
            record = self._videos[video]
            info = VideoInfo.from_json(self._work.read_json(f"probe/{slug(record['video'])}.json"))
            # The fingerprint says whether it is the same film, whichever copy of it lies there now.
            self._infos[video] = replace(info, path=record.get("path", ""), version="")
        return self._infos[video]

    def problem(self, video: int) -> str | None:
        """Why the video cannot be shown, as a sentence; None where it can."""
        record = self._videos[video]
        path = record.get("path")
        if not path:
            return f"Where {record['video']} lies is not known."
        try:
            found = stat_source(path)
            seen = found.size_bytes, found.version
            if video not in self._checked or self._checked[video][0] != seen:
                same = video_fingerprint(path) == record["fingerprint"]
                self._checked[video] = seen, None if same else f"{path} is another film than the one that was run."
                self._files.pop(video, None)
            return self._checked[video][1]
        except (VcnError, OSError):
            return f"{path} is not there any more, or cannot be read: put it back to see its frames."

    def frame(self, video: int, frame: int, width_px: int) -> bytes:
        """A frame as displayed, as JPEG, at most so wide; `VcnError` where it cannot be had."""
        info = self._present(video)
        wide = float(info.width_px * info.sample_aspect_ratio)
        longer = min(_MOST_FRAME_SIDE_PX, round(width_px * max(1.0, info.height_px / wide)))
        picture = Picture(info, max(16, longer))
        frame = min(max(frame, 0), info.frames - 1)
        # The frame of this number, or, where it cannot be decoded, the next that can.
        decoded = next((decoded for _, decoded in read_frames(info, frame)), None)
        if decoded is None:
            raise FilmError(f"{info.path}: frame {frame} cannot be decoded.")
        return cv2.imencode(".jpg", picture.bgr(decoded), [cv2.IMWRITE_JPEG_QUALITY, _FRAME_QUALITY])[1].tobytes()

    def piece(self, video: int, shot: tuple[int, int], track: tuple[int, int]) -> tuple[int, int]:
        """First and last frame of the piece of a shot that is shown: all of it, or where it is long, what is around
        the track's beginning.

        shot, track: first and last frame. `FilmError` where the film is gone.
        """
        info = self._present(video)
        most = max(1, round(MOST_SHOT_S * info.fps))
        first, last = max(0, shot[0]), min(shot[1], info.frames - 1)
        if last - first >= most:
            length = min(track[1] - track[0], most)
            first = min(max(first, track[0] - (most - length) // 2), last - most + 1)
            last = first + most - 1
        return first, last

    def encode_shot(self, video: int, frames: tuple[int, int], path: str) -> None:
        """Write a piece of a video as a small H.264 film without sound; its time begins at the first frame."""
        info = self._present(video)
        first, last = frames
        picture = Picture(info, _PROXY_SIDE_PX)
        width, height = (max(2, side // 2 * 2) for side in picture.bgr_size)
        start = info.pts[first]
        with av.open(path, "w", format="mp4", options={"movflags": "faststart"}) as sink:
            stream = sink.add_stream("libx264", rate=Fraction(info.fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"preset": "veryfast", "crf": "26"}
            stream.codec_context.time_base = stream.time_base = info.time_base
            for number, decoded in read_frames(info, first, threads=2):
                if number > last:
                    break
                shown = av.VideoFrame.from_ndarray(picture.bgr(decoded)[:height, :width], format="bgr24")
                shown.pts, shown.time_base = int(info.pts[number] - start), info.time_base
                sink.mux(stream.encode(shown))
            sink.mux(stream.encode(None))

    def file(self, video: int) -> FilmFile | None:
        """The file itself, where it lies on this machine and a browser plays it; else None."""
        if self.problem(video) is not None:
            return None
        if video not in self._files:
            path = self._videos[video]["path"]
            self._files[video] = None if is_object_url(path) else _playable(path)
        return self._files[video]

    def _present(self, video: int) -> VideoInfo:
        """The video's record; `FilmError` where the film is gone."""
        problem = self.problem(video)
        if problem is not None:
            raise FilmError(problem)
        return self.info(video)


class FilmError(VcnError):
    """A film that cannot be shown."""


class Shots:
    """Frames and pieces of shots that were asked for, kept for a while: pieces in a temporary folder, frames in memory.

    One piece is encoded at a time, since each takes all that the machine has.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vcn-review-")
        self._encoding = threading.Lock()
        self._pieces: OrderedDict[tuple[str, int, tuple[int, int]], str] = OrderedDict()
        self._frames = BoundedCache(_FRAMES_BYTES)
        self._made = 0

    def frame(self, title: str, film: Film, video: int, frame: int, width_px: int) -> bytes:
        """As `Film.frame`, of a title's film."""
        return self._frames.get((title, video, frame, width_px), lambda: film.frame(video, frame, width_px))

    def piece(self, title: str, film: Film, video: int, frames: tuple[int, int]) -> Path:
        """The file of a piece, see `Film.encode_shot`; it stays while some others are asked for."""
        key = title, video, frames
        with self._encoding:
            if key not in self._pieces:
                self._made += 1
                path = os.path.join(self._folder.name, f"{self._made}.mp4")
                film.encode_shot(video, frames, path)
                self._pieces[key] = path
                while len(self._pieces) > _PROXIES_KEPT:
                    os.unlink(self._pieces.popitem(last=False)[1])
            self._pieces.move_to_end(key)
            return Path(self._pieces[key])

    def close(self) -> None:
        """Delete the pieces."""
        self._folder.cleanup()


def _playable(path: str) -> FilmFile | None:
    with open_container(path) as container:
        names = set(container.format.name.split(","))
        stream = footage_stream(container, path)
        codec, pixels = stream.codec_context.name, stream.codec_context.pix_fmt
    if codec.startswith("libdav1d") or codec.startswith("libaom"):
        codec = "av1"
    # FFmpeg tells WebM and Matroska by one name, and so does not say which a file is; its ending does.
    kind = "mp4" if "mp4" in names else "webm" if "webm" in names and path.lower().endswith(".webm") else None
    if kind is None or codec.removeprefix("lib").split("-")[0] not in _PLAYED[kind] or pixels not in _EIGHT_BIT:
        return None
    return FilmFile(path, f"video/{kind}")
