"""What a run would do, without doing it: what is done, what will run and why, with an estimate of the time.

Nothing is written. Videos that nobody has looked at are looked at, since what there is to do depends on their length.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vcn_ray.config import Options
from vcn_ray.corrections.correction_file import read_corrections
from vcn_ray.curation.applying import RECORD_KEY, corrections_wait
from vcn_ray.errors import OutputError, VcnError
from vcn_ray.execution.factory import make_executor
from vcn_ray.execution.parallel import in_threads
from vcn_ray.inputs.titles import Season, TimeRange
from vcn_ray.pipeline.digests import results_inputs
from vcn_ray.pipeline.layout import MARKER, RESULTS, TRACKS
from vcn_ray.pipeline.stages import Stages
from vcn_ray.pipeline.tasks import made_with
from vcn_ray.pipeline.title_state import TitleState, stored_info
from vcn_ray.pipeline.videoclusternet import VideoClusterNet
from vcn_ray.storage.store import Store

STAGES = ("tracks", "views", "adapt", "results")

_SHOWN = ("device", "threads_per_title")
_TITLES_SAMPLED, _SHARDS_SAMPLED = 25, 8  # whose markers are read to tell the rate, and markers of each
_AT_ONCE = 16  # titles; in an object store each look takes a while


@dataclass(frozen=True)
class PlanRow:
    """A stage of a title: tasks of it that are done, of how many; None where that is not known beforehand."""

    title: str
    stage: str
    done: int
    tasks: int | None
    why: str = ""  # what has changed, where it was done before; or what is wrong with the title
    cpu_s: float | None = None  # CPU time that it will take, by what was measured here; None: nothing was

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left."""
        return self.tasks is not None and self.done >= self.tasks and not self.why

    @property
    def state(self) -> str:
        """Done, to do, or to do again, in words."""
        if self.is_done:
            return "done"
        if self.tasks is None:
            return "to do"
        return f"to do {self.tasks - self.done} of {self.tasks}"


@dataclass(frozen=True)
class Plan:
    """What a run would do. `failing` holds (title, sentence) of titles that cannot be worked on."""

    rows: list[PlanRow]
    failing: list[tuple[str, str]] = field(default_factory=list)
    cpus: int | None = None  # that the estimate is for; None on a cluster
    corrected: bool = False  # whether people's corrections have changed since tables, pages and cast were written

    @property
    def seconds(self) -> float | None:
        """Estimated wall time on `cpus`, None where a stage that will run was never measured, or on a cluster."""
        todo = [row.cpu_s for row in self.rows if not row.is_done]
        if self.cpus is None or None in todo:
            return None
        return sum(seconds for seconds in todo if seconds is not None) / self.cpus

    def table(self) -> list[dict[str, Any]]:
        """A dict for each stage of each title: title, stage, state, why, cpu_s."""
        return [
            {"title": row.title, "stage": row.stage, "state": row.state, "why": row.why, "cpu_s": row.cpu_s}
            for row in self.rows
        ]


@dataclass
class _Rates:
    """CPU seconds by unit of work, from what an earlier run has left; empty where there was none."""

    tracks_s: float = 0.0
    frames: int = 0
    stage_s: dict[str, float] = field(default_factory=dict)
    minutes: float = 0.0

    def of_frames(self, frames: int) -> float | None:
        return frames * self.tracks_s / self.frames if self.frames else None

    def of_minutes(self, stage: str, minutes: float) -> float | None:
        return minutes * self.stage_s.get(stage, 0.0) / self.minutes if self.minutes else None


@dataclass
class _Look:
    """What is known of a title."""

    state: TitleState
    marker: dict[str, Any] | None = None  # of its results, whatever they were made of
    problem: str = ""

    @property
    def has_results(self) -> bool:
        return self.marker is not None and self.marker.get("digest") == self.state.results_digest


class _OnceEach:
    """Checks options, most of which many titles share: it loads models."""

    def __init__(self, stages: Stages):
        self._stages = stages
        self._lock = threading.Lock()
        self._found: dict[str, VcnError | None] = {}

    def __call__(self, options: Options) -> None:
        """Raises what `Stages.check` raises."""
        same = options.model_dump_json()
        with self._lock:
            if same not in self._found:
                try:
                    self._stages.check(options)
                    self._found[same] = None
                except VcnError as error:
                    self._found[same] = error
            problem = self._found[same]
        if problem is not None:
            raise problem


def plan_season(
    season: Season,
    out: Store,
    options: Options,
    part: TimeRange | None = None,
    stages: Stages | None = None,
    title_options: Mapping[str, Options] | None = None,
) -> Plan:
    """What `run_season` would do with the same arguments, see there."""
    stages, overrides = stages or VideoClusterNet(), title_options or {}
    with make_executor("local" if options.run.address is None else "ray").device(options.run) as device:
        states = []
        corrections = read_corrections(out)
        for place, title in enumerate(season.titles):
            own = overrides.get(title.id, options)
            folder = out.child("titles", title.slug)
            states.append(
                TitleState(
                    title, folder, own, part or TimeRange(), stages, results_inputs(own, device), place, corrections
                )
            )
        check = _OnceEach(stages)
        looks = {look.state.place: look for look in in_threads(lambda state: _look(state, check), states, _AT_ONCE)}
        in_order = [looks[state.place] for state in states]
        rates = _measured(in_order)
        rows_of = {
            look.state.place: rows
            for look, rows in in_threads(
                lambda look: (look, _rows(look, device, rates)),
                [look for look in in_order if not look.problem],
                _AT_ONCE,
            )
        }
        rows = [row for state in states for row in rows_of.get(state.place, [])]
        failing = [(look.state.title.id, look.problem) for look in in_order if look.problem]
    cpus = None if options.run.address is not None else options.run.num_cpus or os.cpu_count() or 1
    return Plan(rows, failing, cpus, out.exists(RECORD_KEY) and corrections_wait(out))


