"""Runs a season: several titles in flight, extraction and adaptation busy side by side, each title failing alone.

All state is in the store after every step, so a run that was stopped in any way goes on where it was when the same
command is given again, and a finished one does nothing, not even start Ray.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from vcn_ray.config import Options
from vcn_ray.errors import OptionError, VcnError
from vcn_ray.execution.attempts import Row, run_here
from vcn_ray.execution.base import Engine, open_engine
from vcn_ray.execution.on_ray.session import settled_device
from vcn_ray.execution.worker_events import tell_landed
from vcn_ray.inputs.titles import Season, TimeRange
from vcn_ray.models.user_network import publish
from vcn_ray.monitoring.monitor import Monitor, NullMonitor
from vcn_ray.pipeline.digests import results_inputs
from vcn_ray.pipeline.layout import RESULTS, TRACKS
from vcn_ray.pipeline.tasks import Steps, probe_rows, shard_rows
from vcn_ray.pipeline.title_state import ProbeStep, ShardStep, TitleState, VideoState
from vcn_ray.pipeline.videoclusternet import Stages
from vcn_ray.season.ledger import ERROR_LOG, INTERRUPTED, Ledger
from vcn_ray.season.manifest import title_record, write_season_record
from vcn_ray.season.outcome import SeasonOutcome
from vcn_ray.season.parallel import side_by_side
from vcn_ray.season.run_monitors import watched
from vcn_ray.season.title_run import Course
from vcn_ray.storage.lock import Lock, only_run_in
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.store import Store

Missing = list[tuple[VideoState, ShardStep]]

_LOOKS_AT_ONCE = 8  # at stores and files, from here; each takes milliseconds, or a while in an object store


def run_season(
    season: Season,
    out: Store,
    options: Options,
    *,
    part: TimeRange | None = None,
    local: bool = False,
    monitor: Monitor | None = None,
    stages: Stages | None = None,
    title_options: Mapping[str, Options] | None = None,
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
        title_options: options of titles that differ from the others', by title; those on how work is spread do not.

    Raises:
        OutputError: `out` cannot be written, or another run writes there.
        KeyboardInterrupt: stopped by the user; all finished steps are kept.
    """
    options = _with_absolute_paths(options)
    monitor = monitor or NullMonitor()
    with (
        only_run_in(out, monitor.say) as lock,
        settled_device(options.run, local=local) as device,
        ExitStack() as stack,
    ):
        run_id = uuid.uuid4().hex
        with watched(monitor, out, options.run, run_id, lock.lost) as (told, summary):
            run = _Run(
                season,
                out,
                options,
                title_options or {},
                part or TimeRange(),
                local,
                device,
                told,
                stages,
                lock,
                run_id,
            )
            outcome = run.run(stack)
        outcome.summary = summary if summary.worked else None
        return outcome


