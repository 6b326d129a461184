"""A finished season with all its working data, made in a moment without a network: for what people do to a season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa

from vcn_ray import schemas
from vcn_ray.config import ModelOptions, make_options
from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.found_tracks import FoundTracks
from vcn_ray.inputs.titles import slug
from vcn_ray.models.loading import FaceModels
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY
from vcn_ray.pipeline.outputs.cast import stored_cast
from vcn_ray.pipeline.outputs.found import found_tracks, track_places
from vcn_ray.pipeline.outputs.season_outputs import finished_titles, write_season
from vcn_ray.pipeline.outputs.title_outputs import finish_title, write_title
from vcn_ray.storage.store import Store
from vcn_ray.tracks.duplicates import cannot_links
from vcn_ray.tracks.tracktable import track_table
from vcn_ray.tracks.video_info import VideoInfo

FPS, FRAMES_PER_TRACK, CROPS_PER_TRACK = 25, 20, 4
WIDTH_PX, HEIGHT_PX, FACE_PX = 640, 360, 60
ODD = 'Überraschung é 日本 "Q" <b>'


class Seen(NamedTuple):
    """A track: who is seen, from which tenth of the video's shots on, where in the picture, and what was found."""

    person: int
    shot: int
    cluster: int | None  # of the title; None: Unknown
    place: int = 0  # 0 left, 1 right: two of one shot are seen together


#: Who is seen in two titles; clustering found person 0 as two characters of the first, and put one track of person 2
#: to person 1's in the second.
TITLES: dict[str, list[Seen]] = {
    "s01e01": [Seen(0, 0, 0), Seen(1, 0, 1, 1), Seen(0, 1, 0), Seen(0, 2, 2), Seen(1, 3, 1), Seen(0, 4, None)],
    ODD: [Seen(0, 0, 0), Seen(1, 0, 1, 1), Seen(2, 1, 1), Seen(0, 2, 0), Seen(2, 3, None), Seen(3, 4, 2)],
}


def _a_pack(models: ModelOptions) -> Any:
    return SimpleNamespace(name="drawn", licence="CC0", face_id_digest="drawn")


MODELS = FaceModels(load=_a_pack)


def write_correctable_season(out: Store, titles: Mapping[str, Sequence[Seen]] | None = None) -> None:
    """Write a season as a run leaves it: working data, tables, pages, record."""
    titles = titles or TITLES
    options = make_options({})
    slugs = {title: slug(title) for title in titles}
    for title, tracks in titles.items():
        results = out.child("titles", slugs[title])
        _write_work(results.child("work"), title, tracks)
        results.write_json("title.json", {"title": title, "videos": [_video(title, tracks)]})
        finish_title(results.child("work"), title, results, {f"{title}.mp4": 1 / FPS})
        write_title(results, results.child("work"), options, title, [_info(title, tracks)], {}, MODELS)
        results.child("work").mark_done("results", "1", counts={}, seconds={})
    write_season(out, list(slugs.values()), options, [], 1.0, MODELS)
    records = [
        {"id": title, "slug": slugs[title], "videos": [f"{title}.mp4"], "error": None, "stage": "", "log": None}
        | {"seconds": {}, "worked": None}
        for title in titles
    ]
    digests = dict.fromkeys(slugs.values(), "1")
    out.write_json("season.json", {"titles": records, "errors": [], "digests": digests, "corrections": None})


def read_rows(out: Store) -> tuple[FoundTracks, TrackPlaces]:
    """Its tracks as found, and where they are."""
    titles = finished_titles(out)
    found = found_tracks(titles, stored_cast(out).characters)
    return found, track_places(titles, found)


def _frames(tracks: Sequence[Seen]) -> int:
    return (max(track.shot for track in tracks) + 1) * FRAMES_PER_TRACK


def _video(title: str, tracks: Sequence[Seen]) -> dict[str, Any]:
    frames = _frames(tracks)
    return {
        "path": f"/nowhere/{title}.mp4",
        "video": f"{title}.mp4",
        "fingerprint": f"print of {title}",
        "frames": frames,
        "first_frame": 0,
        "end_frame": frames,
        "duration_s": frames / FPS,
        "warnings": [],
    }


