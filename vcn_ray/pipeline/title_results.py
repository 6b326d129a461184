"""The pages of a run: one per title from the tables in its folder, one for the season."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import metadata
from typing import Any

import pyarrow.compute as pc

from vcn_ray import __version__
from vcn_ray.config import Options
from vcn_ray.errors import OutputError
from vcn_ray.evaluate.report import Evaluation
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
from vcn_ray.models.user_network import localise
from vcn_ray.pipeline.cast import SeasonCast, make_cast
from vcn_ray.pipeline.track_splits import read_crops
from vcn_ray.season.season_result import SeasonResult
from vcn_ray.storage.store import Store

_ENTRY = "season_entry.json"  # what the season's page says of a title, kept with its work
_FACTS = "page_facts.json"  # what a title's page says that is in none of its tables, kept with its work
_TABLES = ("faces", "tracks", "clusters", "crops", "iterations")
_READS_AT_ONCE = 8
_PICTURE_BUDGET_BYTES = 20_000  # of one face
_SHOWN_VERSIONS = ("ray", "torch", "av", "opencv-python", "trackers")


def write_title(
    results: Store, work: Store, options: Options, title: str, infos: Sequence[Any], seconds: Mapping[str, float]
) -> dict[str, int]:
    """Write a title's page from the tables that lie in its folder.

    Args:
        results: the title's folder.
        work: its working store, which keeps what the season's page will say of it, and `show_evaluation` needs.
        options: of the run.
        title: its id.
        infos: `VideoInfo` of its videos, in order.
        seconds: wall time of each stage.

    Returns:
        Counts: tracks, unknown, characters, faces.
    """
    models = localise(options.models)
    pack = load_pack(models.pack, models.face_id_onnx, models.face_id_input)
    facts = {
        "title": title,
        "videos": [
            asdict(VideoSummary(info.name, info.duration_s, info.frames, info.fps, info.width_px, info.height_px))
            for info in infos
        ],
        "method": options.method,
        "pack": pack.name,
        "licence": pack.licence,
        "options": options.model_dump(mode="json"),
        "versions": _versions(),
        "timings_s": dict(seconds),
        "warnings": [
            *(warning for info in infos for warning in info.warnings),
            *_training_warnings(results),
        ],
    }
    work.write_bytes(_FACTS, json.dumps(facts, ensure_ascii=False).encode())  # in the order that the page shows
    report = _report(results, facts)
    write_title_page(results, report)
    entry = season_entry(report, href=f"titles/{results.name}/report.html")
    work.write_json(_ENTRY, entry.to_dict())
    return {
        "faces": entry.face_count,
        "tracks": entry.tracks,
        "unknown": entry.unknown,
        "characters": entry.characters,
    }


def show_evaluation(result: SeasonResult, evaluation: Evaluation) -> list[str]:
    """Write the pages of a run's finished titles anew, each with its own figures against ground truth.

    A title without labelled faces gets its page without any. A run that redoes a title's results takes them away.

    Args:
        result: the run.
        evaluation: of it, as `SeasonResult.evaluate` gives it.

    Returns:
        A sentence for each page that stays as it is, as it cannot be written or was made from what is gone.
    """
    of_title = evaluation.titles or dict.fromkeys(pc.unique(result.faces["title"]).to_pylist(), evaluation)
    problems = []
    for title in result.titles:
        if title["error"] is None:
            results = Store(result.out).child("titles", title["slug"])
            own = of_title.get(title["id"])
            try:
                _write_again(results, own.to_dict() if own is not None and own.identities else None)
            except OutputError as error:
                problems.append(f"{results.where('report.html')} stays as it is, without these figures: {error}")
    return problems


def _write_again(results: Store, evaluation: Mapping[str, Any] | None) -> None:
    """Write a title's page anew; `OutputError` where that cannot be done."""
    work = results.child("work")
    if not work.exists(_FACTS):
        raise OutputError(f"{work.where(_FACTS)} is gone; without it the page cannot be made")
    try:
        report = _report(results, work.read_json(_FACTS), evaluation)
    except (TypeError, KeyError):
        raise OutputError(
            f"{work.where(_FACTS)} is not what this version writes; delete {results.url}, run again"
        ) from None
    write_title_page(results, report)


def _report(results: Store, facts: Mapping[str, Any], evaluation: Mapping[str, Any] | None = None) -> TitleReport:
    """All that a title's page shows, from its folder."""
    return TitleReport(
        **{**facts, "videos": [VideoSummary(**video) for video in facts["videos"]]},
        **{name: results.read_table(f"{name}.parquet") for name in _TABLES},
        evaluation=evaluation,
        season_href="../../index.html",
    )


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
    cast = make_cast(out, list(zip(names, titles, strict=True)), options.cluster)
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
    """What training noticed in the last iteration, such as a collapse, and whether that one was delivered."""
    rows = results.read_table("iterations.parquet", ["iteration", "warning", "delivered"]).to_pylist()
    if not rows or not rows[-1]["warning"]:
        return []
    last = rows[-1]
    of_it = "" if last["delivered"] else " (its characters are not the ones delivered)"
    return [f"Adaptation, iteration {last['iteration']}{of_it}: {last['warning']}"]
