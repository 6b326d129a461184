"""A season's tables and its page, from its titles' results and what people said of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from vcn_ray.config import Options
from vcn_ray.corrections.correction import Correction
from vcn_ray.corrections.correction_file import read_corrections
from vcn_ray.errors import InputError
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
from vcn_ray.pipeline.outputs.cast import CastFound, People, SeasonCast, deliver_cast, find_cast, stored_cast
from vcn_ray.pipeline.outputs.corrected import CorrectedTitles, correct_titles, said_of_cast
from vcn_ray.pipeline.outputs.found import FinishedTitle, each
from vcn_ray.pipeline.outputs.title_outputs import ENTRY_KEY, PICTURE_BUDGET_BYTES, count_again, versions
from vcn_ray.pipeline.split_tables import read_crops
from vcn_ray.storage.store import Store

if TYPE_CHECKING:  # applying corrections needs no network
    from vcn_ray.models.loading import FaceModels

#: What the season's page says that is in none of its tables.
SEASON_FACTS_KEY = "work/season_facts.json"

_READS_AT_ONCE = 8


def write_season(
    out: Store,
    slugs: Sequence[str],
    options: Options,
    errors: Sequence[Mapping[str, Any]],
    seconds: float,
    models: FaceModels,
) -> list[str]:
    """Match the season's cast, bring corrections to it, write its tables and its page.

    Args:
        out: the season's folder.
        slugs: of the titles that are done, in order.
        options: of the run.
        errors: of the titles that are not: title or input, error.
        seconds: wall time of the run.
        models: what the options' names of face models stand for.

    Returns:
        A sentence for each correction that no longer fits.
    """
    titles = _titles(out, slugs)
    corrections = read_corrections(out)
    cast = find_cast(out, titles, options.cluster, said_of_cast(titles, corrections))
    pack = models.pack(options)
    facts = {
        "slugs": list(slugs),
        "failed": [[error.get("title") or error["input"], error["error"]] for error in errors],
        "method": options.method,
        "pack": pack.name,
        "licence": pack.licence,
        "versions": versions(),
        "seconds": seconds,
    }
    out.write_bytes(
        SEASON_FACTS_KEY, json.dumps(facts, ensure_ascii=False).encode()
    )  # in the order that the page shows
    corrected = correct_titles(titles, cast, corrections)
    each(lambda title: count_again(title.work), [title for title in titles if title.id in corrected.written])
    _deliver(out, facts, titles, cast, corrected.people)
    return [str(problem) for problem in corrected.problems]


def apply_to_tables(out: Store, corrections: Sequence[Correction]) -> CorrectedTitles:
    """Bring a season's corrections into what an earlier run wrote.

    `InputError` where that has not all that it takes.
    """
    cast, titles, facts = stored_cast(out), finished_titles(out), out.read_json(SEASON_FACTS_KEY)
    corrected = correct_titles(titles, cast, corrections)
    _deliver(out, facts, titles, cast, corrected.people)
    return corrected


def finished_titles(out: Store) -> list[FinishedTitle]:
    """The titles of a finished season that are done, in order; `InputError` where there is no such season."""
    stored_cast(out)
    return _titles(out, out.read_json(SEASON_FACTS_KEY)["slugs"])


def _titles(out: Store, slugs: Sequence[str]) -> list[FinishedTitle]:
    folders = [FinishedTitle("", out.child("titles", slug)) for slug in slugs]
    ids = each(_id_of, folders)
    return [FinishedTitle(name, folder.results) for name, folder in zip(ids, folders, strict=True)]


def _id_of(title: FinishedTitle) -> str:
    if not title.work.exists(ENTRY_KEY):
        raise InputError(
            f"{title.work.url}: the working data of this title is gone, which this needs; run the same `vcn-ray run` "
            "command again, which does the title anew"
        )
    return str(title.work.read_json(ENTRY_KEY)["title"])


def _deliver(
    out: Store, facts: Mapping[str, Any], titles: Sequence[FinishedTitle], found: CastFound, people: People
) -> None:
    """Number the cast, write the season's tables and its page."""
    done = each(lambda title: SeasonEntry.from_dict(title.work.read_json(ENTRY_KEY)), titles)
    cast = deliver_cast(out, titles, people, found.networks)
    clusters = each(lambda title: title.results.read_table("clusters.parquet"), titles)
    write_season_tables(out, [(title.results, cast.of_title(title.id)) for title in titles])
    report = SeasonReport(
        name=out.name,
        entries=[*done, *(failed_entry(title, error, []) for title, error in facts["failed"])],
        method=facts["method"],
        pack=facts["pack"],
        licence=facts["licence"],
        versions=facts["versions"],
        members=cast_members(
            cast.members,
            dict(zip((title.id for title in titles), clusters, strict=True)),
            cast.member_of,
            {entry.title: entry.href or "" for entry in done},
            _pictures(cast, {title.id: title.results for title in titles}),
        ),
        cast_size=len(cast.members),
        recurring=pc.sum(pc.greater(cast.members["titles"], 1)).as_py() or 0,
        cast_of_character=cast.member_of,
        warnings=cast.warnings,
        seconds=facts["seconds"],
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
