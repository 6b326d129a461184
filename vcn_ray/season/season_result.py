"""A finished run, read back: its tables, its titles and what went wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from vcn_ray.errors import InputError, OutputError
from vcn_ray.evaluate.report import Evaluation, evaluate_run
from vcn_ray.schemas import (
    CAST,
    ITERATION_CLUSTERS,
    ITERATIONS,
    SEASON_CLUSTERS,
    SEASON_FACES,
    SEASON_TRACKS,
)
from vcn_ray.storage.store import Store

_TITLE_FIRST = pa.field("title", pa.string())


@dataclass(frozen=True)
class SeasonResult:
    """What a run found. Tables are read when asked for.

    `titles` and `errors` are lists of dicts, as in ``season.json`` and ``errors.json``; a title's `error` is None when
    it is done.
    """

    out: str  # folder or URL
    titles: list[dict[str, Any]] = field(repr=False)
    errors: list[dict[str, Any]]

    def evaluate(self, ground_truth: str | os.PathLike[str]) -> Evaluation:
        """Measure this run against a ground-truth CSV, see `evaluate.ground_truth.read_ground_truth`."""
        return evaluate_run(self.faces, os.fspath(ground_truth), self.iteration_clusters, self.tracks)

    @cached_property
    def faces(self) -> pa.Table:
        """One row per detected face (`schemas.SEASON_FACES`)."""
        return self._season_table("faces", SEASON_FACES)

    @cached_property
    def tracks(self) -> pa.Table:
        """One row per track (`schemas.SEASON_TRACKS`)."""
        return self._season_table("tracks", SEASON_TRACKS)

    @cached_property
    def clusters(self) -> pa.Table:
        """One row per character (`schemas.SEASON_CLUSTERS`)."""
        return self._season_table("clusters", SEASON_CLUSTERS)

    @cached_property
    def cast(self) -> pa.Table:
        """One row per member of the season's cast (`schemas.CAST`)."""
        return self._season_table("cast", CAST)

    @cached_property
    def iterations(self) -> pa.Table:
        """One row per title and iteration (`schemas.ITERATIONS` with the title in front)."""
        return self._title_tables("iterations", ITERATIONS)

    @cached_property
    def iteration_clusters(self) -> pa.Table:
        """The clustering after each iteration (`schemas.ITERATION_CLUSTERS` with the title in front)."""
        return self._title_tables("iteration_clusters", ITERATION_CLUSTERS)

    def _season_table(self, name: str, schema: pa.Schema) -> pa.Table:
        store, key = Store(self.out), f"{name}.parquet"
        return store.read_table(key) if store.exists(key) else schema.empty_table()

    def _title_tables(self, name: str, schema: pa.Schema) -> pa.Table:
        schema = pa.schema([_TITLE_FIRST, *schema])
        parts = [schema.empty_table()]
        for title in self.titles:
            if title["error"] is None:
                table = Store(self.out).child("titles", title["slug"]).read_table(f"{name}.parquet")
                column = pa.array([title["id"]] * len(table), pa.string())
                parts.append(table.add_column(0, _TITLE_FIRST, column).cast(schema))
        return pa.concat_tables(parts)


def load_season(out: str | Path) -> SeasonResult:
    """Read back what a run wrote; `InputError` where there is no run."""
    store = Store(out)
    if not store.exists("season.json"):
        raise InputError(f"{out}: no finished run is there (season.json is missing); give the folder named by --out")
    record = store.read_json("season.json")
    try:
        return SeasonResult(store.url, record["titles"], record["errors"])
    except (TypeError, KeyError):
        raise OutputError(f"{store.where('season.json')} is not what a run wrote; run again to write it anew") from None
