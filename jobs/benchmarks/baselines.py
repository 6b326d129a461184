"""Simpler methods on the tracks of a finished run, beside the run's own iterations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

import vcn_ray
from vcn_ray.adapt.cache import CachedViews, concat_views
from vcn_ray.errors import InputError
from vcn_ray.evaluate.baselines.hac import hac_labels, mean_embeddings
from vcn_ray.evaluate.report import Evaluation, evaluate_run
from vcn_ray.models.packs import load_pack
from vcn_ray.schemas import FACES
from vcn_ray.season.splits import crop_tracks, read_cannot_link
from vcn_ray.storage import Store


def baselines(out: str, ground_truth: str) -> None:
    """Average-linkage HAC on the base model's embeddings of a run's own tracks, beside the run's iterations."""
    result = vcn_ray.load(out)
    pack = load_pack("opencv-zoo")
    for title in result.titles:
        folder = Store(out).child("titles", title["slug"])
        faces = folder.read_table("faces.parquet")
        tracks, embeddings, links = _base_model(folder)
        rows: list[tuple[str, Evaluation]] = []
        assert pack.recognition_threshold is not None  # noqa: S101  # of the pack named above
        for name, cannot_link in (("", None), (", cannot-link", links)):
            labels = hac_labels(embeddings, threshold=pack.recognition_threshold, cannot_link=cannot_link)
            evaluation = evaluate_run(_with_clusters(faces, tracks, labels), ground_truth)
            rows.append((f"HAC at {pack.recognition_threshold}{name}", evaluation))
            cuts = [hac_labels(embeddings, threshold=t, cannot_link=cannot_link) for t in np.arange(0.05, 0.75, 0.01)]
            scored = [evaluate_run(_with_clusters(faces, tracks, cut), ground_truth) for cut in cuts]
            rows.append((f"HAC, best threshold in hindsight{name}", max(scored, key=lambda e: e.scores.bcubed_f or 0)))
        evaluation = evaluate_run(faces, ground_truth, folder.read_table("iteration_clusters.parquet"))
        _print(title["id"], rows, evaluation)


def _base_model(folder: Store) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tracks, their mean embeddings by the base model, and (m, 2) rows that cannot be one person."""
    work = folder.child("work")
    keys = [key for key in work.keys("views/") if key.endswith(".safetensors")]
    if not keys:
        raise InputError(
            f"{work.where('views')} holds no cached views: run on a CPU, with the default options, and keep work/"
        )
    views = concat_views([CachedViews.from_bytes(work.read_bytes(key)) for key in keys])
    track_of_row = crop_tracks(work)
    tracks, embeddings = mean_embeddings(views.plain, track_of_row[views.keys])
    position = {int(track): row for row, track in enumerate(tracks)}
    pairs = read_cannot_link(work).to_pylist()
    both = [(position.get(p["track_a"]), position.get(p["track_b"])) for p in pairs]
    return tracks, embeddings, np.array([p for p in both if None not in p], np.int64).reshape(-1, 2)


def _with_clusters(faces: pa.Table, tracks: np.ndarray, labels: np.ndarray) -> pa.Table:
    cluster = dict(zip(tracks.tolist(), labels.tolist(), strict=True))
    column = pa.array([cluster.get(track) for track in faces["track_id"].to_pylist()], pa.int64())
    return faces.set_column(FACES.get_field_index("cluster_id"), "cluster_id", column)


def _print(title: str, rows: Sequence[tuple[str, Evaluation]], run: Evaluation) -> None:
    columns = ("wcp", "pcr", "bcubed_f", "bcubed_f_all", "unknown", "clusters")
    table = Table("method", *columns, title=title)
    for name, evaluation in rows:
        table.add_row(name, *(str(getattr(evaluation.scores, c)) for c in columns))
    table.add_section()
    for row in run.table():
        name = {0: "base model, evidence cut", "final": "result"}.get(row["iteration"], f"iteration {row['iteration']}")
        table.add_row(name, *(str(row[c]) for c in columns))
    Console(width=110).print(table)
    print(
        f"appearance recall {run.appearance_recall}, track purity {run.track_purity}, false tracks {run.false_tracks}"
    )
