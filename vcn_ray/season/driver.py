"""Runs a season: several titles in flight, extraction and adaptation busy side by side, each title failing alone.

All state is on disk after every step, so a run that was stopped in any way goes on where it was when the same command
is given again, and a finished one does nothing, not even start Ray.
"""

from __future__ import annotations

import json
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from vcn_ray.config import Options
from vcn_ray.errors import InputError, OutputError, VcnError
from vcn_ray.season.adaptation import TitleError
from vcn_ray.season.engine import Engine, open_engine
from vcn_ray.season.lock import only_run_in
from vcn_ray.season.outcome import SeasonOutcome, TitleResult
from vcn_ray.season.progress import Monitor, Silent
from vcn_ray.season.stages import Stages
from vcn_ray.season.state import Part, ShardStep, TitleState, VideoState
from vcn_ray.season.tasks import Row
from vcn_ray.season.titles import Season
from vcn_ray.storage import Store

Missing = list[tuple[VideoState, ShardStep]]

_ERROR_LOG = "error.log"
_RESULTS = "results"  # step of a title whose results are written


def run_season(
    season: Season,
    out: Store,
    options: Options,
    *,
    part: Part | None = None,
    local: bool = False,
    monitor: Monitor | None = None,
    stages: Stages | None = None,
) -> SeasonOutcome:
    """Do what is missing of a season and write its results.

    Args:
        season: titles, from `find_season`.
        out: folder of the results; made when it is not there.
        options: all options.
        part: the part of each video to work on.
        local: everything in this process, one thing after the other, without Ray: for debugging.
        monitor: told about progress.
        stages: what is done to a title; other ones are for tests.

    Raises:
        OutputError: `out` cannot be written, or another run writes there.
        KeyboardInterrupt: stopped by the user; all finished steps are kept.
    """
    with only_run_in(out):
        return _Run(season, out, options, part or Part(), local, monitor or Silent(), stages or Stages()).run()


