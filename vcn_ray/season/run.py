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
from vcn_ray.corrections.correction_file import read_corrections
from vcn_ray.curation.removal import finish_removal
from vcn_ray.errors import OptionError, VcnError
from vcn_ray.execution.base import Executor, RunContext
from vcn_ray.execution.factory import make_executor
from vcn_ray.execution.parallel import LOOKS_AT_ONCE, in_threads, side_by_side
from vcn_ray.execution.worker_events import tell_landed
from vcn_ray.inputs.titles import Season, TimeRange
from vcn_ray.models.loading import check_patch_loss
from vcn_ray.models.user_network import publish
from vcn_ray.monitoring.monitor import Monitor, NullMonitor
from vcn_ray.pipeline.digests import results_inputs
from vcn_ray.pipeline.layout import RESULTS, TRACKS
from vcn_ray.pipeline.stages import ShardTask, Stages
from vcn_ray.pipeline.tasks import TaskRow, Tasks, shard_rows
from vcn_ray.pipeline.title_state import TitleState, VideoState
from vcn_ray.pipeline.videoclusternet import VideoClusterNet
from vcn_ray.season.manifest import title_record, write_season_record
from vcn_ray.season.outcome import ERROR_LOG, INTERRUPTED, Ledger, SeasonOutcome
from vcn_ray.season.probing import Probing
from vcn_ray.season.run_monitors import watched
from vcn_ray.season.title_run import TitleRun
from vcn_ray.storage.lock import Lock, only_run_in
from vcn_ray.storage.objectstore import is_object_url
from vcn_ray.storage.store import Store

MissingShards = list[tuple[VideoState, ShardTask]]


