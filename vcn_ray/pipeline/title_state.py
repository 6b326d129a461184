"""The state of a title on disk: what has been done, for which inputs and options, and what is missing.

What lies where is in `layout`.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vcn_ray.config import Options
from vcn_ray.corrections.correction import Correction, Kind
from vcn_ray.corrections.forgotten import plain_forgotten
from vcn_ray.corrections.links import plain_links
from vcn_ray.errors import InputError
from vcn_ray.inputs.titles import TimeRange, Title, slug
from vcn_ray.pipeline.layout import (
    FORGOTTEN_KEY,
    LINKS_BEFORE_KEY,
    LINKS_KEY,
    MARKER,
    STAGE1_VERSION,
    TRACKS_VERSION,
)
from vcn_ray.pipeline.stages import ShardTask, Stages
from vcn_ray.storage.sources import stat_source
from vcn_ray.storage.store import Store, digest

if TYPE_CHECKING:  # for light workers
    from vcn_ray.tracks.given.videos import GivenVideo
    from vcn_ray.tracks.video_info import VideoInfo


@dataclass(frozen=True)
class ProbeTask:
    """Looking at a video: what to look at, and the digest that says whether that has been done."""

    url: str
    name: str
    key: str  # of the video in its title's working store
    digest: str

    @property
    def step(self) -> str:
        """The step that does it."""
        return f"probe/{self.key}"


@dataclass
class VideoState:
    """A probed video of a title: what the season has to know of it. Its frame list stays in the store."""

    name: str
    key: str
    url: str
    fingerprint: str
    duration_s: float
    frames_in_file: int
    warnings: tuple[str, ...]
    first_frame: int
    end_frame: int
    digest: str
    shard_memory_bytes: int
    shards: list[ShardTask] = field(default_factory=list)
    given: GivenVideo | None = None  # its tracks, where they are given
    start_timecode: str | None = None  # of its first frame, as `VideoInfo` has it
    audio_channels: int | None = None  # as `VideoInfo` has them

    @property
    def frames(self) -> int:
        """Frames of the part that is worked on."""
        return self.end_frame - self.first_frame

    @property
    def minutes(self) -> float:
        """Length of the part that is worked on."""
        return self.duration_s * self.frames / max(self.frames_in_file, 1) / 60


@dataclass
class TitleState:
    """A title in work. `videos` is filled by `plan_shards`."""

    title: Title
    results: Store
    options: Options
    part: TimeRange
    stages: Stages
    run_digest: str  # of `results_inputs`
    place: int = 0  # in the season
    corrections: Sequence[Correction] = ()  # what people said of the season
    videos: list[VideoState] = field(default_factory=list)

    @property
    def work(self) -> Store:
        """Where the steps' results are kept."""
        return self.results.child("work")

    @property
    def minutes(self) -> float:
        """Length of the parts of its videos that are worked on."""
        return sum(video.minutes for video in self.videos)

    def probes(self) -> list[ProbeTask]:
        """One for each video of the title, in order. `InputError` names a file that is not there."""
        tasks = []
        for url, name in zip(self.title.videos, self.title.names, strict=True):
            found = stat_source(url)
            seen = digest(STAGE1_VERSION, name, found.url, found.size_bytes, found.version)
            tasks.append(ProbeTask(url, name, slug(name), seen))
        return tasks

    def missing_probes(self, tasks: Sequence[ProbeTask]) -> list[ProbeTask]:
        """Those of videos that nobody has looked at since they last changed."""
        return [task for task in tasks if not self.work.is_done(task.step, task.digest)]

    def plan_shards(self, tasks: Sequence[ProbeTask], infos: Mapping[str, VideoInfo] | None = None) -> None:
        """Fill `videos` from what looking at them found: given by key, or stored.

        `InputError` where the part that was asked for holds nothing of one.
        """
        self.videos = []
        infos = infos or {probed.key: stored_info(self.stages, self.work, probed.key) for probed in tasks}
        given = self._given(tasks, infos)
        for probed in tasks:
            info = infos[probed.key]
            first_frame, end_frame = _frames_of(info, self.part)
            if first_frame >= end_frame:
                raise InputError(
                    f"{probed.url}: nothing of it lies between --from and --to; it is {info.duration_s:.1f} s long"
                )
            own = given.get(probed.key)
            video_digest = digest(
                STAGE1_VERSION,
                info.fingerprint,
                probed.name,
                self.options.models.pack,
                self.options.digest("tracks"),
                *([own.digest] if own is not None else []),
            )
            shards = []
            for shard in self.stages.shards(info, self.options.run.window_s):
                task = ShardTask.of(probed.key, shard, first_frame, end_frame)
                if task is not None:
                    shards.append(task)
            self.videos.append(
                VideoState(
                    name=probed.name,
                    key=probed.key,
                    url=probed.url,
                    fingerprint=info.fingerprint,
                    duration_s=float(info.duration_s),
                    frames_in_file=info.frames,
                    start_timecode=info.start_timecode,
                    audio_channels=info.audio_channels,
                    warnings=(*info.warnings, *(own.warnings if own is not None else ())),
                    first_frame=first_frame,
                    end_frame=end_frame,
                    digest=video_digest,
                    shard_memory_bytes=self.stages.shard_memory_bytes(info, self.options),
                    shards=shards,
                    given=own,
                )
            )

    def _given(self, tasks: Sequence[ProbeTask], infos: Mapping[str, VideoInfo]) -> dict[str, GivenVideo]:
        """What is given of tracks, by key of the video; `InputError` where it does not fit."""
        if not any(self.title.tracks):
            return {}
        from vcn_ray.tracks.given.videos import place_tracks  # light workers do without

        sources = [self.title.tracks_of(n) for n in range(len(self.title.videos))]
        return place_tracks(
            [(task.key, infos[task.key], where) for task, where in zip(tasks, sources, strict=True) if where]
        )

    def given_digests(self) -> dict[str, str]:
        """Digest of each video's given tracks, by the video's name."""
        return {video.name: video.given.digest for video in self.videos if video.given is not None}

    def store_given(self) -> None:
        """Leave for workers what is given of tracks; called where there are shards to be extracted."""
        from vcn_ray.tracks.given.stored import store_given  # light workers do without

        for video in self.videos:
            given = video.given
            store_given(self.work, video.key, given and given.faces, given.digest if given else "")

    @property
    def tracks_digest(self) -> str:
        """What the title's tracks depend on: videos, part, detector, options of stage 1; not the shards."""
        return digest(TRACKS_VERSION, [(video.digest, video.first_frame, video.end_frame) for video in self.videos])

    @property
    def results_digest(self) -> str:
        """What the title's results depend on: tracks, networks, options, and what people said of the tracks."""
        links = self.links()
        inputs = [digest(links)] if links else []
        if any(correction.kind is Kind.FORGET for correction in self.corrections):
            inputs = links_inputs(self.work, links)
        return digest(self.title.id, self.tracks_digest, self.run_digest, *inputs)

    def links(self) -> list[dict[str, Any]]:
        """What people said that the title's clustering is held to."""
        return plain_links(self.corrections, self._fingerprints)

    @property
    def _fingerprints(self) -> set[str]:
        return {video.fingerprint for video in self.videos}

    def links_are_stored(self) -> bool:
        """Whether workers would be told just what people say now."""
        links = self.links()
        if not self.work.exists(LINKS_KEY):
            return not links
        return self.work.read_json(LINKS_KEY) == json.loads(json.dumps(links))

    def store_links(self) -> None:
        """Leave for workers what people said."""
        if not self.links_are_stored():
            links = self.links()
            if links:
                self.work.write_json(LINKS_KEY, links)
            else:
                self.work.delete(LINKS_KEY)

    def store_forgotten(self) -> None:
        """Leave for workers whom people had forgotten."""
        forgotten = plain_forgotten(self.corrections, self._fingerprints)
        if forgotten:
            self.work.write_json(FORGOTTEN_KEY, forgotten)
        elif self.work.exists(FORGOTTEN_KEY):
            self.work.delete(FORGOTTEN_KEY)

    def missing_shards(self) -> list[tuple[VideoState, ShardTask]]:
        """Shards still to be extracted, in order; none once the title's tracks are joined."""
        if self.work.is_done("tracks", self.tracks_digest):
            return []
        marked = {key.removesuffix(MARKER) for key in self.work.keys("shards/") if key.endswith(MARKER)}
        asked = [(video, shard) for video in self.videos for shard in video.shards if shard.step in marked]
        with ThreadPoolExecutor(8) as pool:  # in an object store each look takes a while
            done = pool.map(lambda both: self.work.is_done(both[1].step, both[0].digest), asked)
            done_steps = {shard.step for (_, shard), is_done in zip(asked, done, strict=True) if is_done}
        return [(video, shard) for video in self.videos for shard in video.shards if shard.step not in done_steps]