class _Run:
    def __init__(
        self, season: Season, out: Store, options: Options, part: Part, local: bool, monitor: Monitor, stages: Stages
    ):
        self._season, self._out, self._options, self._local = season, out, options, local
        self._monitor, self._stages = monitor, stages
        self._run_id = uuid.uuid4().hex
        self._gave_up = threading.Event()
        self._states = {
            title.slug: TitleState(title, out.child("titles", title.slug), options, part, stages)
            for title in season.titles
        }
        self._results = {title.slug: TitleResult(title.id, title.slug, list(title.videos)) for title in season.titles}

    def run(self) -> SeasonOutcome:
        started = time.monotonic()
        self._probe()
        unfinished = [slug for slug in self._alive() if not self._finished(slug)]
        missing = self._missing(unfinished)
        if missing:
            self._stages.check(self._options)
            self._work(missing)
        outcome = SeasonOutcome(
            self._out, list(self._results.values()), list(self._season.refused), time.monotonic() - started
        )
        self._write_season(outcome)
        return outcome

    def _alive(self) -> list[str]:
        return [slug for slug, result in self._results.items() if result.error is None]

    def _probe(self) -> None:
        """Look at all videos, several at a time."""
        self._monitor.start("season", "probe", len(self._states), "titles")
        with ThreadPoolExecutor(4) as pool:
            for done, _ in enumerate(pool.map(self._probe_title, self._states), 1):
                self._monitor.update("season", "probe", done)
        self._monitor.end("season", "probe")

    def _probe_title(self, slug: str) -> None:
        with self._failing_alone(slug, "probe"):
            state = self._states[slug]
            state.probe()
            result = self._results[slug]
            result.minutes = (
                sum(float(video.info.duration_s) * video.frames / max(video.info.frames, 1) for video in state.videos)
                / 60
            )
            state.results.write_json("title.json", _title_record(state))
            for warning in (warning for video in state.videos for warning in video.info.warnings):
                self._monitor.say(f"{slug}: {warning}")

    def _finished(self, slug: str) -> bool:
        state, result = self._states[slug], self._results[slug]
        info = state.work.done_info(_RESULTS, state.results_digest)
        if info is None:
            return False
        result.counts, result.seconds = info["counts"], info["seconds"]
        return True

    def _missing(self, slugs: Sequence[str]) -> dict[str, Missing]:
        """Missing shards of each title that there is something to do for."""
        missing: dict[str, Missing] = {}
        for slug in slugs:
            with self._failing_alone(slug, "tracks"):
                state = self._states[slug]
                if state.work.is_done("tracks", state.tracks_digest):
                    self._require_faces(slug)
                missing[slug] = state.missing_shards()
                self._results[slug].worked = True
                state.results.delete(_ERROR_LOG)
        return missing

    def _work(self, missing: dict[str, Missing]) -> None:
        """Extract what is missing and take each title on to its end the moment its last shard has landed."""
        followers: list[threading.Thread] = []
        extracting = any(missing.values())
        with open_engine(
            self._options, self._stages, self._monitor, self._run_id, local=self._local, extracting=extracting
        ) as engine:
            try:
                for slug in [slug for slug, shards in missing.items() if not shards]:
                    self._follow(engine, slug, followers)
                if extracting:
                    for slug in self._extract(engine, {slug: shards for slug, shards in missing.items() if shards}):
                        self._follow(engine, slug, followers)
                engine.slots.extraction_over()
                for thread in followers:
                    while thread.is_alive():  # in short waits, so that Ctrl-C is heard
                        thread.join(0.2)
            except BaseException:
                self._gave_up.set()
                raise

    def _extract(self, engine: Engine, missing: dict[str, Missing]) -> Iterator[str]:
        """Extract shards of all titles in one stream; gives a title's slug when its last shard has landed."""
        rows: list[Row] = []
        done_before: dict[str, int] = {}
        left = {slug: len(shards) for slug, shards in missing.items()}
        for slug, shards in missing.items():
            state = self._states[slug]
            todo = sum(shard.end_frame - shard.first_frame for _, shard in shards)
            total = sum(video.frames for video in state.videos)
            done_before[slug] = total - todo
            self._monitor.start(slug, "tracks", total, "frames", done=done_before[slug])
            rows += [
                {
                    "work": str(state.work.root),
                    "title": slug,
                    "what": f"{video.name}, frames {shard.first_frame} to {shard.end_frame}",
                    "step": shard.step,
                    "digest": video.digest,
                    "video": video.key,
                    "first_frame": shard.first_frame,
                    "starts": shard.starts,
                    "end_frame": shard.end_frame,
                }
                for video, shard in shards
            ]
        for landed in engine.extract(rows, done_before):
            slug = landed["title"]
            left[slug] -= 1
            if landed["error"]:
                self._fail(slug, "tracks", landed["error"], landed["traceback"])
            if left[slug] == 0:
                self._monitor.end(slug, "tracks")
                if self._results[slug].error is None:
                    yield slug

    def _follow(self, engine: Engine, slug: str, followers: list[threading.Thread]) -> None:
        """Take a title on from its shards to its results; in a thread of its own where the engine can do two things."""
        if self._local:
            self._title(engine, slug)
            return
        # Daemons: after Ctrl-C nobody waits for them.
        thread = threading.Thread(target=self._title, args=(engine, slug), name=f"title {slug}", daemon=True)
        thread.start()
        followers.append(thread)

    def _title(self, engine: Engine, slug: str) -> None:
        state, result = self._states[slug], self._results[slug]
        work = state.work
        with self._failing_alone(slug, "tracks"):
            self._assemble(state)
            self._require_faces(slug)
        if result.error is not None:
            return
        with self._failing_alone(slug, "adapt"), engine.slots.take(self._gave_up) as cpus:
            result.seconds |= engine.views(slug, work) | engine.adapt(slug, work, state.results_digest, cpus)
        if result.error is not None:
            return
        with self._failing_alone(slug, "results"):
            started = time.monotonic()
            result.counts = self._stages.finish(
                work,
                state.results,
                self._options,
                state.title.id,
                [video.info for video in state.videos],
                result.seconds,
            )
            result.seconds["results"] = time.monotonic() - started
            work.mark_done(_RESULTS, state.results_digest, counts=result.counts, seconds=result.seconds)
            self._monitor.say(
                f"{slug}: {result.counts.get('characters', 0)} characters, {state.results.root / 'report.html'}"
            )

    def _require_faces(self, slug: str) -> None:
        """`InputError` where the joined tracks of a title hold no face."""
        state = self._states[slug]
        info = state.work.done_info("tracks", state.tracks_digest) or {}
        self._results[slug].seconds["tracks"] = info["seconds"]
        if info["counts"]["faces"] == 0:
            names = ", ".join(state.title.names)
            raise InputError(
                f"{names}: no face was found; if there are faces, try --set detect_max_side_px=1280 for small ones"
            )

    def _assemble(self, state: TitleState) -> None:
        """Join the title's shards to tracks, if that has not been done."""
        if state.work.is_done("tracks", state.tracks_digest):
            return
        shards = [shard for video in state.videos for shard in video.shards]
        started = time.monotonic()
        counts = self._stages.assemble(
            state.work, [(video.info, [shard.step for shard in video.shards]) for video in state.videos], self._options
        )
        spans = []
        for video in state.videos:
            for shard in video.shards:
                info = state.work.done_info(shard.step, video.digest) or {}
                spans.append((info["started"], info["ended"]))
        seconds = _covered(spans) + time.monotonic() - started
        state.work.mark_done("tracks", state.tracks_digest, counts=counts, seconds=seconds)
        state.prune(shards)

    def _write_season(self, outcome: SeasonOutcome) -> None:
        """Write the season's record, errors, tables and page; not when all is there already."""
        errors = outcome.errors()
        record = {
            "titles": [asdict(title) | {"worked": None} for title in outcome.titles],
            "options": self._options.model_dump(exclude={"run"}),
        }
        done = [title.slug for title in outcome.titles if title.error is None]
        season_digest = {slug: self._states[slug].results_digest for slug in done}
        if (
            not any(title.worked for title in outcome.titles)
            and self._out.exists("season.json")
            and json.dumps(self._out.read_json("season.json"), sort_keys=True)
            == json.dumps(record | {"digests": season_digest, "errors": errors}, sort_keys=True)
        ):
            return
        self._out.write_json("errors.json", errors)
        if done:
            self._stages.finish_season(self._out, done, self._options, errors, outcome.seconds)
        self._out.write_json("season.json", record | {"digests": season_digest, "errors": errors})

    @contextmanager
    def _failing_alone(self, slug: str, stage: str) -> Iterator[None]:
        """Whatever goes wrong inside is the error of this title alone."""
        try:
            yield
        except InterruptedError:
            self._fail(slug, stage, "interrupted; the same command goes on from here", "")
        except TitleError as error:
            self._fail(slug, stage, str(error), error.trace)
        except VcnError as error:
            self._fail(slug, stage, str(error), "")
        except Exception as error:
            if self._gave_up.is_set():
                self._fail(slug, stage, "interrupted; the same command goes on from here", "")
            else:
                self._fail(slug, stage, f"{slug}: unexpected {type(error).__name__}: {error}", traceback.format_exc())

    def _fail(self, slug: str, stage: str, sentence: str, trace: str) -> None:
        result = self._results[slug]
        if result.error is not None:
            return
        result.error, result.stage = sentence, stage
        if trace:
            results = self._states[slug].results
            try:
                results.write_bytes(_ERROR_LOG, trace.encode())
                result.log = str(results.path(_ERROR_LOG))
            except OutputError:  # the disk may be what is wrong
                result.log = None
        if not self._gave_up.is_set():
            self._monitor.say(f"{slug}: failed: {sentence}")


def _title_record(state: TitleState) -> dict[str, Any]:
    return {
        "title": state.title.id,
        "videos": [
            {
                "path": path,
                "video": video.name,
                "fingerprint": video.info.fingerprint,
                "frames": video.info.frames,
                "first_frame": video.first_frame,
                "end_frame": video.end_frame,
                "duration_s": float(video.info.duration_s),
                "warnings": list(video.info.warnings),
            }
            for path, video in zip(state.title.videos, state.videos, strict=True)
        ],
    }


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Length of the union of intervals: the time during which at least one shard was worked on."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
