"""One trial of the bench: one method on one case with one seed, in a title's store of its own."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch

from jobs.benchmarks.quality.ablations import parts_without
from jobs.benchmarks.quality.apart import TITLES_APART, find_apart
from jobs.benchmarks.quality.course import Course, Stopwatch
from jobs.benchmarks.quality.footage.cases import Case, title_of_case, write_labels
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks, load_title_views, match_table
from jobs.benchmarks.quality.judged import JudgedTrack, f_with_missed, judge_tracks
from jobs.benchmarks.quality.methods import ORACLES, KnownMethods, Method
from vcn_ray.cluster.links import pair_matrix
from vcn_ray.config import Options
from vcn_ray.errors import VcnError
from vcn_ray.evaluate.baselines.problem import Baseline, TrackFaces
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.evaluate.report import evaluate_run, score_tracks
from vcn_ray.models.loading import FaceModels
from vcn_ray.pipeline.adaptation_loop import adapt_and_cluster
from vcn_ray.pipeline.outputs.title_outputs import finish_title
from vcn_ray.pipeline.title_crops import choose_crops, load_cannot_link
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store

#: What settings are chosen by: Unknown tracks count, as clusters of their own.
MEASURE = "bcubed_f_all"

#: Measures of a case's tracks, whatever becomes of them: how many, how many are false, which share of the labelled
#: appearances (video, shot, identity) a true one covers. What is not covered lowers no score of a clustering.
OF_TRACKS = ("tracks", "false_tracks", "appearance_recall")

#: F where labelled appearances that no track covers count as Unknown, see `f_with_missed`.
WITH_MISSED = "bcubed_f_missed"

_DELIVERED = ("faces", "tracks", "iterations", "iteration_clusters")


@dataclass(frozen=True)
class Trial:
    """A method on a case with a seed."""

    method: Method
    case: Case
    seed: int

    @property
    def as_whole(self) -> Trial:
        """The one that stands for all trials that would measure the same under other names."""
        return replace(self, case=self.case.as_whole)

    def __str__(self) -> str:
        return f"{self.method.name} on {self.case} (seed {self.seed})"


@dataclass(frozen=True)
class Answer:
    """How a method did under one of its settings."""

    scores: Mapping[str, Any]  # `OF_TRACKS` and fields of `Scores`
    wall_s: float  # to this answer from cached views
    setting: tuple[tuple[str, float], ...] = ()
    iteration: int | None = None  # None: the method's answer; else what it would have been after this one
    iterations: int | None = None  # adapted iterations that led to the answer, of the product's
    course: Course | None = None  # of the loop that led to the answer, of the product's
    judged: tuple[JudgedTrack, ...] | None = None  # the product's confidence in its answer; None where it has none


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: answers, one a setting or iteration, or an error."""

    trial: Trial
    answers: tuple[Answer, ...] = ()
    error: str = ""
    trace: str = field(default="", repr=False)  # of what no user can mend


def measure(trial: Trial, known: KnownMethods) -> Outcome:
    """Run a method on a case; never raises for what is wrong with either.

    known: what the method's name stands for.
    """
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="vcn-quality-") as folder:
            work, truth_path = prepare_case(trial.case, trial.method.options(trial.seed), Path(folder), known.models)
            if trial.method.name == TITLES_APART:
                return Outcome(trial, (_run_apart(work, truth_path, Path(folder)),))
            if trial.method.role == "product":
                return Outcome(trial, tuple(_run_product(trial, work, truth_path, Path(folder))))
            if trial.method.role == "oracle":
                return Outcome(trial, tuple(_run_oracle(trial, work, truth_path)))
            return Outcome(trial, tuple(_run_baseline(trial, known.baseline(trial.method), work, truth_path)))
    except VcnError as error:
        return Outcome(trial, error=str(error))
    except Exception as error:
        return Outcome(trial, error=f"{type(error).__name__}: {error}", trace=traceback.format_exc())


def prepare_case(case: Case, options: Options, folder: Path, models: FaceModels) -> tuple[TitleWork, Path]:
    """Work on the case's title in a store below `folder`, and the CSV of its labels."""
    source, work = (TitleWork(Store(place), options, models) for place in (case.of.work, str(folder / "work")))
    labels = folder / "ground_truth.csv"
    truth = read_ground_truth(case.of.footage.ground_truth)
    write_labels(case.labels(truth), labels)
    if case.track_ids is None and not case.truth_tracks:  # the product's own title, byte for byte
        for key in ("tracks.done.json", *source.store.keys("tracks/"), *source.store.keys("views/")):
            work.store.write_bytes(key, source.store.read_bytes(key))
    else:
        tracks = title_of_case(case, TitleTracks.read(source), truth)
        tracks.write(work, load_title_views(source))
    return work, labels


def track_faces(work: TitleWork) -> tuple[TrackFaces, np.ndarray]:
    """What a baseline gets of a title; and the tracks' ids, (t,) int64.

    A crop's embedding is the base model's as the product takes it: the mean of those of crop and mirror image, raw.
    """
    crops, views = choose_crops(work), load_title_views(work)
    embeddings = ((views.plain + views.flipped) / 2).astype(np.float32)
    cannot_link = pair_matrix(load_cannot_link(work.store, crops), len(crops.track_id))
    return TrackFaces(embeddings, crops.track_of_crop, cannot_link), crops.track_id