def links_inputs(work: Store, links: Sequence[Mapping[str, Any]]) -> list[str]:
    """Digest of what a title's clustering is held to, in a list that is empty where nothing is.

    Where somebody was forgotten of whom links spoke, what is left of them stands for what they were: all that was made
    under them is still there, without that person.
    """
    own = [digest(links)] if links else []
    if work.exists(LINKS_BEFORE_KEY):
        return work.read_json(LINKS_BEFORE_KEY).get("".join(own), own)
    return own


def prune_shards(work: Store, keep: Container[str]) -> None:
    """Delete shards of other options or windows, which nothing will ask for again; `keep` names the present steps."""
    for key in work.keys("shards/"):
        belongs_to = re.match(r"shards/[^/]+/[^./]+", key)
        if belongs_to is None or belongs_to.group() not in keep:
            work.delete(key)


def probe_and_store(stages: Stages, store: Store, task: ProbeTask) -> None:
    """Look at a video and keep what was found in its title's working store. `InputError` where it cannot be used."""
    info = replace(stages.probe(task.url), name=task.name)
    store.begin(task.step)
    store.write_json(f"{task.step}.json", info.to_json())
    store.mark_done(task.step, task.digest)


def stored_info(stages: Stages, work: Store, key: str) -> VideoInfo:
    """What a probed video is, by its key in the title's working store."""
    return stages.load_info(work.read_json(f"probe/{key}.json"))


def _frames_of(info: VideoInfo, part: TimeRange) -> tuple[int, int]:
    """Range of frames whose time lies in the part."""
    if part == TimeRange():
        return 0, info.frames
    frames = range(info.frames)
    end = info.frames if part.to_s is None else bisect.bisect_left(frames, part.to_s, key=info.time_s)
    return bisect.bisect_left(frames, part.from_s, key=info.time_s), end
