"""The pages of a run: one per title from the tables in its folder, one for the season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any

import pyarrow.compute as pc

from vcn_ray import __version__
from vcn_ray.config import Options
from vcn_ray.export.pictures import THUMB, Pictures
from vcn_ray.export.season_page import (
    MOST_MEMBERS,
    SeasonEntry,
    SeasonReport,
    cast_members,
    failed_entry,
    season_entry,
    write_season_page,
)
from vcn_ray.export.tables import write_season_tables
from vcn_ray.export.title_page import TitleReport, VideoSummary, write_title_page
from vcn_ray.models.packs import load_pack
from vcn_ray.season.cast import SeasonCast, make_cast
from vcn_ray.season.modelfiles import localise
from vcn_ray.season.splits import read_crops
from vcn_ray.storage import Store

_ENTRY = "season_entry.json"  # what the season's page says of a title, kept with its work
_READS_AT_ONCE = 8
_PICTURE_BUDGET_BYTES = 20_000  # of one face
_SHOWN_VERSIONS = ("ray", "torch", "av", "opencv-python", "trackers")


def write_title(
    results: Store, work: Store, options: Options, title: str, infos: Sequence[Any], seconds: Mapping[str, float]
) -> dict[str, int]:
    """Write a title's page from the tables that lie in its folder.

    Args:
        results: the title's folder.
        work: its working store, which keeps what the season's page will say of it.
        options: of the run.
        title: its id.
        infos: `VideoInfo` of its videos, in order.
        seconds: wall time of each stage.

    Returns:
        Counts: tracks, unknown, characters, faces.
    """
    models = localise(options.models)
    pack = load_pack(models.pack, models.face_id_onnx, models.face_id_input)
    report = TitleReport(
        title=title,
        videos=[
            VideoSummary(info.name, info.duration_s, info.frames, info.fps, info.width_px, info.height_px)
            for info in infos
        ],
        **{
            name: results.read_table(f"{name}.parquet")
            for name in ("faces", "tracks", "clusters", "crops", "iterations")
        },
        method=options.method,
        pack=pack.name,
        licence=pack.licence,
        options=options.model_dump(),
        versions=_versions(),
        timings_s=dict(seconds),
        warnings=[
            *(warning for info in infos for warning in info.warnings),
            *_training_warnings(results),
        ],
        season_href="../../index.html",
    )
    write_title_page(results, report)
    entry = season_entry(report, href=f"titles/{results.name}/report.html")
    work.write_json(_ENTRY, entry.to_dict())
    return {
        "faces": entry.face_count,
        "tracks": entry.tracks,
        "unknown": entry.unknown,
        "characters": entry.characters,
    }


def write_season(
    out: Store, slugs: Sequence[str], options: Options, errors: Sequence[Mapping[str, Any]], seconds: float
) -> None:
    """Match the season's cast, write its tables and its page.

    Args:
        out: the season's folder.
        slugs: of the titles that are done, in order.
        options: of the run.
        errors: of the titles that are not: title or input, error.
        seconds: wall time of the run.
    """
    titles = [out.child("titles", slug) for slug in slugs]
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:  # in an object store each read takes a while
        done = list(pool.map(lambda title: SeasonEntry.from_dict(title.child("work").read_json(_ENTRY)), titles))
        clusters = list(pool.map(lambda title: title.read_table("clusters.parquet"), titles))
    names = [entry.title for entry in done]
    cast = make_cast(out, list(zip(names, titles, strict=True)))
    write_season_tables(out, [(title, cast.of_title(name)) for name, title in zip(names, titles, strict=True)])
    models = localise(options.models)
    pack = load_pack(models.pack, models.face_id_onnx, models.face_id_input)
    report = SeasonReport(
        name=out.name,
        entries=[*done, *(failed_entry(error.get("title") or error["input"], error["error"], []) for error in errors)],
        method=options.method,
        pack=pack.name,
        licence=pack.licence,
        versions=_versions(),
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
        return Pictures(crops, _PICTURE_BUDGET_BYTES).at(member["best_track_id"], member["best_frame"], THUMB)

    members = cast.members.slice(0, MOST_MEMBERS).to_pylist()
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        found = pool.map(picture, members)
        return {row["cast_id"]: uri for row, uri in zip(members, found, strict=True) if uri is not None}


def _versions() -> dict[str, str]:
    """Of this package and of the installed ones that the result depends on most."""
    installed = {found.name for found in metadata.distributions()}
    others = {name: metadata.version(name) for name in _SHOWN_VERSIONS if name in installed}
    return {"vcn-ray": __version__, **others}


def _training_warnings(results: Store) -> list[str]:
    """What training noticed in the last iteration, such as a collapse."""
    rows = results.read_table("iterations.parquet", ["warning"])["warning"].to_pylist()
    return [f"Adaptation: {rows[-1]}"] if rows and rows[-1] else []