def _info(title: str, tracks: Sequence[Seen]) -> VideoInfo:
    frames = _frames(tracks)
    return VideoInfo(
        path=f"/nowhere/{title}.mp4",
        name=f"{title}.mp4",
        stream_index=0,
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        time_base=Fraction(1, FPS),
        fps=float(FPS),
        duration_s=frames / FPS,
        rotation_deg=0,
        orientation=(False, False, False),
        sample_aspect_ratio=Fraction(1),
        interlaced=False,
        transfer="sdr",
        timed=True,
        fingerprint=f"print of {title}",
        pts=np.arange(frames),
        key_pts=np.array([0]),
    )


def _write_work(work: Store, title: str, tracks: Sequence[Seen]) -> None:
    video = f"{title}.mp4"
    people = np.random.default_rng(7).normal(size=(64, 128))
    noise = np.random.default_rng(list(title.encode()))
    faces, crops, embeddings = [], [], []
    for track_id, seen in enumerate(tracks):
        for nth in range(FRAMES_PER_TRACK):
            frame = seen.shot * FRAMES_PER_TRACK + nth
            x = 100.0 + 300 * seen.place + nth
            faces.append(
                {"video": video, "frame": frame, "time_s": frame / FPS, "shot": seen.shot, "track_id": track_id}
                | {"x": x, "y": 80.0, "w": float(FACE_PX), "h": float(FACE_PX), "score": 0.9, "sharpness": 1.0}
                | {"landmarks": [0.0] * 10}
            )
        for nth in range(CROPS_PER_TRACK):
            drawn = np.full((112, 112, 3), (40 * seen.person + 30, 255 - 60 * seen.person, 20 * nth), np.uint8)
            frame = seen.shot * FRAMES_PER_TRACK + nth * FRAMES_PER_TRACK // CROPS_PER_TRACK
            crops.append(
                {"track_id": track_id, "video": video, "frame": frame, "score": 0.9, "sharpness": float(nth)}
                | {"jpeg": cv2.imencode(".jpg", drawn)[1].tobytes()}
            )
        vector = people[seen.person] + 0.6 * noise.normal(size=people.shape[1])
        embeddings.append(
            {"track_id": track_id, "face_id": "drawn", "embedding": (vector / np.linalg.norm(vector)).tolist()}
        )
    faces_table = pa.Table.from_pylist(faces, schemas.STAGE1_FACES)
    crops_table = pa.Table.from_pylist(crops, schemas.CROPS)
    work.write_table("tracks/faces.parquet", faces_table)
    work.write_table("tracks/crops.parquet", crops_table, rows_per_group=8)
    work.write_table("tracks/tracks.parquet", track_table(faces_table, crops_table))
    shots = [
        {"video": video, "shot": shot, "first_frame": shot * FRAMES_PER_TRACK, "transition": "cut" if shot else "start"}
        | {"last_frame": (shot + 1) * FRAMES_PER_TRACK - 1}
        for shot in range(_frames(tracks) // FRAMES_PER_TRACK)
    ]
    work.write_table("tracks/shots.parquet", pa.Table.from_pylist(shots, schemas.SHOTS))
    pairs = [{"track_a": a, "track_b": b} for a, b in cannot_links(faces_table)]
    for key in ("tracks/cannot_link", "split/cannot_link"):
        work.write_table(f"{key}.parquet", pa.Table.from_pylist(pairs, schemas.CANNOT_LINK))
    work.write_table("split/splits.parquet", schemas.SPLITS.empty_table())
    work.write_table(EMBEDDINGS_KEY, pa.Table.from_pylist(embeddings, schemas.EMBEDDINGS))
    labels = [-1 if seen.cluster is None else seen.cluster for seen in tracks]
    clustering = {
        "track_id": list(range(len(tracks))),
        "labels": labels,
        "quality": [0.8] * len(tracks),
        "confidence": [None if label < 0 else 0.9 for label in labels],
        "one_person": [None if label < 0 else 0.75 for label in labels],
        "is_person": [None if label < 0 else 0.5 for label in labels],
        "reason": ["low quality" if label < 0 else None for label in labels],
    }
    work.write_json("adapt/00/clustering.json", clustering)
    work.write_json("adapt/00/iteration.json", {"iteration": 0, "clusters": len(set(labels) - {-1}), "unknown": 0})
    work.mark_done("adapt", "1", iterations=1, delivered=0)
    work.write_json(f"probe/{slug(video)}.json", _info(title, tracks).to_json())