def _run_baseline(trial: Trial, baseline: Baseline, work: TitleWork, labels: Path) -> list[Answer]:
    """Prepared once, then every setting: which one counts is chosen elsewhere, on other seasons."""
    held_against = _HeldAgainst(work.store, labels)
    faces, track_ids = track_faces(work)
    if not len(track_ids):  # no face is good enough for a crop: all are Unknown, whatever the method
        nothing = held_against.score(track_ids, track_ids)
        return [Answer(nothing, 0.0, tuple(sorted(setting.items()))) for setting in baseline.settings]
    started = time.perf_counter()
    cut = baseline.prepare(faces, trial.seed)
    prepared_s = time.perf_counter() - started
    answers = []
    for setting in baseline.settings:
        started = time.perf_counter()
        found = cut(**setting)
        wall_s = prepared_s + time.perf_counter() - started
        answers.append(Answer(held_against.score(track_ids, found), wall_s, tuple(sorted(setting.items()))))
    return answers


def _run_oracle(trial: Trial, work: TitleWork, labels: Path) -> list[Answer]:
    """The best of what somebody who knows the answer would choose between."""
    held_against = _HeldAgainst(work.store, labels)
    faces, track_ids = track_faces(work)
    started = time.perf_counter()
    candidates = ORACLES[trial.method.name](faces, held_against.identities) if len(track_ids) else [track_ids]
    wall_s = time.perf_counter() - started
    answers = [Answer(held_against.score(track_ids, found), wall_s) for found in candidates]
    return [max(answers, key=lambda answer: answer.scores[MEASURE] or 0.0)]


def _run_apart(work: TitleWork, labels: Path, folder: Path) -> Answer:
    """The product on parts of the title, matched."""
    track_ids, member, wall_s = find_apart(work, folder)
    return Answer(_HeldAgainst(work.store, labels).score(track_ids, member), wall_s)


class _HeldAgainst:
    """The ground truth of a case, and its tracks matched to it."""

    def __init__(self, work: Store, labels: Path):
        self._truth = truth = read_ground_truth(labels)
        faces = work.read_table("tracks/faces.parquet")
        self._matches = match_table(faces.filter(pc.is_valid(faces["track_id"])), truth)
        self.identities = len(set(truth.identity))
        real = self._matches.is_real
        appearances = set(zip(truth.video, truth.shot, truth.identity, strict=True))
        own = (self._matches.video, self._matches.shot, self._matches.identity)
        covered = appearances.intersection(zip(*(values[real] for values in own), strict=True))
        recall = round(len(covered) / len(appearances), 4)
        of_tracks = (len(real), int((~real).sum()), recall)
        self._of_tracks = dict(zip(OF_TRACKS, of_tracks, strict=True))

    def score(self, track_ids: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
        """Scores of labels (t,), -1 for Unknown, of these tracks; all others are Unknown."""
        label = {t: cluster for t, cluster in zip(track_ids.tolist(), labels.tolist(), strict=True) if cluster >= 0}
        clusters = [label.get(track) for track in self._matches.track_id.tolist()]
        titles = dict.fromkeys(self._matches.video, "")
        scores = asdict(score_tracks(self._matches, clusters, titles, self.identities))
        return {**self._of_tracks, **scores, WITH_MISSED: f_with_missed(self._matches, label, self._truth)}


def _run_product(trial: Trial, work: TitleWork, labels: Path, folder: Path) -> list[Answer]:
    """The product's own loop and the tables that a user would get."""
    watch = Stopwatch()
    parts = parts_without(trial.method.name)
    adapt_and_cluster(work, device="cpu", threads=1, on_event=watch.on_event, parts=parts)
    wall_s = watch.wall_s
    results = Store(str(folder / "results"))
    tracks = work.store.read_table("tracks/tracks.parquet").to_pylist()
    # Only screen times depend on how long a frame lasts, and they are not looked at here.
    finish_title(work.store, "case", results, {row["video"]: 1 / 25 for row in tracks})
    tables = {name: results.read_table(f"{name}.parquet") for name in _DELIVERED}
    found = evaluate_run(tables["faces"], labels, tables["iteration_clusters"])
    of_tracks = {name: getattr(found, name) for name in OF_TRACKS}
    done = max(found.iterations, default=0)
    if trial.method.every_iteration:
        return [
            Answer({**of_tracks, **asdict(scores)}, wall_s, iteration=n, iterations=done)
            for n, scores in sorted(found.iterations.items())
        ]
    course = Course.of_title(tables["iterations"], work.options.adapt.max_iterations, watch.train_s)
    truth, faces, delivered = read_ground_truth(labels), tables["faces"], tables["tracks"]
    matches = match_table(faces.filter(pc.is_valid(faces["track_id"])), truth)
    judged = judge_tracks(matches, delivered)
    cluster_of = dict(zip(delivered["track_id"].to_pylist(), delivered["cluster_id"].to_pylist(), strict=True))
    scores = {**of_tracks, **asdict(found.scores), WITH_MISSED: f_with_missed(matches, cluster_of, truth)}
    return [Answer(scores, wall_s, iterations=done, course=course, judged=judged or None)]
