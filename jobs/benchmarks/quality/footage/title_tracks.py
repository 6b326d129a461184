"""The tracks of a title as the bench changes them: some of them alone, or regrouped by the ground truth.

What comes out is a title's working store again, so the product's own loop works on it as on any other: tables of
stage 1, and the cached views of their crops, which stay what they were.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcn_ray.adapt.cache import CachedViews
from vcn_ray.evaluate.ground_truth import GroundTruth, TrackMatches, match_faces, match_tracks
from vcn_ray.pipeline.title_crops import choose_crops, load_views, view_chunks
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.schemas import CANNOT_LINK, CROPS, STAGE1_FACES, STAGE1_TRACKS
from vcn_ray.storage.store import digest
from vcn_ray.track_files.content import file_name
from vcn_ray.tracks.tracktable import track_table


@dataclass(frozen=True)
class TitleTracks:
    """Stage 1 of a title, as far as it has tracks: tables as in ``tracks/`` of its working store."""

    faces: pa.Table  # STAGE1_FACES, each with a track
    tracks: pa.Table  # STAGE1_TRACKS
    crops: pa.Table  # CROPS, those that have cached views
    cannot_link: pa.Table  # CANNOT_LINK
    view_row: np.ndarray  # (crops,) int64: place of each crop in the title's cached views

    @classmethod
    def read(cls, work: TitleWork) -> TitleTracks:
        """The tracks of a title."""
        faces, tracks, cannot_link = (
            work.store.read_table(f"tracks/{name}.parquet") for name in ("faces", "tracks", "cannot_link")
        )
        rows = choose_crops(work).rows
        crops = work.store.read_table("tracks/crops.parquet", rows=rows)
        return cls(faces.filter(pc.is_valid(faces["track_id"])), tracks, crops, cannot_link, np.arange(len(rows)))

    def of_tracks(self, track_ids: Collection[int]) -> TitleTracks:
        """These tracks alone."""
        wanted = pa.array(sorted(track_ids), pa.int64())
        of_crop = pc.is_in(self.crops["track_id"], wanted)
        both = pc.and_(*(pc.is_in(self.cannot_link[name], wanted) for name in CANNOT_LINK.names))
        return TitleTracks(
            self.faces.filter(pc.is_in(self.faces["track_id"], wanted)),
            self.tracks.filter(pc.is_in(self.tracks["track_id"], wanted)),
            self.crops.filter(of_crop),
            self.cannot_link.filter(both),
            self.view_row[of_crop.to_numpy()],
        )

    def regrouped(self, truth: GroundTruth) -> TitleTracks:
        """The ground truth's own tracks: faces and crops by the (video, shot, identity) of the label that they match.

        A face or crop that matches none is left out, and so is the second of two that match one labelled face. Tracks
        cannot be linked where both are labelled in one frame. They are numbered in the order of the ground truth.
        """
        labels = list(zip(truth.video, truth.shot, truth.identity, strict=True))
        number = {label: k for k, label in enumerate(dict.fromkeys(labels))}
        shots: dict[Any, int] = {}
        hit = match_faces(*_places(self.faces), truth)
        own = np.array([number[labels[k]] if k >= 0 else -1 for k in hit], np.int64)
        kept = _first_of_each(own, self.faces)
        track_of_face = dict(zip(track_frames(self.faces), np.where(kept, own, -1).tolist(), strict=True))
        of_crop = np.array([track_of_face[key] for key in track_frames(self.crops)], np.int64)
        crop_order = np.flatnonzero(of_crop >= 0)
        crop_frame = self.crops["frame"].to_numpy()
        crop_order = crop_order[np.lexsort((crop_frame[crop_order], of_crop[crop_order]))]
        shot = [shots.setdefault((video, shot), len(shots)) for video, shot, _ in number]
        faces = _with(self.faces.filter(pa.array(kept)), "track_id", own[kept], STAGE1_FACES)
        faces = _with(faces, "shot", np.array(shot)[own[kept]], STAGE1_FACES)
        crops = _with(self.crops.take(pa.array(crop_order)), "track_id", of_crop[crop_order], CROPS)
        faces = faces.sort_by([("track_id", "ascending"), ("frame", "ascending")])
        tracks = track_table(faces, crops)
        known = set(tracks["track_id"].to_pylist())
        pairs = [pair for pair in _seen_together(truth, number) if known.issuperset(pair)]
        links = pa.table({"track_a": [a for a, _ in pairs], "track_b": [b for _, b in pairs]}, schema=CANNOT_LINK)
        return TitleTracks(faces, tracks, crops, links, self.view_row[crop_order])

    def match(self, truth: GroundTruth) -> TrackMatches:
        """What the ground truth says of each track."""
        return match_table(self.faces, truth)

    def frames(self) -> list[tuple[str, int, int, int]]:
        """File name of the video, number, first and last frame of each track."""
        columns = [self.tracks[name].to_pylist() for name in ("video", "track_id", "first_frame", "last_frame")]
        return [(file_name(video), *rest) for video, *rest in zip(*columns, strict=True)]

    def write(self, work: TitleWork, views: CachedViews) -> None:
        """Make the store of `work` that of a title that has these tracks.

        views: all cached views of the title that the tracks come from; its crops there keep their views, under the
        numbers that they have in their new table.
        """
        store = work.store
        for name, schema in (
            ("faces", STAGE1_FACES),
            ("tracks", STAGE1_TRACKS),
            ("crops", CROPS),
            ("cannot_link", CANNOT_LINK),
        ):
            store.write_table(f"tracks/{name}.parquet", getattr(self, name), schema)
        store.mark_done("tracks", digest(self.view_row.tolist(), self.crops["track_id"].to_pylist()))
        for key, rows in view_chunks(work):
            part = {f.name: getattr(views, f.name)[self.view_row[rows]] for f in fields(views)}
            store.write_bytes(f"{key}.safetensors", replace(views, **part | {"keys": rows}).to_bytes())


def load_title_views(work: TitleWork) -> CachedViews:
    """All cached views of a title; none, of length one, where no face was good enough for a crop."""
    if view_chunks(work):
        return load_views(work)
    nothing = np.zeros((0, 1), np.float32)
    return CachedViews(np.zeros(0, np.int64), nothing, nothing, *[nothing[:, None]] * 3)


def match_table(faces: pa.Table, truth: GroundTruth) -> TrackMatches:
    """What the ground truth says of each track of a table of faces that all have one."""
    return match_tracks(*_places(faces), faces["track_id"].to_numpy(), truth)


def track_frames(table: pa.Table) -> list[tuple[int, int]]:
    """(track, frame) of each face or crop of a table: no two faces of a title share one."""
    return list(zip(table["track_id"].to_pylist(), table["frame"].to_pylist(), strict=True))


def _places(table: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """File name of the video, frame and (n, 4) box of each row."""
    video = np.array([file_name(name) for name in table["video"].to_pylist()], dtype=object)
    boxes = np.stack([table[name].to_numpy() for name in ("x", "y", "w", "h")], axis=1)
    return video, table["frame"].to_numpy(), boxes


def _first_of_each(track: np.ndarray, faces: pa.Table) -> np.ndarray:
    """(n,) bool: has a track, and is the first of its frame there."""
    _, first = np.unique(np.stack([track, faces["frame"].to_numpy()]), axis=1, return_index=True)
    kept = np.zeros(len(track), bool)
    kept[first] = True
    return kept & (track >= 0)


def _with(table: pa.Table, name: str, values: np.ndarray, schema: pa.Schema) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values, schema.field(name).type))


def _seen_together(truth: GroundTruth, number: dict[Any, int]) -> list[tuple[int, int]]:
    """Pairs of the ground truth's tracks that are labelled in one frame of one shot, smaller number first, sorted."""
    in_frame: dict[tuple[Any, Any, int], set[int]] = {}
    for video, shot, identity, frame in zip(truth.video, truth.shot, truth.identity, truth.frame.tolist(), strict=True):
        in_frame.setdefault((video, shot, frame), set()).add(number[video, shot, identity])
    return sorted({(a, b) for together in in_frame.values() for a in together for b in together if a < b})