def _look(state: TitleState, check: _OnceEach) -> _Look:
    """Look at a title's videos, where nobody has, and at what an earlier run left."""
    look, stages = _Look(state), state.stages
    try:
        probes = state.probes()
        missing = {probe.key for probe in state.missing_probes(probes)}
        infos = {
            probe.key: stages.probe(probe.url) if probe.key in missing else stored_info(stages, state.work, probe.key)
            for probe in probes
        }
        state.plan_shards(probes, infos)
        look.marker = _marker(state.work)
        if not look.has_results:
            check(state.options)
    except VcnError as error:
        look.problem = str(error)
    return look


def _marker(work: Store) -> dict[str, Any] | None:
    try:
        marker = work.read_json(f"{RESULTS}.done.json")
    except OutputError:
        return None
    return marker if isinstance(marker, dict) else None


def _rows(look: _Look, device: str, rates: _Rates) -> list[PlanRow]:
    state = look.state
    title, work, stages, options = state.title.id, state.work, state.stages, state.options
    shards = [shard for video in state.videos for shard in video.shards]
    if look.has_results:
        # Written from tracks of the same digest, which nothing takes away without taking the results' marker first.
        tracks_row = PlanRow(title, "tracks", len(shards), len(shards), "", rates.of_frames(0))
        return [tracks_row, *(PlanRow(title, stage, 1, 1) for stage in STAGES[1:])]
    why = _changed(look, device)
    tracks = work.is_done(TRACKS, state.tracks_digest)
    missing = [] if tracks else [shard for _, shard in state.missing_shards()]
    frames = sum(shard.end_frame - shard.first_frame for shard in missing)
    minutes = state.minutes
    rows = [
        PlanRow(
            title, "tracks", len(shards) - len(missing), len(shards), why if missing else "", rates.of_frames(frames)
        )
    ]
    left, chunks = stages.views_left(work, options, device) if tracks else (None, None)
    adapted = tracks and state.links_are_stored() and stages.is_adapted(work, options, device)
    if chunks != 0:
        share = 1.0 if left is None or not chunks else left / chunks
        estimate = rates.of_minutes("views", minutes * share)
        done = 0 if left is None or chunks is None else chunks - left
        rows.append(PlanRow(title, "views", done, chunks, "" if left == 0 else why, estimate))
    rows.append(PlanRow(title, "adapt", int(adapted), 1, "" if adapted else why, rates.of_minutes("adapt", minutes)))
    rows.append(PlanRow(title, "results", 0, 1, why, rates.of_minutes("results", minutes)))
    return rows


def _changed(look: _Look, device: str) -> str:
    """What has changed since the title's results were written, '' where there are none."""
    state = look.state
    if look.marker is None or not isinstance(look.marker.get("made_with"), dict):
        return ""
    before = dict(look.marker["made_with"])
    now = made_with(state, device)
    was, options = before.pop("options"), now.pop("options")
    changes = [
        f"{name} was {earlier}, is {setting}"
        for group, value in options.items()
        for name, setting, earlier in _settings(group, value, was.get(group))
        if earlier != setting
    ]
    changes += [f"{name} was {before.get(name)}, is {now[name]}" for name in _SHOWN if before.get(name) != now[name]]
    if before.get("videos") != now["videos"]:
        changes.append("its videos have changed")
    if before.get("tracks") != now.get("tracks"):
        changes.append("the tracks that are given for it have changed")
    if before.get("corrections") != now.get("corrections"):
        changes.append("people have corrected its tracks")
    return "; ".join(changes) or "--from or --to, or vcn_ray, has changed"


def _settings(group: str, value: Any, earlier: Any) -> list[tuple[str, Any, Any]]:
    """(name, setting, earlier setting) of a group of options, or of one that stands alone."""
    if not isinstance(value, dict):
        return [(group, value, earlier)]
    return [(name, setting, (earlier or {}).get(name)) for name, setting in value.items()]


def _measured(looks: Sequence[_Look]) -> _Rates:
    """What titles' markers tell of the time that their work took."""
    rates = _Rates()
    for look in looks:
        if look.marker is not None:
            rates.minutes += look.marker["minutes"]
            for stage, seconds in look.marker["cpu_s"].items():
                rates.stage_s[stage] = rates.stage_s.get(stage, 0.0) + seconds
    sampled = looks[:: -(-len(looks) // _TITLES_SAMPLED) or 1]
    for markers in in_threads(lambda look: _shard_markers(look.state.work), sampled, _AT_ONCE):
        for marker in markers:
            rates.tracks_s += marker["ended"] - marker["started"]
            rates.frames += marker["frames"]
    return rates


def _shard_markers(work: Store) -> list[dict[str, Any]]:
    keys = [key for key in work.keys("shards/") if key.endswith(MARKER)]
    return [work.read_json(key) for key in keys[:_SHARDS_SAMPLED]]
