"""Videos of a finished season, with boxes, with hidden faces, or of one character: what ``vcn-ray overlay`` does."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from vcn_ray.config import Options, RunOptions, make_options
from vcn_ray.errors import InputError, OptionError, OutputError
from vcn_ray.execution.factory import MAPPERS
from vcn_ray.export.finished_season import UNKNOWN, SeasonViews, VideoFacts, character_names, number_in, part_of
from vcn_ray.export.render import several
from vcn_ray.models.loading import INSTALLED, FaceModels
from vcn_ray.monitoring.monitor import Monitor, NullMonitor
from vcn_ray.overlay.labels import COLOURS
from vcn_ray.overlay.making import make_video
from vcn_ray.overlay.places import keep_films, placed
from vcn_ray.overlay.request import OverlayRequest
from vcn_ray.overlay.task import Hiding, Look, VideoMade, VideoTask
from vcn_ray.pipeline.outputs.title_outputs import FACTS_KEY
from vcn_ray.storage.store import Store

_STAGE = "video"


class FinishedTitle(Protocol):
    """A title as `season.result_titles.TitleResult` has it."""

    id: str
    slug: str
    videos: list[str]  # paths or URLs
    error: str | None


class FinishedRun(SeasonViews, Protocol):
    """What is made videos of: a `season.season_result.SeasonResult`."""

    out: str

    @property
    def titles(self) -> Iterable[FinishedTitle]:
        """All titles, in order."""

    @property
    def corrections_wait(self) -> bool:
        """Whether corrections were made that its tables do not hold yet."""

    def video_facts(self) -> list[VideoFacts]:
        """What is known of the videos of finished titles."""


@dataclass(frozen=True)
class VideosMade:
    """The videos that were made, and those that could not be, in the order of the season."""

    videos: tuple[VideoMade, ...]

    @property
    def written(self) -> list[str]:
        """Path or URL of each."""
        return [one.where for one in self.videos if not one.error]

    @property
    def failed(self) -> list[VideoMade]:
        """Those that are not there."""
        return [one for one in self.videos if one.error]

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"<{several(len(self.written), 'video')}{failed}: {', '.join(self.written)}>"


def overlay_season(
    season: FinishedRun,
    out: str,
    request: OverlayRequest,
    *,
    title: str | None = None,
    video: str | None = None,
    executor: str | None = None,
    options: RunOptions | None = None,
    monitor: Monitor | None = None,
    models: FaceModels = INSTALLED,
) -> VideosMade:
    """Make the videos of a season, of a title, or one. One that fails does not stop the others.

    Args:
        season: finished.
        out: file, where one video is made; folder, or URL of either.
        request: what is wanted.
        title: this one alone, by its name.
        video: this one alone, by its file name.
        executor: "local" or "ray"; None: this process for one video without an address, else Ray.
        options: of the Ray that works.
        monitor: is told of progress.
        models: what the options' names of face models stand for.

    Raises:
        OptionError: nobody, no title or no video is called so; several videos would go into one file.
        InputError: there is nothing to make videos of; somebody is to be hidden, and corrections wait.
    """
    options, monitor = options or RunOptions(), monitor or NullMonitor()
    tasks = video_tasks(season, out, request, title, video)
    name = executor or ("local" if len(tasks) == 1 and options.address is None else "ray")
    if name not in MAPPERS:
        raise OptionError(f"no executor is called {name!r}; there are: {', '.join(MAPPERS)}")
    begun: set[int] = set()
    made: dict[int, VideoMade] = {}

    def hear(place: int, done: int, total: int) -> None:
        label = tasks[place].label
        if place in made:  # heard late
            return
        if place not in begun:
            begun.add(place)
            monitor.start(label, _STAGE, total, "frames")
        monitor.update(label, _STAGE, done, total)

    for place, one in MAPPERS[name](partial(make_video, models=models), tasks, _lost, options, hear):
        made[place] = one
        if one.error:
            monitor.failed(one.label, _STAGE, one.error)
        else:
            monitor.end(one.label, _STAGE, f"{one.frames / max(one.seconds, 1e-6):.0f} frames/s")
    return VideosMade(tuple(made[place] for place in sorted(made)))


def _lost(task: VideoTask, sentence: str) -> VideoMade:
    return VideoMade(task.label, error=f"{task.label}: {sentence}; run the same command again to try it once more")


def video_tasks(
    season: FinishedRun, out: str, request: OverlayRequest, title: str | None = None, video: str | None = None
) -> list[VideoTask]:
    """What `overlay_season` has made, a task a video; see there for what is given and raised."""
    request.check()
    if request.hides and season.corrections_wait:
        raise InputError(
            f"{season.out}: corrections wait, and may say that somebody is to be hidden who would be shown: bring them "
            f"in first, by vcn-ray apply {shlex.quote(season.out)}"
        )
    titles = [_title(season, title)] if title is not None else [one for one in season.titles if one.error is None]
    for who in (*request.blur, *request.blur_all_but, *([request.supercut] if request.supercut is not None else [])):
        if who != UNKNOWN:
            # OptionError where there is nobody
            part_of(season, titles[0].id if title is not None and request.supercut == who else None, who)
    timecodes = {(facts.title, facts.video): facts.start_timecode for facts in season.video_facts()}
    tasks = [task for one in titles for task in _of_title(season, one, request, timecodes)]
    if video is not None:
        names = sorted({task.video for task in tasks})
        tasks = [task for task in tasks if task.video == video]
        if not tasks:
            raise OptionError(f"no video is called {video!r}; {_hint(video, names)}")
    if not tasks:
        raise InputError(f"{season.out}: there is no finished title with a video to show; run it first")
    films = [*(film for one in season.titles for film in one.videos), *(task.path for task in tasks)]
    tasks = placed(tasks, out, request.word)
    keep_films(tasks, films)
    return tasks


def _title(season: FinishedRun, wanted: str) -> FinishedTitle:
    found = next((one for one in season.titles if wanted in (one.id, one.slug)), None)
    if found is None:
        raise OptionError(f"no title is called {wanted!r}; {_hint(wanted, [one.id for one in season.titles])}")
    if found.error is not None:
        raise InputError(f"{found.id} has failed and has no tracks: {found.error}")
    return found


def _hint(wanted: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"


def _of_title(
    season: FinishedRun, title: FinishedTitle, request: OverlayRequest, timecodes: Mapping[tuple[str, str], str | None]
) -> list[VideoTask]:
    results = Store(season.out).child("titles", title.slug)
    people = _People(season, title.id)
    records = [record for record in results.read_json("title.json").get("videos", []) if record.get("path")]
    only = None
    if request.supercut is not None:
        only = people.clusters([request.supercut])
        tracks = season.tracks.to_arrow()
        tracks = tracks.filter(pc.equal(tracks["title"], title.id))
        seen = pc.is_in(tracks["cluster_id"].fill_null(-1), value_set=pa.array(sorted(only), pa.int64()))
        with_them = set(tracks.filter(seen)["video"].to_pylist())
        records = [record for record in records if record["video"] in with_them]
    hiding = _hiding(season, results, people, request) if request.hides and records else None
    boxes = request.boxes if request.boxes is not None else not request.hides and request.supercut is None
    return [
        VideoTask(
            label=title.id if len(records) == 1 else f"{title.id}: {record['video']}",
            title=results.url,
            video=record["video"],
            path=record["path"],
            fingerprint=record["fingerprint"],
            place="",
            name="",
            names=people.names,
            colours=people.colours,
            part=_part(record),
            boxes=boxes,
            hiding=hiding,
            only=only,
            start_timecode=timecodes.get((title.id, record["video"])) or "",
            crf=request.crf,
            preset=request.preset,
        )
        for record in records
    ]


class _People:
    """The characters of a title: what each is called, and who is meant."""

    def __init__(self, season: FinishedRun, title: str):
        table = season.clusters.to_arrow()
        table = table.filter(pc.equal(table["title"], title))
        clusters, self._cast = table["cluster_id"].to_pylist(), table["cast_id"].to_pylist()
        self.names: dict[int, str] = dict(zip(clusters, character_names(table).to_pylist(), strict=True))
        places = {
            cluster: cluster if cast is None else cast for cluster, cast in zip(clusters, self._cast, strict=True)
        }
        self.colours = {cluster: COLOURS[place % len(COLOURS)] for cluster, place in places.items()}

    def clusters(self, whom: Sequence[str]) -> frozenset[int]:
        """Clusters of these; -1: Unknown tracks."""
        numbers = set(map(number_in, whom))
        found = {
            cluster
            for (cluster, name), cast in zip(self.names.items(), self._cast, strict=True)
            if name in whom or (cast is not None and str(cast) in numbers)
        }
        return frozenset(found | ({-1} if UNKNOWN in whom else set()))


def _hiding(season: FinishedRun, results: Store, people: _People, request: OverlayRequest) -> Hiding:
    options = _options(Store(season.out), results)
    tracks = options.tracks
    look = Look(options.models.pack, tracks.detector, tracks.detect_max_side_px)
    if request.blur:
        seen = frozenset(people.names) - people.clusters(request.blur)
    else:
        seen = people.clusters(request.blur_all_but)
    return Hiding(seen, request.keep_unknown or -1 in seen, request.least, look)


def _options(out: Store, results: Store) -> Options:
    """A title's, as it was run; those of the season where its working data is gone."""
    try:
        if results.exists(f"work/{FACTS_KEY}"):
            return Options.model_validate(results.read_json(f"work/{FACTS_KEY}")["options"])
        return Options.model_validate(out.read_json("season.json")["options"])
    except KeyError:
        return make_options()
    except ValidationError:
        raise OutputError(
            f"{results.where('title.json')} is of another version of vcn-ray; run the same `vcn-ray run` command again"
        ) from None


def _part(record: Mapping[str, Any]) -> tuple[int, int] | None:
    first, end, frames = (record.get(name) for name in ("first_frame", "end_frame", "frames"))
    if first is None or end is None or (first, end) == (0, frames):
        return None
    return int(first), int(end)
