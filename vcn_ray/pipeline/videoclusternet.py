"""What the season has done to a title, stage by stage: the line between spreading the work and the work itself.

The driver knows only these methods; the tests put others in their place. Whatever is called in a worker gets a store
and keys, never frames or crops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vcn_ray.config import Options
from vcn_ray.schemas import CANNOT_LINK, CROPS, SHOTS, STAGE1_FACES, STAGE1_TRACKS
from vcn_ray.storage.store import Store

if TYPE_CHECKING:  # for light workers
    from vcn_ray.adapt.workers import Workers
    from vcn_ray.execution.on_ray.train import Trainer

Report = Callable[[dict[str, Any]], None]

_SHARD_TABLES = {"faces": STAGE1_FACES, "shots": SHOTS, "crops": CROPS}


class Stages:
    """The real stages: probe, tracks, views, adaptation with clustering, results."""

    #: Memory of one task that computes views.
    views_memory_bytes: int = 1_000_000_000

    #: What runs a title's adaptation on Ray; None: `adaptation.adapt_on_ray`.
    trainer: Trainer | None = None

    def check(self, options: Options) -> None:
        """Raise `ModelError` or `OptionError` for what would make every title fail."""
        from vcn_ray.models.loading import pack_of

        pack_of(options)

    def probe(self, path: str) -> Any:
        """`VideoInfo` of a file; `InputError` where it is no video that can be used."""
        from vcn_ray.tracks.probe import probe_video

        return probe_video(path)

    def load_info(self, content: dict[str, Any]) -> Any:
        """`VideoInfo` from what its `to_json` gave."""
        from vcn_ray.tracks.probe import VideoInfo

        return VideoInfo.from_json(content)

    def shards(self, info: Any, window_s: float) -> list[Any]:
        """Pieces of the video that are worked on alone; each has `first_frame` and `end_frame`."""
        from vcn_ray.tracks.shards import plan_shards

        return plan_shards(info, window_s)

    def shard_memory_bytes(self, info: Any, options: Options) -> int:
        """Memory of a task that extracts a shard of the video: the libraries, and frames that wait for their verdict.

        Measured at 640x360, 1920x1080 and 3840x2160 (docs/clusters.md), a quarter on top.
        """
        from vcn_ray.tracks.shots import context_frames

        frame_bytes = info.width_px * info.height_px * (1.5 if info.transfer == "sdr" else 3.0)
        return round(1.25 * (500_000_000 + (2 * context_frames(info.fps) + 32) * frame_bytes))

    def title_memory_bytes(self, minutes: float) -> int:
        """Memory of a task that joins a title's tracks or writes its results: the libraries, and the title's crops.

        Measured on 10 and 60 minutes of video full of faces (docs/clusters.md), a quarter on top.
        """
        return round(1.25 * (700_000_000 + 10_000_000 * minutes))

    def extract(
        self,
        store: Store,
        step: str,
        info: Any,
        first_frame: int,
        end_frame: int,
        options: Options,
        on_frames: Callable[[int], None],
        starts: bool = False,
    ) -> dict[str, Any]:
        """Find one shard's shots, faces, tracks and crops, store them below `step`, give back its numbers.

        `on_frames` hears of each batch of frames done, by its size; `starts` as in `tracks.shards.Shard`.
        """
        import cv2

        from vcn_ray.models.loading import pack_of
        from vcn_ray.tracks.extract import extract_shard
        from vcn_ray.tracks.shards import Shard

        cv2.setNumThreads(1)
        result = extract_shard(
            info, Shard(first_frame, end_frame, starts), pack_of(options), options.tracks, on_progress=on_frames
        )
        for name, schema in _SHARD_TABLES.items():
            store.write_table(f"{step}/{name}.parquet", getattr(result, name), schema)
        return dict(result.stats)

    def assemble(self, store: Store, videos: Sequence[tuple[Any, Sequence[str]]], options: Options) -> dict[str, Any]:
        """Join the shards stored below the given steps to the title's tracks, stored below ``tracks/``."""
        from vcn_ray.tracks.assemble import assemble_title
        from vcn_ray.tracks.extract import ShardResult

        tracks = assemble_title(
            [
                (
                    info,
                    [
                        ShardResult(
                            **{name: store.read_table(f"{step}/{name}.parquet") for name in _SHARD_TABLES}, stats={}
                        )
                        for step in steps
                    ],
                )
                for info, steps in videos
            ],
            options.tracks,
        )
        tables: dict[str, tuple[pa.Table, pa.Schema]] = {
            "faces": (tracks.faces, STAGE1_FACES),
            "tracks": (tracks.tracks, STAGE1_TRACKS),
            "crops": (tracks.crops, CROPS),
            "shots": (tracks.shots, SHOTS),
            "cannot_link": (tracks.cannot_link, CANNOT_LINK),
        }
        for name, (table, schema) in tables.items():
            store.write_table(f"tracks/{name}.parquet", table, schema, rows_per_group=64 if name == "crops" else None)
        return {name: table.num_rows for name, (table, _) in tables.items()}

    def view_chunks(self, store: Store, options: Options, device: str) -> list[str]:
        """Keys of the cached views that are still to be computed; none where adaptation makes its own on the device."""
        from vcn_ray.pipeline.views import plan_view_chunks

        return plan_view_chunks(store, options, device)

    def views_left(self, store: Store, options: Options, device: str) -> tuple[int, int]:
        """Cached views that are still to be computed, and all of them, in chunks; changes nothing."""
        from vcn_ray.adapt.finetune import resolve_depth
        from vcn_ray.pipeline.digests import views_digest
        from vcn_ray.pipeline.title_crops import view_chunks

        if resolve_depth(options.adapt, device) != "head":
            return 0, 0
        chunks = view_chunks(store, options)
        return sum(not store.is_done(key, views_digest(store, options, rows)) for key, rows in chunks), len(chunks)

    def is_adapted(self, store: Store, options: Options, device: str) -> bool:
        """Whether the title has been adapted and clustered with these options."""
        from vcn_ray.pipeline.digests import adaptation_digest, iterations_digest

        run = options.run
        iterations = iterations_digest(store, options, device, run.threads_per_title, run.workers_per_title)
        return store.is_done("adapt", adaptation_digest(iterations, options))

    def embed_views(self, store: Store, options: Options, key: str) -> dict[str, Any]:
        """Compute and store one chunk of cached views, on one thread."""
        from vcn_ray.pipeline.views import embed_view_chunk

        return embed_view_chunk(store, options, key, 1)

    def adapt(
        self,
        store: Store,
        options: Options,
        device: str,
        threads: int,
        report: Report,
        workers: Workers | None = None,
    ) -> None:
        """Adapt and cluster until nothing changes; every step stored, so that it resumes by itself.

        `workers`: those that share the title and all call this; None: this one alone.
        """
        from vcn_ray.adapt.workers import ALONE
        from vcn_ray.pipeline.adaptation_loop import adapt_and_cluster

        adapt_and_cluster(store, options, device=device, threads=threads, report=report, workers=workers or ALONE)

    def finish(
        self,
        store: Store,
        results: Store,
        options: Options,
        title: str,
        infos: Sequence[Any],
        seconds: Mapping[str, float],
    ) -> dict[str, int]:
        """Write the title's tables and page into its folder; give back its counts: tracks, unknown, characters."""
        from vcn_ray.pipeline.title_results import finish_title, write_title

        finish_title(store, title, results, {info.name: 1 / info.fps for info in infos})
        return write_title(results, store, options, title, infos, seconds)

    def finish_season(
        self, out: Store, slugs: Sequence[str], options: Options, errors: Sequence[Mapping[str, Any]], seconds: float
    ) -> None:
        """Write the season's tables and its page from the titles' results."""
        from vcn_ray.pipeline.season_results import write_season

        write_season(out, slugs, options, errors, seconds)
