"""From labels to the tables that a user gets: faces, tracks and characters of a title."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.schemas import CLUSTERS, FACES, TRACKS


@dataclass(frozen=True)
class TitleTables:
    """What a title delivers, see `schemas`."""

    faces: pa.Table
    tracks: pa.Table
    clusters: pa.Table


@dataclass(frozen=True)
class TrackLabels:
    """The clustering of a title's tracks, of those at least that have crops.

    track_id: (n,) int64; cluster: (n,) int64, negative = Unknown; quality: (n,) float in 0..1, NaN where not measured;
    reason: why Unknown, None where clustered; confidence: probability of the cluster, None where Unknown or not known;
    one_person, is_person: of each track's cluster, see `CharacterConfidence`; None where not known, or for all of them.
    """

    track_id: np.ndarray
    cluster: np.ndarray
    quality: np.ndarray
    reason: list[str | None]
    confidence: list[float | None]
    one_person: list[float | None] | None = None
    is_person: list[float | None] | None = None


def title_tables(
    title: str,
    faces: pa.Table,
    tracks: pa.Table,
    crops: pa.Table,
    frame_s: dict[str, float],
    labels: TrackLabels,
    split_from: Mapping[int, int] | None = None,
) -> TitleTables:
    """Join stage 1's tables with the clustering.

    Clusters are numbered 0.. by screen time, longest first (ties: first seen). Screen time is the number of different
    frames in which a character has a face, times the video's mean frame duration `frame_s[video]`.

    faces, tracks, crops: schemas.STAGE1_FACES, STAGE1_TRACKS, CROPS. Tracks that the labels lack are Unknown for the
    reason that stage 1 gave. split_from: {track: the one that it was cut from}. Detections that no track took are left
    out: nearly all are the weak ones that only help the tracker along; stage 1's own table keeps them.
    """
    faces = faces.filter(pc.is_valid(faces["track_id"]))
    track_ids = tracks["track_id"].to_numpy()
    position = {int(t): i for i, t in enumerate(track_ids)}
    raw = np.full(len(track_ids), -1, np.int64)
    quality: list[float | None] = [None] * len(track_ids)
    confidence: list[float | None] = [None] * len(track_ids)
    reason: list[str | None] = tracks["reason"].to_pylist()
    for i, track in enumerate(labels.track_id):
        row = position[int(track)]
        measured = None if np.isnan(labels.quality[i]) else float(labels.quality[i])
        raw[row], quality[row], confidence[row] = labels.cluster[i], measured, labels.confidence[i]
        reason[row] = None if labels.cluster[i] >= 0 else labels.reason[i]

    face_row = np.array([position[t] for t in faces["track_id"].to_pylist()], np.int64)
    face_raw = raw[face_row]
    number, seconds = _by_screen_time(face_raw, faces, frame_s)
    cluster = _renumber(raw, number)
    face_cluster = _renumber(face_raw, number)

    n_faces, n_tracks = len(faces), len(tracks)
    quality_array = pa.array(quality, pa.float32())
    return TitleTables(
        faces=pa.table(
            {
                "title": pa.array([title] * n_faces, pa.string()),
                **{c: faces[c] for c in ("video", "frame", "time_s", "shot", "x", "y", "w", "h", "score", "track_id")},
                "cluster_id": _nullable(face_cluster),
                "character": pa.nulls(n_faces, pa.string()),
                "quality": quality_array.take(pa.array(face_row)),
            }
        )
        .select(FACES.names)
        .cast(FACES),
        tracks=pa.table(
            {
                "title": pa.array([title] * n_tracks, pa.string()),
                **{c: tracks[c] for c in TRACKS.names if c in tracks.column_names and c != "reason"},
                "split_from": pa.array([(split_from or {}).get(int(t)) for t in track_ids], pa.int64()),
                "quality": quality_array,
                "confidence": pa.array(confidence, pa.float32()),
                "status": pa.array(["clustered" if c >= 0 else "unknown" for c in cluster], pa.string()),
                "reason": pa.array(reason, pa.string()),
                "cluster_id": _nullable(cluster),
                "character": pa.nulls(n_tracks, pa.string()),
                "corrected_by": pa.nulls(n_tracks, pa.string()),
            }
        )
        .select(TRACKS.names)
        .cast(TRACKS),
        clusters=_clusters(title, track_ids, cluster, face_cluster, seconds, crops, quality, labels),
    )


def found_table(tables: TitleTables) -> pa.Table:
    """The tracks with what is known of their characters: all that `schemas.FOUND` keeps."""
    place = pc.index_in(tables.tracks["cluster_id"], tables.clusters["cluster_id"].combine_chunks())
    table = tables.tracks
    for name in ("one_person", "is_person"):
        table = table.append_column(name, tables.clusters[name].combine_chunks().take(place))
    return table


def _by_screen_time(face_raw: np.ndarray, faces: pa.Table, frame_s: dict[str, float]) -> tuple[dict[int, int], list]:
    """New number of each raw label, and the screen times in seconds in the new order."""
    known = face_raw >= 0
    if not known.any():
        return {}, []
    videos, video_code = np.unique(faces["video"].to_numpy(zero_copy_only=False), return_inverse=True)
    seen = np.stack([face_raw[known], video_code[known], faces["frame"].to_numpy()[known]], axis=1)
    label, first_row = np.unique(face_raw[known], return_index=True)
    appearances = np.unique(seen, axis=0)
    duration = np.array([frame_s[str(v)] for v in videos])[appearances[:, 1]]
    seconds = np.bincount(np.searchsorted(label, appearances[:, 0]), weights=duration)
    order = np.lexsort((first_row, -seconds))
    return {int(label[k]): rank for rank, k in enumerate(order)}, [float(seconds[k]) for k in order]


def _renumber(raw: np.ndarray, number: dict[int, int]) -> np.ndarray:
    table = np.full(int(raw.max(initial=-1)) + 2, -1, np.int64)  # its last row, -1, is what Unknown (-1) picks
    for old, new in number.items():
        table[old] = new
    return table[raw]


def _nullable(cluster: np.ndarray) -> pa.Array:
    return pa.array(cluster, pa.int64(), mask=cluster < 0)


def _clusters(
    title: str,
    track_ids: np.ndarray,
    cluster: np.ndarray,
    face_cluster: np.ndarray,
    seconds: list,
    crops: pa.Table,
    quality: list[float | None],
    labels: TrackLabels,
) -> pa.Table:
    n = len(seconds)
    cluster_of = dict(zip(track_ids.tolist(), cluster.tolist(), strict=True))
    quality_of = dict(zip(track_ids.tolist(), quality, strict=True))
    best: dict[int, tuple[float, int, int]] = {}
    columns = (crops[c].to_pylist() for c in ("track_id", "frame", "score"))
    for track, frame, score in zip(*columns, strict=True):
        k = cluster_of.get(track, -1)
        # A confident detection in a track of good quality shows the face best; the first of equals.
        value = (score or 0.0) * (quality_of.get(track) or 0.0)
        if k >= 0 and (k not in best or value > best[k][0]):
            best[k] = (value, track, frame)
    return pa.table(
        {
            "title": pa.array([title] * n, pa.string()),
            "cluster_id": pa.array(range(n), pa.int64()),
            "character": pa.nulls(n, pa.string()),
            "name_confidence": pa.nulls(n, pa.float32()),
            # Tracks that corrections brought together say different things: one stranger among them is enough for two
            # people, one person for somebody.
            "one_person": _of_clusters(min, labels.one_person, labels.track_id, cluster_of, n),
            "is_person": _of_clusters(max, labels.is_person, labels.track_id, cluster_of, n),
            "tracks": pa.array(np.bincount(cluster[cluster >= 0], minlength=n), pa.int32()),
            "faces": pa.array(np.bincount(face_cluster[face_cluster >= 0], minlength=n), pa.int32()),
            "screen_time_s": pa.array(seconds, pa.float64()),
            "best_track_id": pa.array([best[k][1] if k in best else None for k in range(n)], pa.int64()),
            "best_frame": pa.array([best[k][2] if k in best else None for k in range(n)], pa.int64()),
        }
    ).cast(CLUSTERS)


def _of_clusters(
    choose: Callable[[list[float]], float],
    values: Sequence[float | None] | None,
    track_id: np.ndarray,
    cluster_of: Mapping[int, int],
    n: int,
) -> pa.Array:
    """The value of each of n clusters, chosen from those that its tracks have; null where none has any."""
    known: list[list[float]] = [[] for _ in range(n)]
    for track, value in zip(track_id.tolist(), values or [None] * len(track_id), strict=True):
        if value is not None and cluster_of[track] >= 0:
            known[cluster_of[track]].append(value)
    return pa.array([choose(own) if own else None for own in known], pa.float32())
