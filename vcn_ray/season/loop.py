"""The work on a title after its tracks are known: cached views, iterations of adaptation and clustering, results.

Plain Python on the title's store, for whoever calls it: Ray's workers, one process, a test. Each step is stored with a
marker that bears the digest of all that it depends on; what is marked is not done again, so a title resumes after any
death. The loop is the supplement's Algorithm 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from threadpoolctl import threadpool_limits

from vcn_ray.adapt.cache import embed_chunk
from vcn_ray.adapt.finetune import Adaptation, EpochMetrics, IterationMetrics, resolve_depth
from vcn_ray.adapt.schedule import epochs_in_iteration
from vcn_ray.cluster.characters import TrackLabels, title_tables
from vcn_ray.cluster.evidence import KNOWN_CALIBRATIONS
from vcn_ray.cluster.similarity import unit
from vcn_ray.cluster.title import LOW_QUALITY, Clustering, CropOutputs, cluster_title
from vcn_ray.config import Options
from vcn_ray.export.tables import write_tables
from vcn_ray.schemas import ITERATION_CLUSTERS, ITERATIONS
from vcn_ray.season.titledata import (
    TitleCrops,
    base_network,
    choose_crops,
    iterations_digest,
    load_cannot_link,
    load_pixels,
    load_views,
    pack_of,
    view_chunks,
    views_digest,
)
from vcn_ray.storage import Store

Report = Callable[[dict[str, Any]], None]


def plan_view_chunks(store: Store, options: Options, device: str) -> list[str]:
    """Keys of the chunks of cached views that are still to be computed; none where training makes its own views.

    `store` is the title's working store with its ``tracks/`` tables; `device` where adaptation will run.
    """
    if resolve_depth(options.adapt, device) != "head":
        return []
    chunks = view_chunks(store, options)
    planned = {key for key, _ in chunks}
    for key in store.keys("views/"):  # left by other options; they hold embeddings of faces
        if key.partition(".")[0] not in planned:
            store.delete(key)
    return [key for key, rows in chunks if not store.is_done(key, views_digest(store, options, rows))]


def embed_view_chunk(store: Store, options: Options, key: str, threads: int) -> dict[str, Any]:
    """Compute and store one chunk of cached views on a CPU; returns its number of crops and seconds."""
    start = time.monotonic()
    torch.set_num_threads(threads)
    rows = dict(view_chunks(store, options))[key]
    views = embed_chunk(base_network(options), load_pixels(store, rows), rows, options.adapt, options.seed)
    store.begin(key)
    store.write_bytes(f"{key}.safetensors", views.to_bytes())
    store.mark_done(key, views_digest(store, options, rows))
    return {"crops": len(rows), "seconds": time.monotonic() - start}


def adapt_and_cluster(store: Store, options: Options, *, device: str, threads: int, report: Report) -> None:
    """Iterate adaptation and clustering until the clusters stop changing (S Alg. 1); each iteration is stored.

    Iteration 0 is the base model. `report` gets {"iteration", "epoch", ...} after every epoch and {"iteration",
    "clusters"} after every iteration. Needs the chunks that `plan_view_chunks` names.
    """
    torch.set_num_threads(threads)
    crops = choose_crops(store, options)
    inputs = iterations_digest(store, options, device, threads)
    if not len(crops):
        store.mark_done("adapt", inputs, iterations=0)
        return
    history = _stored_iterations(store, inputs)
    title: _Title | None = None
    while not _finished(history, options):
        if title is None:
            title = _Title(store, options, crops, device, inputs, report)
            title.resume(len(history) - 1)
        history.append(title.iterate(history))
        report({"iteration": len(history) - 1, "clusters": _count(history[-1]), "warning": title.warning})
    for key in store.keys("adapt/"):  # left by a longer run of other options
        if int(key.split("/")[1].partition(".")[0]) >= len(history):
            store.delete(key)
    done = store.done_info("adapt", inputs)
    if done is None or done["iterations"] != len(history):
        store.mark_done("adapt", inputs, iterations=len(history))


def finish_title(store: Store, title: str, results: Store, frame_s: Mapping[str, float]) -> None:
    """Write the title's tables into `results`: faces, tracks, clusters (Parquet and CSV), crops and iterations.

    frame_s: mean duration of a frame of each video, seconds.
    """
    faces, tracks, crops = (store.read_table(f"tracks/{name}.parquet") for name in ("faces", "tracks", "crops"))
    steps = [_step(i) for i in range(store.read_json("adapt.done.json")["iterations"])]
    stored = [store.read_json(f"{step}/clustering.json") for step in steps]
    last = stored[-1] if stored else {"track_id": [], "labels": [], "quality": []}
    labels = TrackLabels(
        np.array(last["track_id"], np.int64),
        np.array(last["labels"], np.int64),
        np.array(last["quality"], np.float64),
        [None if label >= 0 else LOW_QUALITY for label in last["labels"]],
    )
    tables = title_tables(title, faces, tracks, crops, dict(frame_s), labels)
    write_tables(results, {"faces": tables.faces, "tracks": tables.tracks, "clusters": tables.clusters})
    results.write_table("crops.parquet", crops)
    rows = [store.read_json(f"{step}/iteration.json") for step in steps]
    results.write_table("iterations.parquet", pa.Table.from_pylist(rows, ITERATIONS))
    per_iteration = [
        {"iteration": number, "track_id": track, "cluster_id": label if label >= 0 else None, "quality": quality}
        for number, content in enumerate(stored)
        for track, label, quality in zip(content["track_id"], content["labels"], content["quality"], strict=True)
    ]
    results.write_table("iteration_clusters.parquet", pa.Table.from_pylist(per_iteration, ITERATION_CLUSTERS))


class _Title:
    """A title in memory while its iterations are computed."""

    def __init__(self, store: Store, options: Options, crops: TitleCrops, device: str, inputs: str, report: Report):
        self.store, self.options, self.crops, self.inputs, self.report = store, options, crops, inputs, report
        self.warning: str | None = None
        self.cannot_link = load_cannot_link(store, crops)
        self.calibration = KNOWN_CALIBRATIONS.get(pack_of(options).face_id_digest)
        self.depth = depth = resolve_depth(options.adapt, device)
        if depth == "head":
            self.views = load_views(store, options)
            self.adaptation = Adaptation.on_cache(self.views, crops.track_of_crop, options.adapt, options.seed, device)
            return
        pixels = load_pixels(store, crops.rows)
        network = pack_of(options).face_id().to(device)  # of its own: it will be trained
        self.views = embed_chunk(network, pixels, crops.rows, options.adapt, options.seed, device=device)
        self.adaptation = Adaptation.on_network(
            network, pixels, crops.rows, crops.track_of_crop, options.adapt, options.seed, device, depth=depth
        )

    def resume(self, last: int) -> None:
        """Go on after iteration `last`, or from within the next one where an epoch of it has been stored."""
        begun = f"{_step(last + 1)}/epoch"
        if self.store.is_done(begun, self.inputs):
            self.adaptation.load_state_bytes(self.store.read_bytes(f"{begun}.safetensors"))
        elif last > 0:
            self.adaptation.load_state_bytes(self.store.read_bytes(f"{_step(last)}/state.safetensors"))

    def iterate(self, history: list[Clustering]) -> Clustering:
        """Run and store the next iteration."""
        start, number = time.monotonic(), len(history)
        step = _step(number)
        metrics = self._finetune(number, _groups(history[-1], number)) if number else None
        outputs = self._outputs(adapted=number > 0)
        with threadpool_limits(1):  # sums in one order, whatever threads the caller's process has
            clustering = cluster_title(
                outputs,
                len(self.crops.track_id),
                self.cannot_link,
                self.options.cluster,
                self.calibration,
                adapted=number > 0,
            )
        self.warning = metrics.warning if metrics else None
        row = _iteration_row(number, clustering, history[-1] if history else None, metrics)
        self.store.begin(step)
        self.store.write_json(f"{step}/clustering.json", _to_json(clustering, self.crops.track_id))
        self.store.write_json(f"{step}/iteration.json", row | {"seconds": time.monotonic() - start})
        if number:
            self.store.write_bytes(f"{step}/state.safetensors", self.adaptation.state_bytes())
        self.store.mark_done(step, self.inputs)
        # Only the last state is ever resumed from, and those of a whole network are large.
        for old in (f"{_step(number - 1)}/state.safetensors", f"{step}/epoch.done.json", f"{step}/epoch.safetensors"):
            self.store.delete(old)
        return clustering

    def _finetune(self, number: int, groups: np.ndarray) -> IterationMetrics:
        def on_epoch(metrics: EpochMetrics) -> None:
            # An epoch of the head alone takes less time than storing it; the last one is stored with its clustering.
            if self.depth != "head" and metrics.epoch + 1 < epochs_in_iteration(number, self.options.adapt):
                begun = f"{_step(number)}/epoch"
                self.store.begin(begun)
                self.store.write_bytes(f"{begun}.safetensors", self.adaptation.state_bytes())
                self.store.mark_done(begun, self.inputs)
            self.report({"iteration": number, "epoch": metrics.epoch, "loss": metrics.mean_loss})

        return self.adaptation.finetune(number, groups, on_epoch)

    def _outputs(self, *, adapted: bool) -> CropOutputs:
        views, options, crops = self.views, self.options.adapt, self.crops
        base = unit(views.plain) + unit(views.flipped)
        wants_views = self.options.cluster.matching == "gaussian"
        if not adapted:
            logits = torch.from_numpy(views.plain)
            p = torch.softmax((logits - logits.mean(dim=0)) / options.teacher_temperature, dim=-1).numpy()
            log_q = torch.log_softmax(logits / options.student_temperature, dim=-1).numpy()
            wide = [views.plain[:, None], views.flipped[:, None], views.global_views]
            several = np.concatenate(wide, axis=1) if wants_views else views.global_views[:, :0]
            return CropOutputs(crops.track_of_crop, base, base, views.dropout, several, p, log_q)
        plain, flipped = self.adaptation.embed("plain"), self.adaptation.embed("flipped")
        student = unit(plain.embeddings) + unit(flipped.embeddings)
        several = views.global_views[:, :0]
        if wants_views:
            wide = [plain.embeddings[:, None], flipped.embeddings[:, None], self.adaptation.embed("global").embeddings]
            several = np.concatenate(wide, axis=1)
        stochastic = self.adaptation.embed("dropout").embeddings
        return CropOutputs(
            crops.track_of_crop, base, student, stochastic, several, plain.probabilities, plain.log_probabilities
        )


def _step(iteration: int) -> str:
    return f"adapt/{iteration:02d}"


def _stored_iterations(store: Store, inputs: str) -> list[Clustering]:
    """The iterations that have been done for these inputs, from the first on without a gap."""
    history: list[Clustering] = []
    while store.is_done(_step(len(history)), inputs):
        content = store.read_json(f"{_step(len(history))}/clustering.json")
        history.append(
            Clustering(
                labels=np.array(content["labels"], np.int64),
                quality=np.array(content["quality"], np.float64),
                kept=np.array(content["kept"], bool),
                group=np.array(content["group"], np.int64),
                matched_pairs=content["matched_pairs"],
            )
        )
    return history


def _to_json(clustering: Clustering, track_id: np.ndarray) -> dict[str, Any]:
    return {
        "track_id": track_id.tolist(),
        "labels": clustering.labels.tolist(),
        "quality": clustering.quality.tolist(),
        "kept": clustering.kept.tolist(),
        "group": clustering.group.tolist(),
        "matched_pairs": clustering.matched_pairs,
    }


def _finished(history: list[Clustering], options: Options) -> bool:
    """Whether two adapted clusterings in a row agree, `min_iterations` done, or the limit is reached."""
    if len(history) > options.adapt.max_iterations:
        return True
    settled = len(history) > max(options.adapt.min_iterations, 2)
    return settled and _changed_tracks(history[-2].labels, history[-1].labels) == 0


def _groups(clustering: Clustering, number: int) -> np.ndarray:
    """Which tracks train together: in the first iteration each with itself alone, all of them (S 8)."""
    return np.arange(len(clustering.labels)) if number == 1 else clustering.group


def _changed_tracks(before: np.ndarray, after: np.ndarray) -> int:
    """Tracks that share their cluster with other tracks than before; Unknown tracks share with none."""

    def together(labels: np.ndarray) -> np.ndarray:
        return (labels[:, None] == labels[None]) & (labels >= 0)[:, None]

    return int((together(before) != together(after)).any(axis=1).sum())


def _count(clustering: Clustering) -> int:
    return int(clustering.labels.max(initial=-1)) + 1


def _iteration_row(
    number: int, clustering: Clustering, previous: Clustering | None, metrics: IterationMetrics | None
) -> dict[str, Any]:
    statistics = metrics.statistics if metrics else None
    return {
        "iteration": number,
        "clusters": _count(clustering),
        "unknown": int((clustering.labels < 0).sum()),
        "changed_tracks": _changed_tracks(previous.labels, clustering.labels) if previous else None,
        "mean_loss": metrics.mean_loss if metrics else None,
        "teacher_entropy": statistics.teacher_entropy if statistics else None,
        "mean_output_entropy": statistics.mean_output_entropy if statistics else None,
        "kl_teacher_student": statistics.kl_teacher_student if statistics else None,
        "mean_quality": float(clustering.quality.mean()),
        "matched_pairs": clustering.matched_pairs,
        "warning": metrics.warning if metrics else None,
    }
