"""A small season to try everything on, rendered on the user's machine: what ``vcn-ray demo`` works on.

The people come from face photographs that the installed insightface and scikit-image packages carry. Those pictures
stay in their packages, under their own terms; neither they nor anything made from them is part of vcn_ray. What is
rendered here is made on the user's machine, for trying out and testing, and is not for publication.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import numpy as np

from vcn_ray.demo.portraits import Portrait, cut_portraits
from vcn_ray.demo.render import FPS, HEIGHT_PX, WIDTH_PX, Box, Frame, render_shot
from vcn_ray.demo.screenplay import EPISODES, Shot
from vcn_ray.errors import OutputError
from vcn_ray.storage.store import Store, digest

__all__ = ["DemoSeason", "find_demo", "render_demo"]

_DISSOLVE_FRAMES = 14
_GROUND_TRUTH = "ground_truth.csv"
_RENDERED = "rendered"  # step that is done when videos and ground truth are there

#: Raise it when the same seed renders something else.
_VERSION = 1

Episodes = Mapping[str, tuple[Shot, ...]]


@dataclass(frozen=True)
class DemoSeason:
    """Where the rendered season lies."""

    videos: list[Path]
    ground_truth: Path  # CSV: video, frame, x, y, w, h, identity, shot


def find_demo(folder: Path, seed: int = 0, episodes: Episodes = EPISODES) -> DemoSeason | None:
    """The season that `render_demo` has rendered there from these; None where it is missing or has been changed."""
    store = Store(folder)
    marker = store.done_info(_RENDERED, _inputs(seed, episodes))
    if marker is None:
        return None
    for name, sha256 in marker["sha256"].items():
        if not store.exists(name) or hashlib.sha256(store.read_bytes(name)).hexdigest() != sha256:
            return None
    return _season(store, episodes)


def render_demo(folder: Path, seed: int = 0, episodes: Episodes = EPISODES) -> DemoSeason:
    """Render the demo season: two episodes of about 20 s, 640x360, 25 frames a second, H.264, no sound.

    The same seed gives the same frames. In the ground truth a face's box is the detector's on the photograph, moved
    as the picture was moved; in a dissolve only the faces of the shot that has more of the frame are labelled.

    Args:
        folder: where to write; made where it does not exist, files of the same names are replaced.
        seed: moves people, camera and light; who appears in which shot stays the same.
        episodes: shots by the name of their video.

    Raises:
        OutputError: the folder cannot be written, or PyAV came without an H.264 encoder.
        ModelError: a package lacks its photograph.
    """
    store = Store(folder)
    store.begin(_RENDERED)
    portraits = dict(enumerate(cut_portraits(), start=1))
    rows = ["video,frame,x,y,w,h,identity,shot"]
    for episode, (name, shots) in enumerate(episodes.items()):
        content, labels = _render_episode(shots, portraits, (seed, episode))
        store.write_bytes(name, content)
        for frame, (x, y, w, h), identity, shot in labels:
            rows.append(f"{name},{frame},{x:.1f},{y:.1f},{w:.1f},{h:.1f},{identity},{shot}")
    store.write_bytes(_GROUND_TRUTH, ("\n".join(rows) + "\n").encode())
    files = {name: hashlib.sha256(store.read_bytes(name)).hexdigest() for name in [*episodes, _GROUND_TRUTH]}
    store.mark_done(_RENDERED, _inputs(seed, episodes), sha256=files)
    return _season(store, episodes)


def _season(store: Store, episodes: Episodes) -> DemoSeason:
    return DemoSeason([Path(store.where(name)) for name in episodes], Path(store.where(_GROUND_TRUTH)))


def _inputs(seed: int, episodes: Episodes) -> str:
    return digest(_VERSION, seed, {name: [asdict(shot) for shot in shots] for name, shots in episodes.items()})


def _render_episode(
    shots: tuple[Shot, ...], portraits: dict[int, Portrait], key: tuple[int, int]
) -> tuple[bytes, list[tuple[int, Box, str, int]]]:
    """An episode as MP4, and its labels: frame, box, identity, shot."""
    labels: list[tuple[int, Box, str, int]] = []
    encoder = _Encoder()
    tail: list[Frame] = []  # the end of the shot before, kept for the dissolve
    for number, shot in enumerate(shots):
        rng = np.random.default_rng([*key, number])
        lasts_into_next = number + 1 < len(shots) and shots[number + 1].dissolve
        frames = round(shot.duration_s * FPS) + (_DISSOLVE_FRAMES if lasts_into_next else 0)
        kept: list[Frame] = []
        for k, frame in enumerate(render_shot(shot, frames, portraits, rng)):
            if lasts_into_next and k >= frames - _DISSOLVE_FRAMES:
                kept.append(frame)
                continue
            image, weight = frame.image, 1.0
            if k < len(tail):
                weight = (k + 1) / (len(tail) + 1)
                image = np.round(weight * image + (1 - weight) * tail[k].image).astype(np.uint8)
                if weight < 0.5:
                    labels += [(encoder.frames, box, who, number - 1) for who, box in tail[k].faces.items()]
            if weight > 0.5:
                labels += [(encoder.frames, box, who, number) for who, box in frame.faces.items()]
            encoder.add(image)
        tail = kept
    return encoder.finish(), labels


class _Encoder:
    """H.264 in MP4, in memory; one thread, so that the bytes do not depend on the machine's cores."""

    def __init__(self) -> None:
        self.frames = 0
        self._file = io.BytesIO()
        self._container = av.open(self._file, "w", format="mp4")
        try:
            self._stream = self._container.add_stream("libx264", rate=FPS)
        except (ValueError, av.FFmpegError) as error:
            raise OutputError(
                f"the installed PyAV has no H.264 encoder ({error}): install it from PyPI (`pip install av`)"
            ) from None
        self._stream.width, self._stream.height, self._stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        self._stream.options = {"preset": "veryfast", "crf": "21", "threads": "1"}

    def add(self, image_bgr: np.ndarray) -> None:
        """Append a frame, (HEIGHT_PX, WIDTH_PX, 3) uint8."""
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(image_bgr, format="bgr24")))
        self.frames += 1

    def finish(self) -> bytes:
        """The whole file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.getvalue()
