"""What is done to a title, stage by stage, as an interface: the line between spreading the work and the work itself.

`videoclusternet.VideoClusterNet` is the real thing; tests, simulations and other methods put theirs in its place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vcn_ray.config import Options
from vcn_ray.storage.store import Store

if TYPE_CHECKING:  # for light workers: both bring their libraries with them
    from vcn_ray.adapt.workers import Workers
    from vcn_ray.tracks.shards import Shard
    from vcn_ray.tracks.video_info import VideoInfo

#: What a worker says while it works: how far it is, that something is done again, a sentence for the user.
Event = dict[str, Any]
OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class ShardTask:
    """Extracting a shard of a video: the step that it is stored below, and its frames."""

    step: str
    first_frame: int
    end_frame: int
    starts: bool  # at the start of the part that was asked for, see `tracks.shards.Shard`

    @classmethod
    def of(cls, video: str, shard: Shard, first_frame: int, end_frame: int) -> ShardTask | None:
        """What lies of a shard between two frames; None where nothing does. `video` is its key in the title's store."""
        first, end = max(shard.first_frame, first_frame), min(shard.end_frame, end_frame)
        if first >= end:
            return None
        starts = first == first_frame > 0
        return cls(f"shards/{video}/{first:08d}-{end:08d}{'-part' if starts else ''}", first, end, starts)


class Stages(ABC):
    """What the driver of a season asks for. Whatever is called in a worker gets a store and keys, never frames."""

    #: Memory of one task that computes views.
    views_memory_bytes: int

    @abstractmethod
    def check(self, options: Options) -> None:
        """Raise `ModelError` or `OptionError` for what would make every title fail."""

    @abstractmethod
    def probe(self, path: str) -> VideoInfo:
        """What a file is; `InputError` where it is no video that can be used."""

    @abstractmethod
    def load_info(self, content: dict[str, Any]) -> VideoInfo:
        """What `probe` gave, from its ``to_json``."""

    @abstractmethod
    def shards(self, info: VideoInfo, window_s: float) -> Sequence[Shard]:
        """Pieces of the video that are worked on alone."""

    @abstractmethod
    def shard_memory_bytes(self, info: VideoInfo, options: Options) -> int:
        """Memory of a task that extracts a shard of the video."""

    @abstractmethod
    def title_memory_bytes(self, minutes: float) -> int:
        """Memory of a task that joins a title's tracks or writes its results, by the length of its videos."""

    def adapt_memory_bytes(self, tracks: float, crops: float, options: Options) -> int:
        """Memory of a worker that adapts and clusters a title with so many tracks and crops; 0: none is asked for."""
        return 0

    def gpu_memory_bytes(self, options: Options) -> int | None:
        """Memory of a GPU that a title takes while it adapts; None where that is not known."""
        return None

    @abstractmethod
    def extract(
        self, store: Store, task: ShardTask, info: VideoInfo, options: Options, on_frames: Callable[[int], None]
    ) -> dict[str, Any]:
        """Find one shard's tracks, store them below its step, give back its numbers.

        `on_frames` hears of each batch of frames done, by its size.
        """

    @abstractmethod
    def assemble(
        self, store: Store, videos: Sequence[tuple[VideoInfo, Sequence[str]]], options: Options
    ) -> dict[str, Any]:
        """Join the shards stored below the given steps of each video to the title's tracks; give back counts."""

    @abstractmethod
    def view_chunks(self, store: Store, options: Options, device: str) -> list[str]:
        """Keys of the cached views that are still to be computed; none where adaptation makes its own on the device."""

    @abstractmethod
    def views_left(self, store: Store, options: Options, device: str) -> tuple[int, int]:
        """Cached views that are still to be computed, and all of them, in chunks; changes nothing."""

    @abstractmethod
    def embed_views(self, store: Store, options: Options, key: str) -> dict[str, Any]:
        """Compute and store one chunk of cached views, on one thread; give back its numbers."""

    @abstractmethod
    def is_adapted(self, store: Store, options: Options, device: str) -> bool:
        """Whether the title has been adapted and clustered with these options."""

    @abstractmethod
    def adapt(
        self,
        store: Store,
        options: Options,
        device: str,
        threads: int,
        on_event: OnEvent,
        workers: Workers | None = None,
    ) -> None:
        """Adapt and cluster until hardly anything changes; every step stored, so that it resumes by itself.

        `workers`: those that share the title and all call this; None: this one alone.
        """

    @abstractmethod
    def finish(
        self,
        store: Store,
        results: Store,
        options: Options,
        title: str,
        infos: Sequence[VideoInfo],
        seconds: Mapping[str, float],
    ) -> dict[str, int]:
        """Write the title's tables and page into its folder; give back its counts: tracks, unknown, characters."""

    @abstractmethod
    def finish_season(
        self, out: Store, slugs: Sequence[str], options: Options, errors: Sequence[Mapping[str, Any]], seconds: float
    ) -> list[str]:
        """Write the season's tables and its page from the titles' results, with what people said of them.

        Gives a sentence for each correction that no longer fits.
        """
