"""A title in memory while its iterations are computed: training, clustering, and what is stored of them when."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from threadpoolctl import threadpool_limits

from vcn_ray.adapt.cache import CachedViews
from vcn_ray.adapt.finetune import Adaptation, EpochMetrics, IterationMetrics, resolve_depth
from vcn_ray.adapt.schedule import epochs_in_iteration
from vcn_ray.adapt.workers import Workers
from vcn_ray.cluster.character_confidence import CharacterConfidence
from vcn_ray.cluster.clusterer import Clusterer, CropOutputs
from vcn_ray.cluster.similarity import directions_and_clarity, mean_directions, unit
from vcn_ray.cluster.title import Clustering, cluster_title
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY, step_of
from vcn_ray.pipeline.split_tables import read_cannot_link
from vcn_ray.pipeline.stages import OnEvent
from vcn_ray.pipeline.title_crops import TitleCrops, link_pairs, load_pixels
from vcn_ray.pipeline.title_links import read_title_links
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.schemas import EMBEDDINGS


class Start(IntEnum):
    """Where workers begin."""

    BASE = 0  # the base model
    ITERATION = 1  # the end of the iteration before
    EPOCH = 2  # an epoch within the iteration


class AdaptingTitle:
    """A title's crops, views, networks and optimiser in one of its workers.

    The first worker (rank 0) alone stores, tells and clusters.
    """

    def __init__(
        self,
        work: TitleWork,
        crops: TitleCrops,
        device: str,
        inputs: str,
        on_event: OnEvent,
        workers: Workers,
        clusterer: Clusterer,
        store_every_s: float,
        views: Callable[[], CachedViews],
    ):
        """Load all of it.

        inputs: the digest that the steps' markers bear; on_event: as in `adapt_and_cluster`; store_every_s: within an
        iteration the state is stored after an epoch when so many seconds have passed since it last was; views: gives
        those of all crops.
        """
        self.work, self.crops, self.inputs, self.on_event, self.workers = work, crops, inputs, on_event, workers
        self.store, self.options = work.store, work.options
        self.clusterer, self._store_every_s = clusterer, store_every_s
        self.warning: str | None = None  # of the last iteration
        self._earlier: list[np.ndarray] = []  # of each adapted iteration, (tracks, D) float32: the student's directions
        self._stored_at = time.monotonic()
        options = work.options
        depth = resolve_depth(options.adapt, device)
        self._views: CachedViews | None = None  # what clustering takes: the first worker's alone
        if depth == "head":
            cached = self._views = views()
            self.adaptation = Adaptation.on_cache(cached, crops.track_of_crop, options.adapt, options.seed, device)
            return
        if workers.rank == 0:
            self._views = views()
        pixels = load_pixels(work.store, crops.rows)
        network = work.models.pack(options).face_id().to(device)  # of its own: it will be trained
        self.adaptation = Adaptation.on_network(
            network, pixels, crops.rows, crops.track_of_crop, options.adapt, options.seed, device, depth=depth
        )

    def where_to_start(self, iteration: int) -> Start:
        """How far the store takes a worker that is to compute this iteration."""
        if self.store.is_done(f"{step_of(iteration)}/epoch", self.inputs):
            return Start.EPOCH
        return Start.ITERATION if iteration > 1 else Start.BASE

    def load(self, start: Start, iteration: int) -> None:
        """Take the stored state from which this iteration starts."""
        if self.workers.rank == 0:
            for number in range(1, iteration):
                content = self.store.read_bytes(f"{step_of(number)}/student.safetensors")
                self._earlier.append(load_safetensors(content)["directions"])
        if start == Start.EPOCH:
            self.adaptation.load_state_bytes(self.store.read_bytes(f"{step_of(iteration)}/epoch.safetensors"))
        elif start == Start.ITERATION:
            self.adaptation.load_state_bytes(self.store.read_bytes(f"{step_of(iteration - 1)}/state.safetensors"))

    def finetune(self, number: int, group_of_track: np.ndarray, character_of_track: np.ndarray) -> IterationMetrics:
        """Train an iteration together with the other workers; the first stores its state now and then.

        group_of_track, character_of_track: (tracks,) int64, see `Adaptation.finetune`.
        """

        def on_epoch(metrics: EpochMetrics) -> None:
            leaving = self.workers.leaving()
            if self.workers.rank > 0:
                return
            # The last one is stored with its clustering.
            if metrics.epoch + 1 < epochs_in_iteration(number, self.options.adapt) and (
                leaving or time.monotonic() - self._stored_at >= self._store_every_s
            ):
                begun = f"{step_of(number)}/epoch"
                self.store.begin(begun)
                self.store.write_bytes(f"{begun}.safetensors", self.adaptation.state_bytes())
                self.store.mark_done(begun, self.inputs)
                self._stored_at = time.monotonic()
            self.on_event({"iteration": number, "epoch": metrics.epoch, "loss": metrics.mean_loss})

        return self.adaptation.finetune(number, group_of_track, on_epoch, self.workers, character_of_track)

    def iterate(self, number: int, group_of_track: np.ndarray | None, previous: Clustering | None) -> Clustering:
        """Run and store an iteration, in the first worker; iteration 0 trains nothing and follows none."""
        started = time.monotonic()
        step = step_of(number)
        metrics = None
        if group_of_track is not None and previous is not None:
            metrics = self.finetune(number, group_of_track, previous.labels)
        outputs = self._outputs(adapted=metrics is not None)
        with threadpool_limits(1):  # sums in one order, whatever threads the caller's process has
            clustering = cluster_title(
                outputs,
                len(self.crops.track_id),
                link_pairs(read_cannot_link(self.store), self.crops),
                self.options.cluster,
                self.work.models.calibration(self.options),
                clusterer=self.clusterer,
                adapted=metrics is not None,
                seed=self.options.seed,
                links=read_title_links(self.store, self.crops),
                earlier=tuple(self._earlier),
                threads=torch.get_num_threads(),
            )
        self.warning = metrics.warning if metrics else None
        row = _iteration_row(number, clustering, previous, metrics)
        self.store.begin(step)
        self.store.write_json(f"{step}/clustering.json", _to_json(clustering, self.crops.track_id))
        self.store.write_json(f"{step}/iteration.json", row | {"seconds": time.monotonic() - started})
        if number:
            self.store.write_bytes(f"{step}/state.safetensors", self.adaptation.state_bytes())
            student = mean_directions(outputs.adapted, self.crops.track_of_crop, len(self.crops.track_id))
            self._earlier.append(student.astype(np.float32))
            content = save_safetensors({"directions": self._earlier[-1]})
            self.store.write_bytes(f"{step}/student.safetensors", content)
        else:
            self.store.write_table(EMBEDDINGS_KEY, self._embeddings(outputs.base), EMBEDDINGS)
        self.store.mark_done(step, self.inputs)
        self._stored_at = time.monotonic()
        # Only the last state is ever resumed from, and those of a whole network are large.
        for old in (f"{step_of(number - 1)}/state.safetensors", f"{step}/epoch.done.json", f"{step}/epoch.safetensors"):
            self.store.delete(old)
        return clustering

    def _embeddings(self, base: np.ndarray) -> pa.Table:
        """As `schemas.EMBEDDINGS`; base: (crops, D)."""
        track_id = self.crops.track_id
        with threadpool_limits(1):
            directions = mean_directions(base, self.crops.track_of_crop, len(track_id))
            _, clarity = directions_and_clarity(base, self.crops.track_of_crop, len(track_id))
        network = [self.work.models.pack(self.options).face_id_digest] * len(track_id)
        return pa.table(
            {
                "track_id": track_id,
                "face_id": network,
                "embedding": list(directions.astype(np.float32)),
                "clarity": clarity.astype(np.float32),
            }
        )

    def _outputs(self, *, adapted: bool) -> CropOutputs:
        views, options, crops = self._views, self.options.adapt, self.crops
        if views is None:
            raise ValueError("only the first worker clusters")
        base = (views.plain + views.flipped) / 2
        wants_views = self.options.cluster.matching in ("gaussian", "mutual")
        if not adapted:
            logits = torch.from_numpy(views.plain)
            log_p = torch.log_softmax((logits - logits.mean(dim=0)) / options.teacher_temperature, dim=-1).numpy()
            log_q = torch.log_softmax(logits / options.student_temperature, dim=-1).numpy()
            wide = [views.plain[:, None], views.flipped[:, None], views.global_views]
            several = np.concatenate(wide, axis=1) if wants_views else views.global_views[:, :0]
            return CropOutputs(crops.track_of_crop, base, base, views.dropout, several, log_p, log_q)
        plain, flipped = self.adaptation.embed("plain"), self.adaptation.embed("flipped")
        student = unit(plain.embeddings) + unit(flipped.embeddings)
        several = views.global_views[:, :0]
        if wants_views:
            wide = [plain.embeddings[:, None], flipped.embeddings[:, None], self.adaptation.embed("global").embeddings]
            several = np.concatenate(wide, axis=1)
        stochastic = self.adaptation.embed("dropout").embeddings
        log_p, log_q = plain.target_log_probabilities, plain.log_probabilities
        return CropOutputs(crops.track_of_crop, base, student, stochastic, several, log_p, log_q)


def count_clusters(clustering: Clustering) -> int:
    """Number of clusters."""
    return int(clustering.labels.max(initial=-1)) + 1


def changed_tracks(before: np.ndarray, after: np.ndarray) -> int:
    """Tracks that are in another character than before, or have become known or Unknown (-1).

    Characters before and after are matched one to one so that most tracks stay: a character of a hundred tracks that
    loses one has one that changed. before, after: (tracks,) labels; their numbers mean nothing.
    """
    known = (before >= 0) & (after >= 0)
    pairs, count = np.unique(np.stack([before[known], after[known]], axis=1), axis=0, return_counts=True)
    ever_known = int(((before >= 0) | (after >= 0)).sum())
    if not len(pairs):
        return ever_known
    old, new = (np.unique(column, return_inverse=True)[1] for column in pairs.T)
    olds = int(old.max()) + 1
    # A column of its own for each old character that is matched to none; a weight has to be above 0.
    nobody = np.arange(olds)
    rows, columns = np.concatenate([old, nobody]), np.concatenate([new, int(new.max()) + 1 + nobody])
    weight = coo_array((np.concatenate([count, np.zeros(olds, np.int64)]) + 1, (rows, columns))).tocsr()
    stay = weight[min_weight_full_bipartite_matching(weight, maximize=True)].sum() - olds
    return ever_known - int(stay)


def _mean_confidence(clustering: Clustering) -> float | None:
    """Mean over the clustered tracks; None where it is not known."""
    known = clustering.confidence[clustering.labels >= 0]
    return float(known.mean()) if len(known) and not np.isnan(known).any() else None


def _to_json(clustering: Clustering, track_id: np.ndarray) -> dict[str, Any]:
    """As it is stored: lists that go side by side, a value a track."""
    characters = clustering.characters or CharacterConfidence.unknown(len(track_id))
    return {
        "track_id": track_id.tolist(),
        "labels": clustering.labels.tolist(),
        "confidence": _or_null(clustering.confidence),
        "one_person": _or_null(characters.one_person),
        "is_person": _or_null(characters.is_person),
        "reason": clustering.reason,
        "quality": clustering.quality.tolist(),
        "kept": clustering.kept.tolist(),
        "group": clustering.group.tolist(),
        "matched_pairs": clustering.matched_pairs,
    }


def _or_null(probability: np.ndarray) -> list[float | None]:
    return [None if np.isnan(p) else p for p in probability.tolist()]


def _iteration_row(
    number: int, clustering: Clustering, previous: Clustering | None, metrics: IterationMetrics | None
) -> dict[str, Any]:
    statistics = metrics.statistics if metrics else None
    return {
        "iteration": number,
        "clusters": count_clusters(clustering),
        "unknown": int((clustering.labels < 0).sum()),
        "changed_tracks": changed_tracks(previous.labels, clustering.labels) if previous else None,
        "mean_loss": metrics.mean_loss if metrics else None,
        "teacher_entropy": statistics.teacher_entropy if statistics else None,
        "mean_output_entropy": statistics.mean_output_entropy if statistics else None,
        "kl_teacher_student": statistics.kl_teacher_student if statistics else None,
        "mean_quality": float(clustering.quality.mean()),
        "mean_confidence": _mean_confidence(clustering),
        "matched_pairs": clustering.matched_pairs,
        "warning": metrics.warning if metrics else None,
    }
