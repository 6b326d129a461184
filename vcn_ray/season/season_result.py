"""A finished run, read back: its titles, its cast, its tables, and what went wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from vcn_ray.errors import InputError, OutputError
from vcn_ray.evaluate.report import Evaluation, evaluate_run
from vcn_ray.export.notebook import MOST_ROWS, card
from vcn_ray.export.render import several
from vcn_ray.schemas import CAST, ITERATION_CLUSTERS, ITERATIONS, SEASON_CLUSTERS, SEASON_FACES, SEASON_TRACKS
from vcn_ray.season.result_cast import Cast, CastMember, Character
from vcn_ray.season.result_tables import ResultStore, Rows
from vcn_ray.season.result_titles import Iteration, TitleResult, Titles, in_order
from vcn_ray.season.result_tracks import Face, Track
from vcn_ray.storage.store import Store


class SeasonResult:
    """What a run found. Tables and pictures are read when asked for, so a season of any size opens at once.

    `errors` is a list of dicts, as in ``errors.json``: failed titles, and inputs that were no video.
    """

    def __init__(self, out: str, titles: Sequence[Mapping[str, Any]], errors: list[dict[str, Any]]):
        """Take the folder or URL, and `titles` and `errors` of its ``season.json``."""
        self.out = out
        self.errors = errors
        self.titles = Titles([TitleResult(self, record) for record in titles])
        self.store = ResultStore(out)

    def evaluate(self, ground_truth: str | os.PathLike[str]) -> Evaluation:
        """Measure this run against a ground-truth CSV, see `evaluate.ground_truth.read_ground_truth`."""
        faces, tracks = self.faces.to_arrow(), self.tracks.to_arrow()
        return evaluate_run(faces, os.fspath(ground_truth), self.iteration_clusters, tracks)

    @cached_property
    def cast(self) -> Cast:
        """Who is in the season, whatever the title, by screen time (`schemas.CAST`)."""
        table = self.store.season_table("cast", CAST)
        return Cast(Rows(table, lambda row: CastMember(self, row), "member"))

    @cached_property
    def characters(self) -> Rows[Character]:
        """The characters of each title (`schemas.SEASON_CLUSTERS`)."""
        table = self.store.season_table("clusters", SEASON_CLUSTERS)
        return Rows(table, lambda row: Character(self, row), "character")

    @property
    def clusters(self) -> Rows[Character]:
        """`characters`, by the name that their table has."""
        return self.characters

    @cached_property
    def tracks(self) -> Rows[Track]:
        """All tracks, in the order of the season and in time (`schemas.SEASON_TRACKS`)."""
        table = self.store.season_table("tracks", SEASON_TRACKS)
        columns = ["title", "shot", "first_time_s", "track_id"]
        return Rows(table, lambda row: Track(self, row), "track", lambda: in_order(self.titles, table.read(columns)))

    @property
    def unknown(self) -> Rows[Track]:
        """The tracks that no character was found for; each says why."""
        return self.tracks.where(cluster_id=None)

    @cached_property
    def faces(self) -> Rows[Face]:
        """All faces of all tracks, a row a frame and track (`schemas.SEASON_FACES`)."""
        return Rows(self.store.season_table("faces", SEASON_FACES), lambda row: Face(**row), "face")

    @cached_property
    def iterations(self) -> Rows[Iteration]:
        """The rounds of each title's adaptation (`schemas.ITERATIONS` with the title in front)."""
        table = self.store.titles_table(self._done, "iterations", ITERATIONS)
        return Rows(table, lambda row: Iteration(**row), "iteration")

    @cached_property
    def iteration_clusters(self) -> pa.Table:
        """The clustering after each iteration (`schemas.ITERATION_CLUSTERS` with the title in front)."""
        return self.store.titles_table(self._done, "iteration_clusters", ITERATION_CLUSTERS).read()

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
