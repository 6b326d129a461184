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
from pathlib import Path
from typing import Any

from vcn_ray.config import Options
from vcn_ray.errors import InputError, OptionError, OutputError, VcnError
from vcn_ray.season.adaptation import TitleError
from vcn_ray.season.engine import Engine, open_engine
from vcn_ray.season.lock import only_run_in
from vcn_ray.season.outcome import SeasonOutcome, TitleResult
from vcn_ray.season.progress import Monitor, Silent
from vcn_ray.season.session import settled_device
from vcn_ray.season.stages import Stages
from vcn_ray.season.state import Part, ShardStep, TitleState, VideoState, results_inputs
from vcn_ray.season.tasks import Row
from vcn_ray.season.titles import Season
from vcn_ray.storage import Store

Missing = list[tuple[VideoState, ShardStep]]

_ERROR_LOG = "error.log"
_RESULTS = "results"  # step of a title whose results are written
_JOINED_AT_ONCE = 2  # titles whose tables are held in memory here; the work of many takes minutes, this takes seconds


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
    options = _with_absolute_paths(options)
    with only_run_in(out), settled_device(options.run, local=local) as device:
        return _Run(season, out, options, part or Part(), local, device, monitor or Silent(), stages or Stages()).run()


class _Run:
    def __init__(
        self,
        season: Season,
        out: Store,
        options: Options,
        part: Part,
        local: bool,
        device: str,
        monitor: Monitor,
        stages: Stages,
    ):
        self._season, self._out, self._options, self._local, self._device = season, out, options, local, device
        self._monitor, self._stages = monitor, stages
        self._run_id = uuid.uuid4().hex
        self._gave_up = threading.Event()
        self._joining = threading.BoundedSemaphore(_JOINED_AT_ONCE)
        inputs = results_inputs(options, device)
        self._states = {
            title.id: TitleState(title, out.child("titles", title.slug), options, part, stages, inputs)
            for title in season.titles
        }
        self._results = {title.id: TitleResult(title.id, title.slug, list(title.videos)) for title in season.titles}

    def run(self) -> SeasonOutcome:
        started = time.monotonic()
        self._probe()
        unfinished = [title for title in self._alive() if not self._finished(title)]
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
        return [title for title, result in self._results.items() if result.error is None]

    def _probe(self) -> None:
        """Look at all videos, several at a time."""
        self._monitor.start("season", "probe", len(self._states), "titles")
        with ThreadPoolExecutor(4) as pool:
            for done, _ in enumerate(pool.map(self._probe_title, self._states), 1):
                self._monitor.update("season", "probe", done)
        self._monitor.end("season", "probe")

    def _probe_title(self, title: str) -> None:
        with self._failing_alone(title, "probe"):
            state = self._states[title]
            state.probe()
            result = self._results[title]
            result.minutes = (
                sum(float(video.info.duration_s) * video.frames / max(video.info.frames, 1) for video in state.videos)
                / 60
            )
            state.results.write_json("title.json", _title_record(state))
            for warning in (warning for video in state.videos for warning in video.info.warnings):
                self._monitor.say(f"{title}: {warning}")

    def _finished(self, title: str) -> bool:
        state, result = self._states[title], self._results[title]
        info = state.work.done_info(_RESULTS, state.results_digest)
        if info is None:
            return False
        result.counts, result.seconds = info["counts"], info["seconds"]
        return True

    def _missing(self, titles: Sequence[str]) -> dict[str, Missing]:
        """Missing shards of each title that there is something to do for."""
        missing: dict[str, Missing] = {}
        for title in titles:
            with self._failing_alone(title, "tracks"):
                state = self._states[title]
                if state.work.is_done("tracks", state.tracks_digest):
                    self._require_faces(title)
                missing[title] = state.missing_shards()
                self._results[title].worked = True
                state.results.delete(_ERROR_LOG)
        return missing

    def _work(self, missing: dict[str, Missing]) -> None:
        """Extract what is missing and take each title on to its end the moment its last shard has landed."""
        followers: list[threading.Thread] = []
        extracting = any(missing.values())
        with open_engine(
            self._options,
            self._stages,
            self._monitor,
            self._run_id,
            self._device,
            local=self._local,
            extracting=extracting,
        ) as engine:
            try:
                for title in [title for title, shards in missing.items() if not shards]:
                    self._follow(engine, title, followers)
                if extracting:
                    for title in self._extract(engine, {title: shards for title, shards in missing.items() if shards}):
                        self._follow(engine, title, followers)
                engine.slots.extraction_over()
                for thread in followers:
                    while thread.is_alive():  # in short waits, so that Ctrl-C is heard
                        thread.join(0.2)
            except BaseException:
                self._gave_up.set()
                raise

    def _extract(self, engine: Engine, missing: dict[str, Missing]) -> Iterator[str]:
        """Extract shards of all titles in one stream; gives a title's id when its last shard has landed."""
        rows: list[Row] = []
        done_before: dict[str, int] = {}
        left = {title: len(shards) for title, shards in missing.items()}
        for title, shards in missing.items():
            state = self._states[title]
            todo = sum(shard.end_frame - shard.first_frame for _, shard in shards)
            total = sum(video.frames for video in state.videos)
            done_before[title] = total - todo
            self._monitor.start(title, "tracks", total, "frames", done=done_before[title])
            rows += [
                {
                    "work": str(state.work.root),
                    "title": title,
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
            title = landed["title"]
            left[title] -= 1
            if landed["error"]:
                self._fail(title, "tracks", landed["error"], landed["traceback"])
            if left[title] == 0:
                self._monitor.end(title, "tracks")
                if self._results[title].error is None:
                    yield title

    def _follow(self, engine: Engine, title: str, followers: list[threading.Thread]) -> None:
        """Take a title on from its shards to its results; in a thread of its own where the engine can do two things."""
        if self._local:
            self._title(engine, title)
            return
        # Daemons: after Ctrl-C nobody waits for them.
        thread = threading.Thread(target=self._title, args=(engine, title), name=f"title {title}", daemon=True)
        thread.start()
        followers.append(thread)

    def _title(self, engine: Engine, title: str) -> None:
        state, result = self._states[title], self._results[title]
        work = state.work
        with self._failing_alone(title, "tracks"), self._joining:
            self._assemble(state)
            self._require_faces(title)
        if result.error is not None:
            return
        with self._failing_alone(title, "adapt"), engine.slots.take(self._gave_up) as cpus:
            result.seconds |= engine.views(title, work) | engine.adapt(title, work, state.results_digest, cpus)
        if result.error is not None:
            return
        with self._failing_alone(title, "results"), self._joining:
            started = time.monotonic()
            work.begin(_RESULTS)
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
                f"{title}: {result.counts.get('characters', 0)} characters, {state.results.root / 'report.html'}"
            )

    def _require_faces(self, title: str) -> None:
        """`InputError` where the joined tracks of a title hold no face."""
        state = self._states[title]
        info = state.work.done_info("tracks", state.tracks_digest) or {}
        self._results[title].seconds["tracks"] = info["seconds"]
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
        state.work.begin("tracks")
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
            "device": self._device,
            "threads_per_title": self._options.run.threads_per_title,
        }
        done = [title for title in outcome.titles if title.error is None]
        season_digest = {title.slug: self._states[title.id].results_digest for title in done}
        if (
            not any(title.worked for title in outcome.titles)
            and self._out.exists("season.json")
            and json.dumps(self._out.read_json("season.json"), sort_keys=True)
            == json.dumps(record | {"digests": season_digest, "errors": errors}, sort_keys=True)
        ):
            return
        self._out.delete("season.json")  # until all that it vouches for is there
        self._out.write_json("errors.json", errors)
        self._stages.finish_season(self._out, [title.slug for title in done], self._options, errors, outcome.seconds)
        self._out.write_json("season.json", record | {"digests": season_digest, "errors": errors})

    @contextmanager
    def _failing_alone(self, title: str, stage: str) -> Iterator[None]:
        """Whatever goes wrong inside is the error of this title alone."""
        try:
            yield
        except InterruptedError:
            self._fail(title, stage, "interrupted; the same command goes on from here", "")
        except TitleError as error:
            self._fail(title, stage, str(error), error.trace)
        except VcnError as error:
            self._fail(title, stage, str(error), "")
        except Exception as error:
            if self._gave_up.is_set():
                self._fail(title, stage, "interrupted; the same command goes on from here", "")
            else:
                self._fail(title, stage, f"{title}: unexpected {type(error).__name__}: {error}", traceback.format_exc())

    def _fail(self, title: str, stage: str, sentence: str, trace: str) -> None:
        result = self._results[title]
        if result.error is not None:
            return
        result.error, result.stage = sentence, stage
        if trace:
            results = self._states[title].results
            try:
                results.write_bytes(_ERROR_LOG, trace.encode())
                result.log = str(results.path(_ERROR_LOG))
            except OutputError:  # the disk may be what is wrong
                result.log = None
        if not self._gave_up.is_set():
            self._monitor.say(f"{title}: failed: {sentence}")


def _with_absolute_paths(options: Options) -> Options:
    """The options with paths that mean the same in a worker, which may run in another folder."""
    network = options.models.face_id_onnx
    if network is None:
        return options
    try:
        path = str(Path(network).expanduser().absolute())
    except RuntimeError as error:
        raise OptionError(f"option 'face_id_onnx': {network}: {error}; write the whole path") from None
    return options.model_copy(update={"models": options.models.model_copy(update={"face_id_onnx": path})})


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
