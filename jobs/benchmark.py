r"""Figures to hold a run against: simpler methods on the same tracks, and stage 1 beside plain decoding.

    python jobs/benchmark.py baselines OUT --ground-truth CSV      # of a finished run, work/ not deleted
    python jobs/benchmark.py stage1 VIDEO                          # frames per second against a bare loop

Both sides of every comparison come from one run on one machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import cv2
import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

import vcn_ray
from vcn_ray.adapt.cache import CachedViews, concat_views
from vcn_ray.config import make_options
from vcn_ray.errors import InputError, VcnError
from vcn_ray.evaluate.baselines import hac_labels, mean_embeddings
from vcn_ray.evaluate.report import Evaluation, evaluate_run
from vcn_ray.models.packs import load_pack
from vcn_ray.schemas import FACES
from vcn_ray.storage import Store
from vcn_ray.tracks.decode import Picture, read_frames
from vcn_ray.tracks.extract import extract_shard
from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.shards import Shard
from vcn_ray.tracks.tracker import KEEP_SCORE


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
        raise InputError(f"{work.root} holds no cached views: run on a CPU, with the default options, and keep work/")
    views = concat_views([CachedViews.from_bytes(work.read_bytes(key)) for key in keys])
    track_of_row = np.array(work.read_table("tracks/crops.parquet")["track_id"].to_pylist(), np.int64)
    tracks, embeddings = mean_embeddings(views.plain, track_of_row[views.keys])
    position = {int(track): row for row, track in enumerate(tracks)}
    pairs = work.read_table("tracks/cannot_link.parquet").to_pylist()
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


def stage1(video: str, repeats: int) -> None:
    """Frames per second of stage 1 and of a bare loop that decodes and runs the same detector on the same frames."""
    cv2.setNumThreads(1)
    info, options, pack = probe_video(video), make_options().tracks, load_pack("opencv-zoo")
    picture, detector = Picture(info, options.detect_max_side_px), pack.detector(KEEP_SCORE)
    ratios = []
    for _ in range(repeats):
        start = time.perf_counter()
        for number, frame in read_frames(info):
            if number % options.detect_every_frames == 0:
                detector.detect(picture.bgr(frame))
        bare_s = time.perf_counter() - start
        start = time.perf_counter()
        extract_shard(info, Shard(0, info.frames), pack, options)
        stage_s = time.perf_counter() - start
        ratios.append(bare_s / stage_s)
        print(
            f"decode + detect {info.frames / bare_s:6.1f} frames/s   stage 1 {info.frames / stage_s:6.1f} frames/s   "
            f"ratio {bare_s / stage_s:.2f}"
        )
    print(f"median ratio {np.median(ratios):.2f} over {repeats} runs, one process, {info.width_px}x{info.height_px}")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of_run = commands.add_parser("baselines", help="HAC on the tracks of a finished run")
    of_run.add_argument("out")
    of_run.add_argument("--ground-truth", required=True)
    of_video = commands.add_parser("stage1", help="stage 1 against decode + detect")
    of_video.add_argument("video")
    of_video.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    try:
        if arguments.command == "baselines":
            baselines(arguments.out, arguments.ground_truth)
        else:
            stage1(arguments.video, arguments.repeats)
    except VcnError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
