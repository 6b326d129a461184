"""VideoClusterNet's stages on a title's store: tracks, views, adaptation with clustering, results.

The libraries of each stage are imported where it begins: a worker that extracts video carries no torch, one that
trains no decoder, and the driver neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vcn_ray.config import Options
from vcn_ray.inputs.titles import slug
from vcn_ray.pipeline.memory import (
    VIEWS_MEMORY_BYTES,
    adapt_memory_bytes,
    gpu_memory_bytes,
    shard_memory_bytes,
    title_memory_bytes,
)
from vcn_ray.pipeline.stages import OnEvent, ShardTask, Stages
from vcn_ray.schemas import CANNOT_LINK, CROPS, SHOTS, STAGE1_FACES, STAGE1_TRACKS
from vcn_ray.storage.store import Store

if TYPE_CHECKING:
    from vcn_ray.adapt.workers import Workers
    from vcn_ray.models.loading import FaceModels
    from vcn_ray.pipeline.title_work import TitleWork
    from vcn_ray.tracks.shards import Shard
    from vcn_ray.tracks.video_info import VideoInfo

_SHARD_TABLES = {"faces": STAGE1_FACES, "shots": SHOTS, "crops": CROPS}
_TRACKS_TABLES = {
    "faces": STAGE1_FACES,
    "tracks": STAGE1_TRACKS,
    "crops": CROPS,
    "shots": SHOTS,
    "cannot_link": CANNOT_LINK,
}


class VideoClusterNet(Stages):
    """The method of the package, on real video.

    Args:
        models: what the options' names of face models stand for; they travel to the workers. None: the installed ones.
    """

    views_memory_bytes = VIEWS_MEMORY_BYTES

    def __init__(self, models: FaceModels | None = None):
        self._models = models

    def _face_models(self) -> FaceModels:
        from vcn_ray.models.loading import FaceModels

        return self._models or FaceModels()

    def _work(self, store: Store, options: Options) -> TitleWork:
        from vcn_ray.pipeline.title_work import TitleWork

        return TitleWork(store, options, self._face_models())

    def check(self, options: Options) -> None:
        """Find the clusterer, load the face models, the user's own network with its weights; see `Stages`."""
        from vcn_ray.cluster.clusterers.table import find_clusterer
        from vcn_ray.models.vit.folder import require_timm

        find_clusterer(options.cluster.merging)
        if options.models.face_id_vit is not None:
            require_timm()
        pack = self._face_models().pack(options)
        if options.models.own_network is not None:  # what nobody has tried is not to fail after hours of extraction
            pack.face_id()

    def probe(self, path: str) -> VideoInfo:
        """Read the file's packets and its first frames; see `Stages`."""
        from vcn_ray.tracks.probe import probe_video

        return probe_video(path)

    def load_info(self, content: dict[str, Any]) -> VideoInfo:
        """See `Stages`."""
        from vcn_ray.tracks.video_info import VideoInfo

        return VideoInfo.from_json(content)

    def shards(self, info: VideoInfo, window_s: float) -> Sequence[Shard]:
        """Windows of the video, `window_s` long; see `Stages`."""
        from vcn_ray.tracks.shards import plan_shards

        return plan_shards(info, window_s)

    def shard_memory_bytes(self, info: VideoInfo, options: Options) -> int:
        """By the size of the picture; see `Stages`."""
        return shard_memory_bytes(info)

    def title_memory_bytes(self, minutes: float) -> int:
        """By the length of the title; see `Stages`."""
        return title_memory_bytes(minutes)

    def adapt_memory_bytes(self, tracks: float, crops: float, options: Options) -> int:
        """By tracks and crops; see `Stages`."""
        return adapt_memory_bytes(tracks, crops, options)

    def gpu_memory_bytes(self, options: Options) -> int | None:
        """By what is trained; see `Stages`."""
        return gpu_memory_bytes(options)

    def extract(
        self, store: Store, task: ShardTask, info: VideoInfo, options: Options, on_frames: Callable[[int], None]
    ) -> dict[str, Any]:
        """Shots, faces, tracks and crops of one shard; see `Stages`."""
        import cv2

        from vcn_ray.tracks.extract import extract_shard
        from vcn_ray.tracks.given.stored import read_given
        from vcn_ray.tracks.shards import Shard

        cv2.setNumThreads(1)
        shard = Shard(task.first_frame, task.end_frame, task.starts)
        pack, given = self._face_models().pack(options), read_given(store, slug(info.name))
        found = extract_shard(info, shard, pack, options.tracks, on_progress=on_frames, given=given)
        for name, schema in _SHARD_TABLES.items():
            store.write_table(f"{task.step}/{name}.parquet", getattr(found, name), schema)
        return dict(found.stats)

    def assemble(
        self, store: Store, videos: Sequence[tuple[VideoInfo, Sequence[str]]], options: Options
    ) -> dict[str, Any]:
        """The title's tracks, stored below ``tracks/``, without those of people who are forgotten; see `Stages`."""
        from vcn_ray.pipeline.forgotten_tracks import CROPS_PER_ROW_GROUP, drop_forgotten, finish_removal_from_shards
        from vcn_ray.tracks.assemble import assemble_title
        from vcn_ray.tracks.extract import ShardResult
        from vcn_ray.tracks.given.stored import clear_given, is_given

        def stored(step: str) -> ShardResult:
            tables = {name: store.read_table(f"{step}/{name}.parquet") for name in _SHARD_TABLES}
            return ShardResult(**tables, stats={})

        finish_removal_from_shards(store)
        given = {info.name for info, _ in videos if is_given(store, slug(info.name))}
        found = assemble_title([(info, [stored(step) for step in steps]) for info, steps in videos], given)
        counts = {name: getattr(found, name).num_rows for name in _TRACKS_TABLES}
        found = drop_forgotten(store, found, {info.name: info.fingerprint for info, _ in videos})
        for name, schema in _TRACKS_TABLES.items():
            in_groups = CROPS_PER_ROW_GROUP if name == "crops" else None
            store.write_table(f"tracks/{name}.parquet", getattr(found, name), schema, rows_per_group=in_groups)
        for name in given:
            clear_given(store, slug(name))
        return counts

    def view_chunks(self, store: Store, options: Options, device: str) -> list[str]:
        """Where the head is trained on a CPU; see `Stages`."""
        from vcn_ray.pipeline.views import plan_view_chunks

        return plan_view_chunks(self._work(store, options), device)

    def views_left(self, store: Store, options: Options, device: str) -> tuple[int, int]:
        """See `Stages`."""
        from vcn_ray.pipeline.views import count_view_chunks

        return count_view_chunks(self._work(store, options), device)

    def embed_views(self, store: Store, options: Options, key: str) -> dict[str, Any]:
        """By the base model; see `Stages`."""
        from vcn_ray.pipeline.views import embed_view_chunk

        return embed_view_chunk(self._work(store, options), key, 1)

    def is_adapted(self, store: Store, options: Options, device: str) -> bool:
        """See `Stages`."""
        from vcn_ray.pipeline.digests import adaptation_digest, iterations_digest

        run = options.run
        iterations = iterations_digest(self._work(store, options), device, run.threads_per_title, run.workers_per_title)
        return store.is_done("adapt", adaptation_digest(iterations, options))

    def adapt(
        self,
        store: Store,
        options: Options,
        device: str,
        threads: int,
        on_event: OnEvent,
        workers: Workers | None = None,
    ) -> None:
        """The supplement's Algorithm 1; see `Stages`."""
        from vcn_ray.adapt.workers import ALONE
        from vcn_ray.pipeline.adaptation_loop import adapt_and_cluster

        work = self._work(store, options)
        adapt_and_cluster(work, device=device, threads=threads, on_event=on_event, workers=workers or ALONE)

    def finish(
        self,
        store: Store,
        results: Store,
        options: Options,
        title: str,
        infos: Sequence[VideoInfo],
        seconds: Mapping[str, float],
    ) -> dict[str, int]:
        """Tables, then the page that shows them; see `Stages`."""
        from vcn_ray.pipeline.outputs.title_outputs import finish_title, write_title

        finish_title(store, title, results, {info.name: 1 / info.fps for info in infos})
        return write_title(results, store, options, title, infos, seconds, self._face_models())

    def finish_season(
        self, out: Store, slugs: Sequence[str], options: Options, errors: Sequence[Mapping[str, Any]], seconds: float
    ) -> list[str]:
        """Cast, corrections, tables, page; see `Stages`."""
        from vcn_ray.pipeline.outputs.season_outputs import write_season

        return write_season(out, slugs, options, errors, seconds, self._face_models())
