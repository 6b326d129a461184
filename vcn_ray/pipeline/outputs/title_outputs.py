"""What a title delivers: its tables, and the page that shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from vcn_ray.cluster.characters import TrackLabels, found_table, title_tables
from vcn_ray.config import Options
from vcn_ray.export.season_page import season_entry
from vcn_ray.export.tables import write_tables
from vcn_ray.export.title_page import DrawnFigure, TitleReport, VideoSummary, write_title_page
from vcn_ray.pipeline.layout import CORRECTED_KEY, FIGURES_FOLDER, FOUND_KEY, REASSIGNED_KEY, RESULTS, step_of
from vcn_ray.pipeline.split_tables import read_tracks
from vcn_ray.schemas import FOUND, ITERATION_CLUSTERS, ITERATIONS
from vcn_ray.storage.store import Store
from vcn_ray.tracks.video_info import VideoInfo
from vcn_ray.version import __version__

if TYPE_CHECKING:  # applying corrections needs no network
    from vcn_ray.models.loading import FaceModels

ENTRY_KEY = "season_entry.json"  # what the season's page says of a title, kept with its work
EVALUATION_KEY = "page_evaluation.json"  # its figures against ground truth, where its page has them
FACTS_KEY = "page_facts.json"  # what a title's page says that is in none of its tables, kept with its work
_TABLES = ("faces", "tracks", "clusters", "crops", "iterations")
PICTURE_BUDGET_BYTES = 20_000  # of one face
_SHOWN_VERSIONS = ("ray", "torch", "av", "opencv-python", "trackers")


def finish_title(store: Store, title: str, results: Store, frame_s: Mapping[str, float]) -> None:
    """Write the title's tables into `results`: faces, tracks, clusters (Parquet and CSV), crops and iterations.

    frame_s: mean duration of a frame of each video, seconds.
    """
    found = read_tracks(store)
    done = store.read_json("adapt.done.json")
    steps = [step_of(i) for i in range(done["iterations"])]
    stored = [store.read_json(f"{step}/clustering.json") for step in steps]
    nothing: dict[str, list] = {"track_id": [], "labels": [], "quality": [], "confidence": [], "reason": []}
    chosen = stored[done["delivered"]] if stored else nothing
    labels = TrackLabels(
        np.array(chosen["track_id"], np.int64),
        np.array(chosen["labels"], np.int64),
        np.array(chosen["quality"], np.float64),
        chosen["reason"],
        chosen["confidence"],
        chosen.get("one_person"),
        chosen.get("is_person"),
    )
    tables = title_tables(title, found.faces, found.tracks, found.crops, dict(frame_s), labels, found.split_from)
    store.write_table(FOUND_KEY, found_table(tables), FOUND)
    store.delete(CORRECTED_KEY)
    store.delete(REASSIGNED_KEY)
    write_tables(results, {"faces": tables.faces, "tracks": tables.tracks, "clusters": tables.clusters})
    results.write_table("crops.parquet", found.crops)
    rows = [
        store.read_json(f"{step}/iteration.json") | {"delivered": number == done["delivered"]}
        for number, step in enumerate(steps)
    ]
    results.write_table("iterations.parquet", pa.Table.from_pylist(rows, ITERATIONS))
    per_iteration = [
        {"iteration": number, "track_id": track, "cluster_id": label if label >= 0 else None, "quality": quality}
        for number, content in enumerate(stored)
        for track, label, quality in zip(content["track_id"], content["labels"], content["quality"], strict=True)
    ]
    results.write_table("iteration_clusters.parquet", pa.Table.from_pylist(per_iteration, ITERATION_CLUSTERS))


def write_title(
    results: Store,
    work: Store,
    options: Options,
    title: str,
    infos: Sequence[VideoInfo],
    seconds: Mapping[str, float],
    models: FaceModels,
) -> dict[str, int]:
    """Write a title's page from the tables that lie in its folder.

    Args:
        results: the title's folder.
        work: its working store, which keeps what the season's page will say of it, and `show_evaluation` needs.
        options: of the run.
        title: its id.
        infos: of its videos, in order.
        seconds: wall time of each stage.
        models: what the options' names of face models stand for.

    Returns:
        Counts: tracks, unknown, characters, faces.
    """
    pack = models.pack(options)
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
        "versions": versions(),
        "timings_s": dict(seconds),
        "warnings": [
            *(warning for info in infos for warning in info.warnings),
            *_training_warnings(results),
        ],
    }
    work.write_bytes(FACTS_KEY, json.dumps(facts, ensure_ascii=False).encode())  # in the order that the page shows
    return show_title(results, work)


def show_title(results: Store, work: Store) -> dict[str, int]:
    """Write a title's page from its tables, and what the season's page will say of it; its counts.

    What was measured and drawn of the tables as they were before goes.

    Args:
        results: the title's folder.
        work: its working store, with what `write_title` left there.
    """
    results.delete(FIGURES_FOLDER)
    work.delete(EVALUATION_KEY)
    report = title_report(results, work.read_json(FACTS_KEY))
    write_title_page(results, report)
    entry = season_entry(report, href=f"titles/{results.name}/report.html")
    work.write_json(ENTRY_KEY, entry.to_dict())
    return {
        "faces": entry.face_count,
        "tracks": entry.tracks,
        "unknown": entry.unknown,
        "characters": entry.characters,
    }


def count_again(work: Store) -> dict[str, int]:
    """Counts of a title as it is delivered by now, brought into its results' marker as well."""
    entry = work.read_json(ENTRY_KEY)
    counts = {
        "faces": entry["face_count"],
        "tracks": entry["tracks"],
        "unknown": entry["unknown"],
        "characters": entry["characters"],
    }
    marker = work.read_json(f"{RESULTS}.done.json")
    if marker["counts"] != counts:
        work.write_json(f"{RESULTS}.done.json", marker | {"counts": counts})
    return counts


def title_report(
    results: Store,
    facts: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None = None,
    drawn: Sequence[DrawnFigure] = (),
) -> TitleReport:
    """All that a title's page shows, from its folder; evaluation and drawn figures where there are any."""
    return TitleReport(
        **{**facts, "videos": [VideoSummary(**video) for video in facts["videos"]]},
        **{name: results.read_table(f"{name}.parquet") for name in _TABLES},
        evaluation=evaluation,
        drawn=list(drawn),
        season_href="../../index.html",
    )


def versions() -> dict[str, str]:
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
