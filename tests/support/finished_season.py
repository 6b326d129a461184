"""A small finished season, written without a run: two titles with a cast of three, and a title that failed."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from vcn_ray import schemas
from vcn_ray.export.tables import write_season_tables, write_tables
from vcn_ray.inputs.titles import slug
from vcn_ray.storage.store import Store

PLAIN, ODD, FAILED = "s01e01", 'Überraschung é 日本 "<b>"', "trailer"
NAME = "Zoë <b>&\"'"
ERROR = "trailer.mp4: no face was found <script>alert(1)</script>"
FPS, CROPS_PER_TRACK = 25, 3

#: Tracks of each title: video, first second, last second, cluster (None: Unknown); numbered in this order.
TRACKS: dict[str, list[tuple[str, float, float, int | None]]] = {
    PLAIN: [("s01e01.mp4", 0.0, 4.0, 0), ("s01e01.mp4", 5.0, 7.0, 1), ("s01e01.mp4", 8.0, 10.0, 0)],
    ODD: [
        ("a.mp4", 1.0, 4.0, 0),
        ("a.mp4", 4.0, 5.0, None),
        ("b.mp4", 0.0, 2.0, 1),
        ("b.mp4", 3.0, 3.0, 0),
        ("a.mp4", 0.0, 1.0, 1),  # cut off from an earlier one, so its number is out of order
    ],
}
#: The member of the cast that each character is.
CAST = {PLAIN: {0: 0, 1: 1}, ODD: {0: 0, 1: 2}}


def shade(title: str, track_id: int, nth: int) -> int:
    """Grey level of a track's nth crop: different for all."""
    return 10 + 80 * (title == ODD) + 12 * track_id + 4 * nth


def write_finished_season(out: Store) -> None:
    """Write all that `vcn_ray.load` reads, and ``status.json`` is left out."""
    for title in TRACKS:
        _write_title(out.child("titles", slug(title)), title)
    titles = [(out.child("titles", slug(title)), CAST[title]) for title in TRACKS]
    write_season_tables(out, titles)
    out.write_table("cast.parquet", _cast(), schemas.CAST)
    records = [_record(title, [f"/videos/{name}" for name in _videos(title)]) for title in TRACKS]
    records.insert(1, _record(FAILED, ["/videos/trailer.mp4"]) | {"error": ERROR, "stage": "tracks"})
    errors = [{"title": FAILED, "stage": "tracks", "error": ERROR, "log": None}]
    out.write_json("season.json", {"titles": records, "errors": errors})


def labels_csv() -> str:
    """Ground truth of the first title, by which it is all right."""
    rows = ["video,frame,x,y,w,h,identity,shot"]
    for shot, (video, first, last, cluster) in enumerate(TRACKS[PLAIN]):
        rows += [
            f"{video},{frame},10,10,40,40,person{cluster},{shot}"
            for frame in range(int(first * FPS), int(last * FPS) + 1)
        ]
    return "\n".join(rows) + "\n"


def _videos(title: str) -> list[str]:
    return sorted({video for video, *_ in TRACKS[title]})


def _record(title: str, videos: list[str]) -> dict[str, Any]:
    return {"id": title, "slug": slug(title), "videos": videos, "error": None, "stage": "", "log": None, "seconds": {}}


def _write_title(store: Store, title: str) -> None:
    tracks, faces, crops = [], [], []
    for track_id, (video, first, last, cluster) in enumerate(TRACKS[title]):
        frames = range(int(first * FPS), int(last * FPS) + 1)
        common = {"title": title, "video": video, "shot": track_id, "track_id": track_id, "cluster_id": cluster}
        common |= {"quality": 0.8, "character": _name(title, cluster)}
        if track_id == 4:  # the shots of a title are numbered through its videos
            common["shot"] = 0
        tracks.append(
            common
            | {"first_frame": frames[0], "last_frame": frames[-1], "first_time_s": first, "last_time_s": last}
            | {"faces": len(frames), "crops": CROPS_PER_TRACK, "status": "unknown" if cluster is None else "clustered"}
            | {"reason": "low quality" if cluster is None else None, "confidence": None if cluster is None else 0.97}
        )
        box = {"x": 10, "y": 10, "w": 40, "h": 40, "score": 0.9}
        faces += [common | box | {"frame": frame, "time_s": frame / FPS} for frame in frames]
        for nth in range(CROPS_PER_TRACK):
            grey = np.full((112, 112, 3), shade(title, track_id, nth), np.uint8)
            jpeg = cv2.imencode(".jpg", grey)[1].tobytes()
            frame = {"track_id": track_id, "video": video, "frame": frames[0] + nth, "score": 0.9}
            crops.append(frame | {"sharpness": float(nth), "jpeg": jpeg})
    clusters = []
    for cluster in CAST[title]:
        own = [track for track in tracks if track["cluster_id"] == cluster]
        clusters.append(
            {"title": title, "cluster_id": cluster, "character": _name(title, cluster), "tracks": len(own)}
            | {"faces": sum(t["faces"] for t in own), "screen_time_s": sum(t["faces"] for t in own) / FPS}
            | {"best_track_id": own[-1]["track_id"], "best_frame": own[-1]["first_frame"]}
            | {"one_person": 0.75, "is_person": None if cluster else 0.5}
        )
    rows = {
        "faces": (faces, schemas.FACES),
        "tracks": (tracks, schemas.TRACKS),
        "clusters": (clusters, schemas.CLUSTERS),
    }
    write_tables(store, {name: _table(*content) for name, content in rows.items()})
    store.write_table("crops.parquet", _table(crops, schemas.CROPS))
    iterations = [{"iteration": n, "clusters": 2, "unknown": 1, "delivered": n == 1} for n in (0, 1)]
    store.write_table("iterations.parquet", _table(iterations, schemas.ITERATIONS))
    labelled = [
        {"iteration": n, "track_id": t["track_id"], "cluster_id": t["cluster_id"]} for n in (0, 1) for t in tracks
    ]
    store.write_table("iteration_clusters.parquet", _table(labelled, schemas.ITERATION_CLUSTERS))
    store.write_json(
        "title.json", {"title": title, "videos": [{"video": v, "duration_s": 12.0} for v in _videos(title)]}
    )


def _name(title: str, cluster: int | None) -> str | None:
    return NAME if (title, cluster) == (ODD, 0) else None


def _cast() -> pa.Table:
    common = {"titles": 1, "characters": 1, "tracks": 1, "faces": 1, "best_frame": 0}
    rows = [
        common
        | {"cast_id": 0, "character": NAME, "titles": 2, "characters": 2, "tracks": 4, "screen_time_s": 9.0}
        | {"first_title": PLAIN, "best_title": ODD, "best_track_id": 3, "best_frame": 75},
        common
        | {"cast_id": 1, "screen_time_s": 3.0, "first_title": ODD, "tracks": 2}
        | {"best_title": PLAIN, "best_track_id": 1, "best_frame": 125},
        common
        | {"cast_id": 2, "screen_time_s": 2.0, "first_title": ODD, "tracks": 2}
        | {"best_title": ODD, "best_track_id": None},
    ]
    return _table(rows, schemas.CAST)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema)
