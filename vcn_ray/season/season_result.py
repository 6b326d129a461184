"""A finished run, read back: its titles, its cast, its tables, and what went wrong."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vcn_ray.config import make_options
from vcn_ray.errors import InputError, OutputError
from vcn_ray.evaluate.presence import PresenceEvaluation, evaluate_presence
from vcn_ray.evaluate.report import Evaluation, evaluate_run
from vcn_ray.export.finished_season import Stills, VideoFacts, no_crops, no_stills, part_of
from vcn_ray.export.formats.by_video import tracks_by_video
from vcn_ray.export.formats.rttm import turns_of
from vcn_ray.export.notebook import MOST_ROWS, card
from vcn_ray.export.render import several
from vcn_ray.schemas import ITERATION_CLUSTERS
from vcn_ray.season.result_cast import Character, SeasonTables
from vcn_ray.season.result_curation import SeasonCuration
from vcn_ray.season.result_tables import ResultStore, Rows
from vcn_ray.season.result_titles import Iteration, TitleResult, Titles, iterations_of
from vcn_ray.season.result_tracks import Track
from vcn_ray.season.video_facts import videos_of
from vcn_ray.storage.store import Store

if TYPE_CHECKING:
    from vcn_ray.export.exporters import Exported
    from vcn_ray.monitoring.monitor import Monitor
    from vcn_ray.overlay.season_videos import VideosMade
    from vcn_ray.season.plotting import Plots


class SeasonResult(SeasonTables, SeasonCuration):
    """What a run found. Tables and pictures are read when asked for, so a season of any size opens at once.

    `errors` is a list of dicts, as in ``errors.json``: failed titles, and inputs that were no video.
    """

    def __init__(self, out: str, titles: Sequence[Mapping[str, Any]], errors: list[dict[str, Any]]):
        """Take the folder or URL, and `titles` and `errors` of its ``season.json``."""
        super().__init__(ResultStore(out, {record["id"]: record["slug"] for record in titles}))
        self.out = out
        self.errors = errors
        self.titles = Titles([TitleResult(self, record) for record in titles])

    def _read_anew(self) -> None:
        fresh = load_season(self.out)
        self.__dict__.clear()
        self.__dict__.update(fresh.__dict__)

    def evaluate(self, ground_truth: str | os.PathLike[str], min_tracks: int = 1) -> Evaluation:
        """Measure this run against ground truth: a CSV of labelled faces, or a file of tracks with identities.

        Args:
            ground_truth: file, folder or URL, see `evaluate.ground_truth.read_ground_truth`.
            min_tracks: identities of fewer good tracks in a title are left out; the paper's data set has 2.
        """
        faces, tracks = self.faces.to_arrow(), self.tracks.to_arrow()
        return evaluate_run(faces, os.fspath(ground_truth), self.iteration_clusters, tracks, min_tracks)

    def evaluate_presence(self, rttm: str | os.PathLike[str]) -> PresenceEvaluation:
        """Measure who is on screen when against an RTTM file, as diarisation is measured."""
        title_of = {facts.video: facts.title for facts in self.video_facts()}
        turns = [
            turn
            for video in tracks_by_video(part_of(self, videos=self.video_facts))
            for turn in turns_of(video, video.facts.video)
        ]
        return evaluate_presence(turns, os.fspath(rttm), title_of)

    def export(
        self,
        to: str,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        character: str | int | None = None,
        start_timecode: str | None = None,
        **options: Any,
    ) -> Exported:
        """Write it in a format that other programs read.

        Args:
            to: the format, see `export.exporters.EXPORTERS`.
            path: file to write, replaced if it is there; or a folder, for one named as the results are; or a URL.
            title: this title alone.
            character: this one alone: a name, a number of the cast, or Unknown.
            start_timecode: of each video's first frame, in place of what the file says.
            options: that the format takes, such as `handles_frames` of a stringout.

        Returns:
            Path or URL of what was written, and what there is to know of it.

        Raises:
            OptionError: no such format, title, character or option.
            OutputError: the place cannot be written.
        """
        from vcn_ray.export import exporters  # with the libraries of all formats: loading a season does not need them

        timed = [] if start_timecode is None else ["start_timecode"]
        exporters.check_export(to, [*options, *timed])  # a wrong one is told before anything is read
        place, name = exporters.place_and_name(os.fspath(path), exporters.default_name(Store(self.out).name, to))
        whom = None if character is None else _text(character)

        def videos() -> list[VideoFacts]:
            known = self.video_facts()
            if start_timecode is None:
                return known
            return [replace(facts, start_timecode=start_timecode, timecode_given=True) for facts in known]

        part = part_of(self, title, whom, videos, self._crops, _stills)
        named = not os.fspath(path).endswith("/") and Path(path).is_dir()
        return exporters.export_season(part, to, place, name, options, may_be_out=named)

    def overlay(
        self,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        video: str | None = None,
        blur: str | int | Iterable[str | int] = (),
        blur_all_but: str | int | Iterable[str | int] = (),
        supercut: str | int | None = None,
        executor: str | None = None,
        run: Mapping[str, Any] | None = None,
        monitor: Monitor | None = None,
        **wanted: Any,
    ) -> VideosMade:
        """Make videos of it, as ``vcn-ray overlay``: boxes and names drawn in, faces hidden, or one character alone.

            season.overlay("s01e01.mp4", title="s01e01")
            season.overlay("press/", blur_all_but=["Anna", "Ben"])
            season.overlay("anna/", supercut="Anna")

        Args:
            path: file, for one video; folder, or URL of either.
            title: this one alone.
            video: this one alone, by its file name.
            blur: hide these, and whoever may be one of them; see docs/overlay.md for what is not promised.
            blur_all_but: hide all but these.
            supercut: this character's shots alone, one after the other.
            executor: "local" or "ray"; None: this process for one video, else Ray.
            run: options of the Ray that works, such as ``{"address": "auto"}``.
            monitor: is told of progress; None: nobody is.
            wanted: more of `overlay.request.OverlayRequest`: boxes, keep_unknown, least, crf, preset.

        Returns:
            With `written`, paths or URLs, and `failed`, those that could not be made, each with its `error`.

        Raises:
            OptionError: no such title, video or character; several videos would go into one file.
            InputError: there is no video to show; somebody is to be hidden, and corrections wait.
        """
        from vcn_ray.overlay.request import OverlayRequest
        from vcn_ray.overlay.season_videos import overlay_season  # imports matplotlib, cv2

        request = OverlayRequest(
            blur=_texts(blur),
            blur_all_but=_texts(blur_all_but),
            supercut=None if supercut is None else _text(supercut),
            **wanted,
        )
        options = make_options(dict(run or {})).run
        return overlay_season(
            self,
            os.fspath(path),
            request,
            title=title,
            video=video,
            executor=executor,
            options=options,
            monitor=monitor,
        )

    def plot(
        self,
        *figures: str,
        title: str | None = None,
        ground_truth: str | os.PathLike[str] | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> Plots:
        """Draw the supplement's figures of this season, as ``vcn-ray plot``; see docs/figures.md.

        Args:
            figures: names of `plots.table.FIGURES`: quality, lightness, blur, tsne, sheets, iterations, times; none:
                all that can be drawn.
            title: this title alone.
            ground_truth: CSV of labelled faces, for iterations, and beside the result in tsne and sheets.
            path: folder or URL to write PNG and SVG into, or one file; None: nothing is written.

        Returns:
            A sequence of figures, each with `png` and `svg`, which a notebook shows; `problems`, a sentence for each
            that could not be drawn; `written`, paths or URLs.

        Raises:
            OptionError: no such figure or title.
            InputError: the title is not finished, or the ground truth cannot be used.
            OutputError: the place cannot be written.
        """
        from vcn_ray.season.plotting import Plot, Plots, draw_plots, write_plots  # imports matplotlib

        truth = None if ground_truth is None else os.fspath(ground_truth)
        if path is None:
            drawn = [(one, list[str]()) for one in draw_plots(self, figures, title, truth)]
        else:
            drawn = list(write_plots(self, figures, title, truth, os.fspath(path)))
        plots = [one for one, _ in drawn if isinstance(one, Plot)]
        problems = [one for one, _ in drawn if isinstance(one, str)]
        return Plots(plots, problems, [file for _, files in drawn for file in files])

    @property
    def clusters(self) -> Rows[Character]:
        """`characters`, by the name that their table has."""
        return self.characters

    @property
    def unknown(self) -> Rows[Track]:
        """The tracks that no character was found for; each says why."""
        return self.tracks.where(cluster_id=None)

    @cached_property
    def iterations(self) -> Rows[Iteration]:
        """The rounds of each title's adaptation (`schemas.ITERATIONS` with the title in front)."""
        return iterations_of(self, self._done)

    @cached_property
    def iteration_clusters(self) -> pa.Table:
        """The clustering after each iteration (`schemas.ITERATION_CLUSTERS` with the title in front)."""
        return self.store.titles_table(self._done, "iteration_clusters", ITERATION_CLUSTERS).read()

    def video_facts(self) -> list[VideoFacts]:
        """What is known of the videos of all finished titles, in order; see `season.video_facts`."""
        titles = Store(self.out).child("titles")
        return [facts for title, slug in self._done.items() for facts in videos_of(title, titles.child(slug))]

    def _crops(self, title: str) -> pa.Table:
        """The pictures of a title (`schemas.CROPS`); without rows where they are gone."""
        store = Store(self.out).child("titles", self._done[title])
        return store.read_table("crops.parquet") if store.exists("crops.parquet") else no_crops(title)

    @property
    def _done(self) -> dict[str, str]:
        """Folder of each title that is done, by id."""
        return {title.id: title.slug for title in self.titles if title.error is None}

    def __repr__(self) -> str:
        failed = len(self.titles) - len(self._done)
        titles = several(len(self.titles), "title") + (f", {failed} failed" if failed else "")
        return f"SeasonResult({self.out!r}, {titles}, cast of {len(self.cast)})"

    def _repr_html_(self) -> str:
        shown = self.titles[:MOST_ROWS]
        rows = [
            [t.id, *(map(str, (len(t.characters), len(t.tracks), len(t.unknown))) if t.error is None else ["failed"])]
            for t in shown
        ]
        problems = [f"{error.get('title') or error.get('input')}: {error['error']}" for error in self.errors]
        return card(
            Store(self.out).name,
            [f"{several(len(self.titles), 'title')}, cast of {len(self.cast)}", self.out],
            problem="; ".join(problems) or None,
            pictures=[picture for member in self.cast[:8] for picture in member.picture()],
            columns=["title", "characters", "tracks", "Unknown"],
            rows=rows,
            left_out=len(self.titles) - len(shown),
        )


def _stills(video: VideoFacts, every_s: float, max_side_px: int) -> Stills:
    """Pictures of a video, from where it was when it was run."""
    if not video.path:
        return no_stills(video, every_s, max_side_px)
    from vcn_ray.tracks.stills import stills_of  # imports what decodes, which few exports need

    return stills_of(video.path, every_s, max_side_px, video.frames)


def _texts(whom: str | int | Iterable[str | int]) -> tuple[str, ...]:
    return (_text(whom),) if isinstance(whom, str | int) else tuple(map(_text, whom))


def _text(whom: str | int) -> str:
    return f"Cast {whom}" if isinstance(whom, int) else str(whom)


def load_season(out: str | Path) -> SeasonResult:
    """Read back what a run wrote; `InputError` where there is no run."""
    store = Store(out)
    if not store.exists("season.json"):
        raise InputError(f"{out}: no finished run is there (season.json is missing); give the folder named by --out")
    record = store.read_json("season.json")
    try:
        return SeasonResult(store.url, record["titles"], record["errors"])
    except (AttributeError, TypeError, KeyError):
        raise OutputError(f"{store.where('season.json')} is not what a run wrote; run again to write it anew") from None
