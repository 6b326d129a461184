"""The pages of a run: one per title from the tables in its folder, one for the season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from vcn_ray import __version__
from vcn_ray.config import Options
from vcn_ray.export.season_page import SeasonEntry, SeasonReport, failed_entry, season_entry, write_season_page
from vcn_ray.export.tables import write_season_tables
from vcn_ray.export.title_page import TitleReport, VideoSummary, write_title_page
from vcn_ray.models.packs import load_pack
from vcn_ray.storage import Store

_ENTRY = "season_entry.json"  # what the season's page says of a title, kept with its work
_SHOWN_VERSIONS = ("ray", "torch", "av", "opencv-python", "trackers", "scenedetect")


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
    pack = load_pack(options.models.pack, options.models.face_id_onnx, options.models.face_id_input)
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
    entry = season_entry(report, href=f"titles/{results.root.name}/report.html")
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
    """Write the season's tables and its page.

    Args:
        out: the season's folder.
        slugs: of the titles that are done, in order.
        options: of the run.
        errors: of the titles that are not: title or input, error.
        seconds: wall time of the run.
    """
    titles = [out.child("titles", slug) for slug in slugs]
    write_season_tables(out, titles)
    pack = load_pack(options.models.pack, options.models.face_id_onnx, options.models.face_id_input)
    entries = [SeasonEntry.from_dict(title.child("work").read_json(_ENTRY)) for title in titles]
    entries += [failed_entry(error.get("title") or error["input"], error["error"], []) for error in errors]
    report = SeasonReport(
        name=out.root.name,
        entries=entries,
        method=options.method,
        pack=pack.name,
        licence=pack.licence,
        versions=_versions(),
        seconds=seconds,
    )
    write_season_page(out, report)


def _versions() -> dict[str, str]:
    """Of this package and of the installed ones that the result depends on most."""
    installed = {found.name for found in metadata.distributions()}
    others = {name: metadata.version(name) for name in _SHOWN_VERSIONS if name in installed}
    return {"vcn-ray": __version__, **others}


def _training_warnings(results: Store) -> list[str]:
    """What training noticed in the last iteration, such as a collapse."""
    rows = results.read_table("iterations.parquet", ["warning"])["warning"].to_pylist()
    return [f"Adaptation: {rows[-1]}"] if rows and rows[-1] else []
