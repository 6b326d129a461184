"""The work on a title as tasks: what each reads and writes, wherever it is run.

A task comes as a row of plain values, with the title's working store as a URL; what it makes goes into the store with
a marker, and a few numbers go back. A task whose marker is there already is not done again: Ray repeats one whose
answer was lost with its machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vcn_ray.config import Options
from vcn_ray.models.user_network import network_digest
from vcn_ray.monitoring.spans import covered_s
from vcn_ray.pipeline.layout import RESULTS, TRACKS
from vcn_ray.pipeline.stages import OnEvent, ShardTask, Stages
from vcn_ray.pipeline.title_state import (
    ProbeTask,
    TitleState,
    VideoState,
    probe_and_store,
    prune_shards,
    stored_info,
)
from vcn_ray.storage.store import Store, digest

_TELL_EVERY_S = 1.0

#: A task in plain values, and what came of it.
TaskRow = dict[str, Any]


@dataclass(frozen=True)
class Tasks:
    """What a worker has to know to do any task of a season; small enough to be sent along with each task."""

    stages: Stages
    options: Mapping[str, Options]  # by title

    def probe(self, row: TaskRow) -> TaskRow:
        """Look at a video."""
        store = Store(row["work"])
        if store.is_done(row["step"], row["digest"]):
            return {}
        probe_and_store(self.stages, store, ProbeTask(row["url"], row["name"], row["video"], row["digest"]))
        return {}

    def extract(self, row: TaskRow, on_event: OnEvent) -> TaskRow:
        """Extract one shard, write it, mark it done."""
        store = Store(row["work"])
        stats = store.done_info(row["step"], row["digest"])
        if stats is None:
            stats = self._extract(store, row, on_event)
        on_event({"title": row["title"], "stage": "tracks", "step": row["step"], "done": stats["frames"]})
        return {name: value for name, value in stats.items() if name != "digest"}

    def _extract(self, store: Store, row: TaskRow, on_event: OnEvent) -> TaskRow:
        done, last_said = 0, time.monotonic()

        def on_frames(more: int) -> None:
            nonlocal done, last_said
            done += more
            now = time.monotonic()
            if now - last_said >= _TELL_EVERY_S:
                last_said = now
                on_event({"title": row["title"], "stage": "tracks", "step": row["step"], "done": done})

        store.begin(row["step"])
        started = time.time()
        stats = self.stages.extract(
            store,
            ShardTask(row["step"], row["first_frame"], row["end_frame"], row["starts"]),
            stored_info(self.stages, store, row["video"]),
            self.options[row["title"]],
            on_frames,
        )
        frames = row["end_frame"] - row["first_frame"]
        stats = {"started": started, "ended": time.time(), "frames": frames, **stats}
        store.mark_done(row["step"], row["digest"], **stats)
        return stats

    def assemble(self, row: TaskRow) -> TaskRow:
        """Join a title's shards to tracks, mark them done, and clear away shards that nothing asks for any more."""
        store = Store(row["work"])
        info = store.done_info(TRACKS, row["digest"])
        if info is None:
            started = time.monotonic()
            store.begin(RESULTS)  # made from other tracks: no run, and no correction, goes on from both
            store.begin(TRACKS)
            videos = [(stored_info(self.stages, store, video["video"]), video["steps"]) for video in row["videos"]]
            counts = self.stages.assemble(store, videos, self.options[row["title"]])
            spans = []
            for video in row["videos"]:
                for step in video["steps"]:
                    marker = store.done_info(step, video["digest"]) or {}
                    spans.append((marker["started"], marker["ended"]))
            info = {"counts": counts, "seconds": covered_s(spans) + time.monotonic() - started}
            store.mark_done(TRACKS, row["digest"], **info)
        prune_shards(store, {step for video in row["videos"] for step in video["steps"]})
        return {"counts": info["counts"], "seconds": info["seconds"]}

    def views(self, row: TaskRow) -> TaskRow:
        """Compute and store one chunk of cached views."""
        started = time.time()
        stats = self.stages.embed_views(Store(row["work"]), self.options[row["title"]], row["step"])
        return {**stats, "started": started, "ended": time.time()}

    def finish(self, row: TaskRow) -> TaskRow:
        """Write a title's results, mark them done."""
        store, results = Store(row["work"]), Store(row["results"])
        info = store.done_info(RESULTS, row["digest"])
        if info is None:
            started = time.monotonic()
            store.begin(RESULTS)
            counts = self.stages.finish(
                store,
                results,
                self.options[row["title"]],
                row["title"],
                [stored_info(self.stages, store, video) for video in row["videos"]],
                row["seconds"],
            )
            seconds = {"results": time.monotonic() - started}
            info = {
                "counts": counts,
                "seconds": row["seconds"] | seconds,
                "cpu_s": row["cpu_s"] | seconds,
                "minutes": row["minutes"],
                "made_with": row["made_with"],
            }
            store.mark_done(RESULTS, row["digest"], **info)
        return {"counts": info["counts"], "seconds": info["seconds"]}


