"""A run measured against ground truth: all figures, and the table over iterations (paper, S Tab. 2)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.evaluate.ground_truth import GroundTruth, TrackMatches, match_tracks, read_ground_truth
from vcn_ray.evaluate.metrics import cluster_scores
from vcn_ray.evaluate.rare_identities import without_rare_identities
from vcn_ray.evaluate.reliability import Reliability, judge
from vcn_ray.evaluate.videos import check_videos, video_names, videos_of

_DIGITS = 4
_OF_CONFIDENCE = ("calibration_error", "brier", "auc")


@dataclass(frozen=True)
class Scores:
    """How well one clustering of the tracks agrees with the ground truth.

    Measures of the clustering are over true tracks that are in a cluster, and None where there are none;
    `bcubed_f_all` is over all true tracks, an Unknown one as a cluster of its own, so that hiding hard tracks among
    the Unknown costs.
    """

    clusters: int  # clusters with a true track
    unknown: int  # true tracks that are Unknown
    unknown_share: float | None
    identities_found: int  # identities that some cluster holds
    wcp: float | None = None
    pcr: float | None = None  # clusters over all identities of the ground truth
    nmi: float | None = None
    bcubed_p: float | None = None
    bcubed_r: float | None = None
    bcubed_f: float | None = None
    bcubed_f_all: float | None = None
    pair_f: float | None = None
    clusters_of_false_tracks: int = 0


@dataclass(frozen=True)
class Evaluation:
    """A run, or a title of it, measured against ground truth."""

    tracks: int
    false_tracks: int  # fewer than half of the faces match a labelled one
    untracked_faces: int  # detected faces that no track took; they count nowhere else
    track_purity: float  # of the mean true track: share of its matched faces that show its identity
    appearances: int  # (video, shot, identity) of the ground truth
    appearance_recall: float  # share of them that a true track covers
    identities: int
    scores: Scores  # of the delivered clustering
    iterations: dict[int, Scores] = field(default_factory=dict)  # 0: the base model; empty where not known
    titles: dict[str, Evaluation] = field(default_factory=dict)  # where the run has more than one
    cast: Scores | None = None  # of the cast of several titles, against identities that count once in the season
    reliability: Reliability | None = None  # of the tracks' confidence; None where they have none
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All figures, JSON-able; keys of `iterations` are text, as JSON wants them."""
        content = asdict(self)
        content["iterations"] = {str(k): v for k, v in content["iterations"].items()}
        content["titles"] = {name: title.to_dict() for name, title in self.titles.items()}
        content["reliability"] = self.reliability.to_dict() if self.reliability else None
        return content

    def json(self) -> str:
        """`to_dict` as indented JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def summary(self) -> dict[str, Any]:
        """The figures of the delivered clustering and the tracks in one flat dict, in the order for reading."""
        scores = asdict(self.scores)
        of_confidence = self.reliability.to_dict() if self.reliability else None
        return {
            "tracks": self.tracks,
            "false_tracks": self.false_tracks,
            "unknown": scores.pop("unknown"),
            "track_purity": self.track_purity,
            "appearance_recall": self.appearance_recall,
            "identities": self.identities,
            **scores,
            **({f"cast_{name}": value for name, value in asdict(self.cast).items()} if self.cast else {}),
            **({f"confidence_{name}": of_confidence[name] for name in _OF_CONFIDENCE} if of_confidence else {}),
        }

    def table(self) -> list[dict[str, Any]]:
        """Rows of the table over iterations, a dict per row; 'iteration' is a number, or 'final' for the delivery."""
        columns = ("clusters", "unknown", "wcp", "pcr", "nmi", "bcubed_f", "bcubed_f_all", "pair_f")
        rows = [*self.iterations.items(), ("final", self.scores)]
        return [{"iteration": name, **{c: getattr(scores, c) for c in columns}} for name, scores in rows]


def evaluate_run(
    faces: pa.Table,
    ground_truth_path: str | Path,
    iteration_clusters: pa.Table | None = None,
    tracks: pa.Table | None = None,
    min_tracks: int = 1,
) -> Evaluation:
    """Measure a run's faces table against ground truth.

    Characters are numbered within a title. Where the faces are of several titles, an identity therefore counts once
    per title, and `titles` has each title's own figures. Where the faces have a `cast_id`, `cast` has the figures of
    the season's cast, for which an identity counts once whatever the number of titles that it is in.

    Args:
        faces: as `schemas.FACES`; title may be missing (then all is one title). Faces without a track are counted in
            `untracked_faces` and nowhere else.
        ground_truth_path: a file, folder or URL, see `read_ground_truth`.
        iteration_clusters: as `schemas.ITERATION_CLUSTERS`, for the table over iterations; with a column title where
            the faces are of several titles.
        tracks: as `schemas.TRACKS`, for the reliability of their confidence; without the column, as older runs wrote
            it, there is none.
        min_tracks: identities of fewer good tracks (those with a crop) in a title are left out, and so are their
            tracks: neither right nor wrong. The paper's data set leaves out those of fewer than 2 (S 4).

    Raises `InputError` when the ground truth cannot be used, or has no video in common with the run.
    """
    if "title" not in faces.column_names:
        faces = faces.append_column("title", pa.array([""] * len(faces), pa.string()))
    titles = pc.unique(faces["title"]).to_pylist()
    videos = {title: videos_of(faces.filter(pc.equal(faces["title"], title))) for title in titles}
    truth = read_ground_truth(ground_truth_path).named_as({name for names in videos.values() for name in names})
    check_videos(videos, truth, ground_truth_path)
    left_out: list[str] = []
    if min_tracks > 1:
        faces, truth, left_out = without_rare_identities(faces, truth, videos, tracks, min_tracks)
    if iteration_clusters is not None and "title" not in iteration_clusters.column_names:
        if len(titles) > 1:
            raise ValueError("iteration_clusters needs a column title where the faces are of several titles")
        column = pa.array([titles[0] if titles else ""] * len(iteration_clusters), pa.string())
        iteration_clusters = iteration_clusters.append_column("title", column)
    confidence = {} if tracks is None else _confidences(tracks)
    evaluation = _evaluate(faces, truth, iteration_clusters if len(titles) < 2 else None, videos, confidence)
    evaluation.notes.extend(left_out)
    if len(titles) < 2:
        return evaluation
    for title in titles:
        clusters = iteration_clusters
        if clusters is not None:
            clusters = clusters.filter(pc.equal(clusters["title"], title))
        evaluation.titles[title] = _evaluate(
            faces.filter(pc.equal(faces["title"], title)),
            truth.of_videos(videos[title]),
            clusters,
            {title: videos[title]},
            confidence,
        )
    return evaluation


def _evaluate(
    faces: pa.Table,
    truth: GroundTruth,
    iteration_clusters: pa.Table | None,
    videos: dict[str, set[str]],
    confidence: dict[tuple[str, int], float | None],
) -> Evaluation:
    title_of = {video: title for title, names in videos.items() for video in names}
    tracked = faces.filter(pc.is_valid(faces["track_id"]))
    video = video_names(tracked)
    matches = match_tracks(
        video,
        tracked["frame"].to_numpy(),
        np.stack([tracked[name].to_numpy() for name in ("x", "y", "w", "h")], axis=1),
        tracked["track_id"].to_numpy(),
        truth,
    )
    real = matches.is_real
    labels = list(zip(truth.video, truth.shot, truth.identity, strict=True))
    appearances = set(labels)
    covered = set(zip(matches.video[real], matches.shot[real], matches.identity[real], strict=True))
    identities = {(title_of.get(v), i) for v, _, i in appearances}

    def delivered(column: str) -> list[int | None]:
        """Cluster of each track."""
        clusters = _track_clusters(video, tracked, column)
        return [clusters[v, t] for v, t in zip(matches.video, matches.track_id.tolist(), strict=True)]

    per_iteration: dict[int, Scores] = {}
    if iteration_clusters is not None:
        for iteration in sorted(pc.unique(iteration_clusters["iteration"]).to_pylist()):
            rows = iteration_clusters.filter(pc.equal(iteration_clusters["iteration"], iteration))
            cluster_of = dict(zip(rows["track_id"].to_pylist(), rows["cluster_id"].to_pylist(), strict=True))
            per_iteration[iteration] = score_tracks(
                matches, [cluster_of.get(t) for t in matches.track_id.tolist()], title_of, len(identities)
            )
    unlabelled = sorted(set(title_of) - set(truth.video))
    missing = sorted(set(truth.video) - set(title_of))
    notes = [f"{name} has no labelled face: all its tracks count as false" for name in unlabelled]
    notes += [f"{name} is in the ground truth but not in the run: its appearances count as missed" for name in missing]
    return Evaluation(
        tracks=len(real),
        false_tracks=int((~real).sum()),
        untracked_faces=len(faces) - len(tracked),
        track_purity=_rounded(np.mean(matches.agreeing[real] / matches.matched[real]) if real.any() else 0.0),
        appearances=len(appearances),
        appearance_recall=_rounded(len(covered & appearances) / len(appearances)) if appearances else 0.0,
        identities=len(identities),
        scores=score_tracks(matches, delivered("cluster_id"), title_of, len(identities)),
        iterations=per_iteration,
        notes=notes,
        cast=score_tracks(matches, delivered("cast_id"), dict.fromkeys(title_of, ""), len({i for _, i in identities}))
        if len(videos) > 1 and "cast_id" in tracked.column_names
        else None,
        reliability=_reliability(matches, delivered("cluster_id"), title_of, confidence),
    )


def _reliability(
    matches: TrackMatches,
    clusters: list[int | None],
    title_of: dict[str, str],
    confidence: dict[tuple[str, int], float | None],
) -> Reliability | None:
    rows = [
        ((title_of[video], cluster), (title_of[video], identity), confidence.get((video, track)))
        for video, track, identity, cluster in zip(
            matches.video, matches.track_id.tolist(), matches.identity, clusters, strict=True
        )
        if identity is not None and cluster is not None
    ]
    return judge([cluster for cluster, _, _ in rows], [identity for _, identity, _ in rows], [c for _, _, c in rows])


def score_tracks(
    matches: TrackMatches, clusters: list[int | None], title_of: dict[str, str], identities: int
) -> Scores:
    """Score the cluster of each track against its identity.

    Args:
        matches: what the ground truth says of t tracks.
        clusters: the t tracks' clusters, None for Unknown.
        title_of: each video's title; clusters and identities of different titles are never one.
        identities: number of identities that the ground truth has, for `pcr`.
    """
    everyone: list[tuple[Any, Any, bool]] = []  # cluster, identity, known; of true tracks
    false_clusters = set()
    for n, (video, identity, cluster) in enumerate(zip(matches.video, matches.identity, clusters, strict=True)):
        title = title_of[video]
        if identity is not None:
            label: tuple[Any, ...] = ("unknown", n) if cluster is None else (title, cluster)
            everyone.append((label, (title, identity), cluster is not None))
        elif cluster is not None:
            false_clusters.add((title, cluster))
    known = [(cluster, identity) for cluster, identity, is_known in everyone if is_known]
    unknown = len(everyone) - len(known)
    found: dict[str, Any] = {
        "clusters": len({cluster for cluster, _ in known}),
        "unknown": unknown,
        "unknown_share": _rounded(unknown / len(everyone)) if everyone else None,
        "identities_found": len({identity for _, identity in known}),
        "clusters_of_false_tracks": len(false_clusters - {cluster for cluster, _ in known}),
    }
    if not known:
        return Scores(**found)
    of_known = cluster_scores([c for c, _ in known], [i for _, i in known])
    of_all = cluster_scores([c for c, _, _ in everyone], [i for _, i, _ in everyone])
    measures = ("wcp", "nmi", "bcubed_p", "bcubed_r", "bcubed_f", "pair_f")
    shares: dict[str, Any] = {name: _rounded(getattr(of_known, name)) for name in measures}
    return Scores(
        **found,
        **shares,
        pcr=round(of_known.clusters / identities, 3),
        bcubed_f_all=_rounded(of_all.bcubed_f),
    )


def _track_clusters(video: np.ndarray, tracked: pa.Table, column: str) -> dict[tuple[str, int], int | None]:
    """Cluster of each (video, track): None is Unknown; a negative number, as other tools write it, too."""
    rows = zip(video, tracked["track_id"].to_pylist(), tracked[column].to_pylist(), strict=True)
    return {(v, t): None if c is None or c < 0 else c for v, t, c in rows}


def _confidences(tracks: pa.Table) -> dict[tuple[str, int], float | None]:
    """Confidence of each (video, track)."""
    if "confidence" not in tracks.column_names:
        return {}
    rows = zip(video_names(tracks), tracks["track_id"].to_pylist(), tracks["confidence"].to_pylist(), strict=True)
    return {(video, track): confidence for video, track, confidence in rows}


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)
