"""The state of a title on disk: what has been done, for which inputs and options, and what is missing.

Below the title's ``work/``: ``probe/`` (one record a video), ``shards/`` (one folder a shard), ``tracks/``, and what
the adaptation keeps. A step counts as done when its marker bears the digest of what it depends on.
"""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from vcn_ray.config import Options
from vcn_ray.errors import InputError
from vcn_ray.season.stages import Stages
from vcn_ray.season.titles import Title, slug
from vcn_ray.storage import Store, digest

#: Raise it when stage 1 computes something else from the same video and options: stored shards are then redone.
STAGE1_VERSION = 1

#: The same for a title's results.
RESULTS_VERSION = 1


@dataclass(frozen=True)
class Part:
    """The part of each video that is worked on, in seconds from its first frame; `to_s` None means to the end."""

    from_s: float = 0.0
    to_s: float | None = None


@dataclass(frozen=True)
class ShardStep:
    """A shard of a video and the step that does it."""

    step: str
    first_frame: int
    end_frame: int
    starts: bool  # at the start of the part that was asked for, see `tracks.shards.Shard`


@dataclass
class VideoState:
    """A probed video of a title."""

    name: str
    key: str
    info: Any
    first_frame: int
    end_frame: int
    digest: str
    shards: list[ShardStep] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """Frames of the part that is worked on."""
        return self.end_frame - self.first_frame


@dataclass
class TitleState:
    """A title in work. `videos` is filled by `probe`."""

    title: Title
    results: Store
    options: Options
    part: Part
    stages: Stages
    run_digest: str  # of `results_inputs`
    videos: list[VideoState] = field(default_factory=list)

    @property
    def work(self) -> Store:
        """Where the steps' results are kept."""
        return self.results.child("work")

    def probe(self) -> None:
        """Look at every video, or read back what was found if it has not changed since. `InputError` names the file."""
        self.videos = []
        for path, name in zip(self.title.videos, self.title.names, strict=True):
            key = slug(name)
            info = self._probed(path, key, name)
            first_frame, end_frame = _frames_of(info, self.part)
            if first_frame >= end_frame:
                raise InputError(
                    f"{path}: nothing of it lies between --from and --to; it is {info.duration_s:.1f} s long"
                )
            video_digest = digest(
                STAGE1_VERSION, info.fingerprint, name, self.options.models.pack, self.options.digest("tracks")
            )
            video = VideoState(name, key, info, first_frame, end_frame, video_digest)
            video.shards = [
                ShardStep(
                    f"shards/{key}/{a:08d}-{b:08d}{'-part' if (starts := a == first_frame > 0) else ''}", a, b, starts
                )
                for shard in self.stages.shards(info, self.options.run.window_s)
                if (a := max(shard.first_frame, first_frame)) < (b := min(shard.end_frame, end_frame))
            ]
            self.videos.append(video)

    @property
    def tracks_digest(self) -> str:
        """What the title's tracks depend on: videos, part, detector, options of stage 1; not the shards."""
        return digest([(video.digest, video.first_frame, video.end_frame) for video in self.videos])

    @property
    def results_digest(self) -> str:
        """What the title's results depend on."""
        return digest(self.title.id, self.tracks_digest, self.run_digest)

    def missing_shards(self) -> list[tuple[VideoState, ShardStep]]:
        """Shards still to be extracted, in order; none once the title's tracks are joined."""
        if self.work.is_done("tracks", self.tracks_digest):
            return []
        return [
            (video, shard)
            for video in self.videos
            for shard in video.shards
            if not self.work.is_done(shard.step, video.digest)
        ]

    def prune(self, keep: Iterable[ShardStep]) -> None:
        """Delete shards of other options or windows, which nothing will ask for again."""
        kept = {shard.step for shard in keep}
        for key in self.work.keys("shards/"):
            belongs_to = re.match(r"shards/[^/]+/[^./]+", key)
            if belongs_to is None or belongs_to.group() not in kept:
                self.work.delete(key)

    def _probed(self, path: str, key: str, name: str) -> Any:
        try:
            status = os.stat(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
        seen = digest(STAGE1_VERSION, name, os.path.abspath(path), status.st_size, status.st_mtime_ns)
        step = f"probe/{key}"
        if self.work.is_done(step, seen):
            return stored_info(self.stages, self.work, key)
        info = replace(self.stages.probe(path), name=name)
        self.work.begin(step)
        self.work.write_json(f"{step}.json", info.to_json())
        self.work.mark_done(step, seen)
        return info


def stored_info(stages: Stages, work: Store, key: str) -> Any:
    """`VideoInfo` of a probed video, by its key in the title's working store."""
    return stages.load_info(work.read_json(f"probe/{key}.json"))


def _frames_of(info: Any, part: Part) -> tuple[int, int]:
    """Range of frames whose time lies in the part."""
    if part == Part():
        return 0, info.frames
    frames = range(info.frames)
    end = info.frames if part.to_s is None else bisect.bisect_left(frames, part.to_s, key=info.time_s)
    return bisect.bisect_left(frames, part.from_s, key=info.time_s), end


def results_inputs(options: Options, device: str) -> str:
    """What the results of all titles of a run depend on, beside their tracks: networks, options, where sums are made.

    Sums on another kind of device, or with another number of threads, differ in their last bits. Looks into a network
    of the user's own once; the packs' networks are pinned by their name. Raises `ModelError` where it is no ONNX.
    """
    own_network = None
    if options.models.face_id_onnx is not None:
        from vcn_ray.models.onnx_file import onnx_digest

        own_network = [onnx_digest(options.models.face_id_onnx), options.models.face_id_input]
    return digest(
        RESULTS_VERSION,
        options.models.pack,
        own_network,
        options.digest("tracks", "adapt", "cluster"),
        device.partition(":")[0],
        options.run.threads_per_title,
    )
