"""A season's tables and its page, from its titles' results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow.compute as pc

from vcn_ray.config import Options
from vcn_ray.export.pictures import THUMB, Pictures
from vcn_ray.export.season_page import (
    MOST_MEMBERS,
    SeasonEntry,
    SeasonReport,
    cast_members,
    failed_entry,
    write_season_page,
)
from vcn_ray.export.tables import write_season_tables
from vcn_ray.models.loading import INSTALLED, FaceModels
from vcn_ray.pipeline.cast import SeasonCast, make_cast
from vcn_ray.pipeline.title_outputs import ENTRY_KEY, PICTURE_BUDGET_BYTES, versions
from vcn_ray.pipeline.track_splits import read_crops
from vcn_ray.storage.store import Store

_READS_AT_ONCE = 8


def write_season(
    out: Store,
    slugs: Sequence[str],
    options: Options,
    errors: Sequence[Mapping[str, Any]],
    seconds: float,
    models: FaceModels = INSTALLED,
) -> None:
    """Match the season's cast, write its tables and its page.

    Args:
        out: the season's folder.
        slugs: of the titles that are done, in order.
        options: of the run.
        errors: of the titles that are not: title or input, error.
        seconds: wall time of the run.
        models: what the options' names of face models stand for.
    """
    titles = [out.child("titles", slug) for slug in slugs]
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:  # in an object store each read takes a while
        done = list(pool.map(lambda title: SeasonEntry.from_dict(title.child("work").read_json(ENTRY_KEY)), titles))
        clusters = list(pool.map(lambda title: title.read_table("clusters.parquet"), titles))
    names = [entry.title for entry in done]
    cast = make_cast(out, list(zip(names, titles, strict=True)), options.cluster)
    write_season_tables(out, [(title, cast.of_title(name)) for name, title in zip(names, titles, strict=True)])
    pack = models.pack(options)
    report = SeasonReport(
        name=out.name,
        entries=[*done, *(failed_entry(error.get("title") or error["input"], error["error"], []) for error in errors)],
        method=options.method,
        pack=pack.name,
        licence=pack.licence,
        versions=versions(),
        members=cast_members(
            cast.members,
            dict(zip(names, clusters, strict=True)),
            cast.member_of,
            {entry.title: entry.href or "" for entry in done},
            _pictures(cast, dict(zip(names, titles, strict=True))),
        ),
        cast_size=len(cast.members),
        recurring=pc.sum(pc.greater(cast.members["titles"], 1)).as_py() or 0,
        cast_of_character=cast.member_of,
        warnings=cast.warnings,
        seconds=seconds,
    )
    write_season_page(out, report)


def _pictures(cast: SeasonCast, titles: Mapping[str, Store]) -> dict[int, str]:
    """The face of each member of the cast that the page shows, as data URI."""

    def picture(member: Mapping[str, Any]) -> str | None:
        if member["best_track_id"] is None:
            return None
        # The working store's crops come in small groups of rows, of which one is read.
        work = titles[member["best_title"]].child("work")
        crops = read_crops(work, ["track_id", "frame", "score", "sharpness", "jpeg"], member["best_track_id"])
        return Pictures(crops, PICTURE_BUDGET_BYTES).at(member["best_track_id"], member["best_frame"], THUMB)

    members = cast.members.slice(0, MOST_MEMBERS).to_pylist()
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        found = pool.map(picture, members)
        return {row["cast_id"]: uri for row, uri in zip(members, found, strict=True) if uri is not None}