def run_season(
    season: Season,
    out: Store,
    options: Options,
    *,
    part: TimeRange | None = None,
    executor: Executor | None = None,
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
        executor: who does the work; None: Ray, as the options say.
        monitor: told about progress.
        stages: what is done to a title; None: VideoClusterNet.
        title_options: options of titles that differ from the others', by title; those on how work is spread do not.

    Raises:
        OutputError: `out` cannot be written, or another run writes there.
        KeyboardInterrupt: stopped by the user; all finished steps are kept.
    """
    options = _with_absolute_paths(options)
    monitor = monitor or NullMonitor()
    executor, stages = executor or make_executor("ray"), stages or VideoClusterNet()
    with (
        only_run_in(out, monitor.say) as lock,
        executor.device(options.run) as device,
        ExitStack() as until_monitors_are_closed,
    ):
        run_id = uuid.uuid4().hex
        finish_removal(out, lock)
        with watched(monitor, out, options.run, run_id, lock.lost) as (told, summary):
            published: dict[str, str] = {}
            for_all = publish(options, out, published)
            own = {
                title: publish(_with_absolute_paths(given), out, published)
                for title, given in (title_options or {}).items()
            }
            tasks = Tasks(stages, {title.id: own.get(title.id, for_all) for title in season.titles})
            context = RunContext(tasks, for_all.run, told, run_id, device)
            states = _title_states(season, out, part or TimeRange(), context)
            until_monitors_are_closed.enter_context(executor.open(context))  # they ask a Ray that is still up
            outcome = SeasonRun(season, states, context, executor, lock).work(out)
            lock.check()
            outcome.problems = write_season_record(outcome, states, for_all, options, device, stages)
        outcome.summary = summary if summary.worked else None
        return outcome


def _title_states(season: Season, out: Store, part: TimeRange, context: RunContext) -> dict[str, TitleState]:
    corrections = read_corrections(out)
    return {
        title.id: TitleState(
            title,
            out.child("titles", title.slug),
            context.tasks.options[title.id],
            part,
            context.tasks.stages,
            results_inputs(context.tasks.options[title.id], context.device),
            place,
            corrections,
        )
        for place, title in enumerate(season.titles)
    }


class SeasonRun:
    """One run over a season's titles.

    Args:
        season: its titles, and inputs that were refused.
        states: of the titles, by title, in the season's order.
        context: what the run is.
        executor: opened for the context.
        lock: on the folder of results; a run that has lost it stops.
    """

    def __init__(
        self,
        season: Season,
        states: Mapping[str, TitleState],
        context: RunContext,
        executor: Executor,
        lock: Lock,
    ):
        self._season, self._states, self._executor, self._lock = season, states, executor, lock
        self._monitor, self._stages, self._device = context.monitor, context.tasks.stages, context.device
        self._gave_up = threading.Event()
        folders = {title: state.results for title, state in states.items()}
        self._ledger = Ledger(season, folders, context.monitor, self._gave_up)
        self._results = self._ledger.results
        self._title_run = TitleRun(self._ledger, context.monitor, context.device, self._gave_up)

    def work(self, out: Store) -> SeasonOutcome:
        """Do what is missing of the titles; how they came out. `out` is where the season's results go."""
        started = time.monotonic()
        for given, sentence in self._season.refused:
            self._monitor.failed(given, "input", sentence)
        try:
            self._work()
        except BaseException:
            self._gave_up.set()
            raise
        return SeasonOutcome(out, list(self._results.values()), list(self._season.refused), time.monotonic() - started)

    def _work(self) -> None:
        """Take on titles as their videos become known, wave after wave, and see each through to its end."""
        probing = Probing(self._states, self._ledger, self._monitor, self._gave_up)
        followers: list[threading.Thread] = []
        worked = False
        for wave in probing.waves(self._executor, self._lock.check):
            finished = set(in_threads(lambda title: title if self._finished(title) else None, wave, LOOKS_AT_ONCE))
            missing = self._missing(
                [title for title in wave if title not in finished and self._results[title].error is None]
            )
            if not missing:
                continue
            self._check(missing, [] if worked else probing.unknown, may_refuse=not worked)
            missing = {title: shards for title, shards in missing.items() if self._results[title].error is None}
            worked = True
            self._executor.start(extracting=any(missing.values()))
            self._executor.scheduler.expect(len(probing.unknown) + sum(map(self._in_work, self._results)))
            self._take_on(missing, followers)
            self._executor.scheduler.extraction_over()  # the look at what comes next may take long
        for thread in followers:
            while thread.is_alive():  # in short waits, so that Ctrl-C is heard
                thread.join(0.2)
                self._lock.check()

    def _in_work(self, title: str) -> bool:
        result = self._results[title]
        return result.worked and result.error is None and not result.counts

    def _finished(self, title: str) -> bool:
        state, result = self._states[title], self._results[title]
        with self._ledger.failing_alone(title, "results"):
            info = state.work.done_info(RESULTS, state.results_digest)
            if info is not None:
                result.counts, result.seconds = info["counts"], info["seconds"]
                self._monitor.moved(title, "done")
                return True
        return False

    def _missing(self, titles: Sequence[str]) -> dict[str, MissingShards]:
        """Missing shards of each title that there is something to do for, in the season's order."""
        missing: dict[str, MissingShards] = {}

        def look(title: str) -> None:
            with self._ledger.failing_alone(title, "tracks"):
                state = self._states[title]
                info = state.work.done_info(TRACKS, state.tracks_digest)
                if info is not None:
                    self._title_run.require_faces(state, info)
                record = title_record(state)
                if state.results.exists("title.json") and state.results.read_json("title.json") != record:
                    state.work.begin(RESULTS)  # of other videos: corrections would not find their tracks there
                state.results.write_json("title.json", record)
                state.store_links()
                state.store_forgotten()
                shards = state.missing_shards()
                if shards:
                    state.store_given()
                state.results.delete(ERROR_LOG)
                self._results[title].worked = True
                missing[title] = shards

        side_by_side(look, titles, LOOKS_AT_ONCE)
        for title in missing:
            self._monitor.moved(title, "queued")
        return {title: missing[title] for title in titles if title in missing}

    def _check(self, titles: Collection[str], later: Collection[str], *, may_refuse: bool) -> None:
        """Refuse what would make titles fail after hours of work; the run, if that may be, where it is all of them.

        `later`: titles that come in later waves; they are looked at only to tell whether it is all.
        """
        found: dict[str, VcnError | None] = {}  # by options, which most titles share
        problems: dict[str, VcnError] = {}
        for title in (*titles, *later):
            options = self._states[title].options
            same = options.model_dump_json()
            if same not in found:
                found[same] = self._problem(options)
            problem = found[same]
            if problem is not None:
                problems[title] = problem
        if may_refuse and len(problems) == len(titles) + len(later):
            raise next(iter(problems.values()))
        for title in titles:
            if title in problems:
                self._ledger.fail(title, "tracks", str(problems[title]), "")

    def _problem(self, options: Options) -> VcnError | None:
        try:
            check_patch_loss(options, self._device)
            self._stages.check(options)
        except VcnError as error:
            return error
        return None

    def _take_on(self, missing: dict[str, MissingShards], followers: list[threading.Thread]) -> None:
        """Extract what is missing and take each title on to its end the moment its last shard has landed."""
        for title in [title for title, shards in missing.items() if not shards]:
            self._follow(title, followers)
        shards = {title: shards for title, shards in missing.items() if shards}
        if shards:
            for title in self._extract(shards):
                self._follow(title, followers)

    def _extract(self, missing: dict[str, MissingShards]) -> Iterator[str]:
        """Extract shards of all titles in one stream; gives a title's id when its last shard has landed."""
        rows: list[TaskRow] = []
        done_before: dict[str, int] = {}
        left = {title: len(shards) for title, shards in missing.items()}
        for title, shards in missing.items():
            total = sum(video.frames for video in self._states[title].videos)
            done_before[title] = total - sum(shard.end_frame - shard.first_frame for _, shard in shards)
            self._monitor.start(title, "tracks", total, "frames", done=done_before[title])
            rows += shard_rows(self._states[title], shards)
        memory_bytes = max(video.shard_memory_bytes for title in missing for video in self._states[title].videos)
        seen: set[str] = set()
        for landed in self._executor.extract(rows, memory_bytes, done_before):
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

    def _follow(self, title: str, followers: list[threading.Thread]) -> None:
        """Take a title on from its shards to its results; in a thread of its own where several can be under way."""
        if not self._executor.many_titles:
            self._title_run.take(self._executor, self._states[title])
            return
        # Daemons: after Ctrl-C nobody waits for them.
        thread = threading.Thread(target=self._title_in_thread, args=(title,), name=f"title {title}", daemon=True)
        thread.start()
        followers.append(thread)

    def _title_in_thread(self, title: str) -> None:
        """So that whatever ends the thread (a terminal that is gone) does not make the title look done."""
        try:
            self._title_run.take(self._executor, self._states[title])
        finally:
            if self._results[title].error is None and not self._results[title].counts:
                self._ledger.fail(title, "results", INTERRUPTED, "")


def _with_absolute_paths(options: Options) -> Options:
    """The options with paths that say where things are, whatever folder they are read in."""
    network = options.models.own_network
    if network is None or is_object_url(network):
        return options
    try:
        path = str(Path(network).expanduser().absolute())
    except RuntimeError as error:
        option = "face_id_vit" if options.models.face_id_onnx is None else "face_id_onnx"
        raise OptionError(f"option '{option}': {network}: {error}; write the whole path") from None
    return options.model_copy(update={"models": options.models.with_own_network(path)})