class _Run:
    def __init__(
        self,
        season: Season,
        out: Store,
        options: Options,
        title_options: Mapping[str, Options],
        part: TimeRange,
        local: bool,
        device: str,
        monitor: Monitor,
        stages: Stages | None,
        lock: Lock,
        run_id: str,
    ):
        self._season, self._out, self._given, self._local, self._device = season, out, options, local, device
        self._monitor, self._lock = monitor, lock
        self._stages = stages or Stages()
        self._run_id = run_id
        self._gave_up = threading.Event()
        self._opened: Engine | None = None
        published: dict[str, str] = {}
        self._options = publish(options, out, published)
        of_title = {
            title.id: publish(_with_absolute_paths(title_options[title.id]), out, published)
            if title.id in title_options
            else self._options
            for title in season.titles
        }
        self._steps = Steps(self._stages, of_title)
        self._states = {
            title.id: TitleState(
                title,
                out.child("titles", title.slug),
                of_title[title.id],
                part,
                self._stages,
                results_inputs(of_title[title.id], device),
                place,
            )
            for place, title in enumerate(season.titles)
        }
        folders = {title: state.results for title, state in self._states.items()}
        self._ledger = Ledger(season, folders, monitor, self._gave_up)
        self._results = self._ledger.results
        self._course = Course(self._ledger, monitor, device, self._gave_up)

    def run(self, stack: ExitStack) -> SeasonOutcome:
        """Do what is missing; the engine, if one is needed, lasts as long as the stack."""
        started = time.monotonic()
        for given, sentence in self._season.refused:
            self._monitor.failed(given, "input", sentence)
        self._probe(stack)
        unfinished = [title for title in self._ledger.alive() if not self._finished(title)]
        missing = self._missing(unfinished)
        if missing:
            self._check(missing)
            engine = self._engine(stack, extracting=any(missing.values()))
            engine.slots.expect(len(missing))
            self._work({title: missing[title] for title in missing if self._results[title].error is None}, engine)
        outcome = SeasonOutcome(
            self._out, list(self._results.values()), list(self._season.refused), time.monotonic() - started
        )
        self._lock.check()
        write_season_record(outcome, self._states, self._options, self._given, self._device, self._stages)
        return outcome

    def _engine(self, stack: ExitStack, *, extracting: bool) -> Engine:
        """The engine of this run, opened when it is first needed."""
        if self._opened is None:
            engine = open_engine(
                self._steps,
                self._options,
                self._monitor,
                self._run_id,
                self._device,
                local=self._local,
                extracting=extracting,
            )
            self._opened = stack.enter_context(engine)
        return self._opened

    def _probe(self, stack: ExitStack) -> None:
        """Look at all videos that nobody has looked at yet: on the cluster's machines where there is one, or here."""
        found: dict[str, list[ProbeStep]] = {}
        rows: list[Row] = []
        heard: list[str] = []

        def look(title: str) -> None:
            with self._ledger.failing_alone(title, "probe"):
                steps = self._states[title].probes()
                missing = self._states[title].missing_probes(steps)
                found[title] = steps
                rows.extend(probe_rows(self._states[title], missing))

        def hear(landed: Row) -> None:
            if landed["error"]:
                self._ledger.fail(landed["title"], "probe", landed["error"], landed["traceback"])
            heard.append(landed["step"])
            self._monitor.update("season", "probe", len(heard))

        def plan(title: str) -> None:
            with self._ledger.failing_alone(title, "probe"):
                self._states[title].plan_shards(found[title])

        side_by_side(look, self._states, _LOOKS_AT_ONCE)
        if rows:
            self._monitor.start("season", "probe", len(rows), "videos")
            rows.sort(key=lambda row: self._states[row["title"]].place)
            if self._local or self._options.run.address is None:
                side_by_side(
                    lambda row: hear(next(run_here([row], self._steps.probe, self._run_id))), rows, _LOOKS_AT_ONCE
                )
            else:
                for row in self._engine(stack, extracting=True).probe(rows):
                    hear(row)
            self._monitor.end("season", "probe")
        side_by_side(plan, self._ledger.alive(), _LOOKS_AT_ONCE)
        for title in self._ledger.alive():
            self._results[title].minutes = self._states[title].minutes
            for warning in (warning for video in self._states[title].videos for warning in video.warnings):
                self._monitor.say(f"{title}: {warning}")

    def _finished(self, title: str) -> bool:
        state, result = self._states[title], self._results[title]
        with self._ledger.failing_alone(title, "results"):
            info = state.work.done_info(RESULTS, state.results_digest)
            if info is not None:
                result.counts, result.seconds = info["counts"], info["seconds"]
                self._monitor.moved(title, "done")
                return True
        return False

    def _missing(self, titles: Sequence[str]) -> dict[str, Missing]:
        """Missing shards of each title that there is something to do for, in the season's order."""
        missing: dict[str, Missing] = {}

        def look(title: str) -> None:
            with self._ledger.failing_alone(title, "tracks"):
                state = self._states[title]
                info = state.work.done_info(TRACKS, state.tracks_digest)
                if info is not None:
                    self._course.require_faces(state, info)
                state.results.write_json("title.json", title_record(state))
                shards = state.missing_shards()
                state.results.delete(ERROR_LOG)
                self._results[title].worked = True
                missing[title] = shards

        side_by_side(look, titles, _LOOKS_AT_ONCE)
        for title in missing:
            self._monitor.moved(title, "queued")
        return {title: missing[title] for title in titles if title in missing}

    def _check(self, titles: Collection[str]) -> None:
        """Refuse what would make titles fail after hours of work; where it is all of them, the run."""
        problems: dict[str, VcnError] = {}
        for title in titles:
            try:
                self._stages.check(self._states[title].options)
            except VcnError as error:
                problems[title] = error
        if len(problems) == len(titles):
            raise next(iter(problems.values()))
        for title, problem in problems.items():
            self._ledger.fail(title, "tracks", str(problem), "")

    def _work(self, missing: dict[str, Missing], engine: Engine) -> None:
        """Extract what is missing and take each title on to its end the moment its last shard has landed."""
        followers: list[threading.Thread] = []
        try:
            for title in [title for title, shards in missing.items() if not shards]:
                self._follow(engine, title, followers)
            shards = {title: shards for title, shards in missing.items() if shards}
            if shards:
                for title in self._extract(engine, shards):
                    self._follow(engine, title, followers)
            engine.slots.extraction_over()
            for thread in followers:
                while thread.is_alive():  # in short waits, so that Ctrl-C is heard
                    thread.join(0.2)
                    self._lock.check()
        except BaseException:
            self._gave_up.set()
            raise

    def _extract(self, engine: Engine, missing: dict[str, Missing]) -> Iterator[str]:
        """Extract shards of all titles in one stream; gives a title's id when its last shard has landed."""
        rows: list[Row] = []
        done_before: dict[str, int] = {}
        left = {title: len(shards) for title, shards in missing.items()}
        for title, shards in missing.items():
            total = sum(video.frames for video in self._states[title].videos)
            done_before[title] = total - sum(shard.end_frame - shard.first_frame for _, shard in shards)
            self._monitor.start(title, "tracks", total, "frames", done=done_before[title])
            rows += shard_rows(self._states[title], shards)
        memory_bytes = max(video.shard_memory_bytes for title in missing for video in self._states[title].videos)
        seen: set[str] = set()
        for landed in engine.extract(rows, memory_bytes, done_before):
            self._lock.check()
            title = landed["title"]
            if title not in seen:
                seen.add(title)
                self._monitor.moved(title, "tracks")
            left[title] -= 1
            tell_landed(self._monitor, "tracks", landed)
            if landed["error"]:
                self._ledger.fail(title, "tracks", landed["error"], landed["traceback"])
            if left[title] == 0:
                self._monitor.end(title, "tracks")
                if self._results[title].error is None:
                    yield title

    def _follow(self, engine: Engine, title: str, followers: list[threading.Thread]) -> None:
        """Take a title on from its shards to its results; in a thread of its own where the engine can do two things."""
        if self._local:
            self._course.take(engine, self._states[title])
            return
        # Daemons: after Ctrl-C nobody waits for them.
        thread = threading.Thread(
            target=self._title_in_thread, args=(engine, title), name=f"title {title}", daemon=True
        )
        thread.start()
        followers.append(thread)

    def _title_in_thread(self, engine: Engine, title: str) -> None:
        """So that whatever ends the thread (a terminal that is gone) does not make the title look done."""
        try:
            self._course.take(engine, self._states[title])
        finally:
            if self._results[title].error is None and not self._results[title].counts:
                self._ledger.fail(title, "results", INTERRUPTED, "")


def _alone(options: Options) -> Options:
    return options.model_copy(update={"run": options.run.model_copy(update={"workers_per_title": 1})})


def _with_absolute_paths(options: Options) -> Options:
    """The options with paths that say where things are, whatever folder they are read in."""
    network = options.models.face_id_onnx
    if network is None or is_object_url(network):
        return options
    try:
        path = str(Path(network).expanduser().absolute())
    except RuntimeError as error:
        raise OptionError(f"option 'face_id_onnx': {network}: {error}; write the whole path") from None
    return options.model_copy(update={"models": options.models.model_copy(update={"face_id_onnx": path})})