def _row(state: TitleState, step: str, what: str) -> TaskRow:
    return {"work": state.work.url, "title": state.title.id, "step": step, "what": what}


def probe_rows(state: TitleState, missing: Iterable[ProbeTask]) -> list[TaskRow]:
    """Tasks of looking at a title's videos."""
    return [
        _row(state, probe.step, probe.url)
        | {"url": probe.url, "name": probe.name, "video": probe.key, "digest": probe.digest}
        for probe in missing
    ]


def shard_rows(state: TitleState, missing: Iterable[tuple[VideoState, ShardTask]]) -> list[TaskRow]:
    """Tasks of extracting a title's missing shards, in order."""
    return [
        _row(state, shard.step, f"{video.name}, frames {shard.first_frame} to {shard.end_frame}")
        | {
            "digest": video.digest,
            "video": video.key,
            "first_frame": shard.first_frame,
            "starts": shard.starts,
            "end_frame": shard.end_frame,
        }
        for video, shard in missing
    ]


def assemble_row(state: TitleState) -> TaskRow:
    """The task that joins a title's shards."""
    videos = [
        {"video": video.key, "digest": video.digest, "steps": [shard.step for shard in video.shards]}
        for video in state.videos
    ]
    return _row(state, TRACKS, state.title.id) | {
        "digest": state.tracks_digest,
        "videos": videos,
        "minutes": state.minutes,
    }


def view_rows(state: TitleState, keys: Iterable[str]) -> list[TaskRow]:
    """Tasks of computing a title's cached views."""
    return [_row(state, key, f"{state.title.id}, {key}") for key in keys]


def finish_row(state: TitleState, device: str, seconds: Mapping[str, float], cpu_s: Mapping[str, float]) -> TaskRow:
    """The task that writes a title's results.

    What they were made with and the time that each stage took are kept, to say later what has changed since and how
    long the like of it will take.
    """
    return _row(state, RESULTS, state.title.id) | {
        "results": state.results.url,
        "digest": state.results_digest,
        "videos": [video.key for video in state.videos],
        "seconds": dict(seconds),
        "cpu_s": dict(cpu_s),
        "minutes": state.minutes,
        "made_with": made_with(state, device),
    }


def made_with(state: TitleState, device: str) -> dict[str, Any]:
    """What a title's results depend on, for people: options, device, threads, videos, corrections."""
    shown = state.options
    if (digest_of_own := network_digest(shown.models)) is not None:  # wherever it lies
        shown = shown.model_copy(update={"models": shown.models.with_own_network(digest_of_own[:16])})
    options = shown.model_dump(exclude={"run"})
    return {
        "options": options,
        "device": device,
        "threads_per_title": state.options.run.threads_per_title,
        "videos": {video.name: video.fingerprint for video in state.videos},
        **({"tracks": given} if (given := state.given_digests()) else {}),
        **({"corrections": digest(links)} if (links := state.links()) else {}),
    }
