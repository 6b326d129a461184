"""A small made-up title: one real face in many crops, tracks of a few characters, some Unknown."""

import cv2
import pyarrow as pa
import pytest
from skimage.data import astronaut

from vcn_ray import schemas
from vcn_ray.export.title_page import TitleReport, VideoSummary


def _face(shade: int) -> bytes:
    """The astronaut's face, 112 x 112, a little darker for each shade, so that crops differ."""
    image = cv2.resize(astronaut()[60:190, 160:290, ::-1], (112, 112), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.convertScaleAbs(image, alpha=1 - 0.05 * (shade % 12)))[1].tobytes()


@pytest.fixture(scope="session")
def make_report():
    """Builds a TitleReport of tracks (video, first_s, last_s, cluster or None, reason); confidence by track; of
    characters (one_person, is_person)."""
    jpegs = [_face(shade) for shade in range(12)]

    def make(
        tracks,
        title="Pilot",
        videos=("a.mp4",),
        names=None,
        crops_per_track=3,
        iterations=3,
        confidence=None,
        characters=None,
        **more,
    ):
        track_rows, crop_rows, face_rows = [], [], []
        for track_id, (video, first, last, cluster, reason) in enumerate(tracks):
            common = {"title": title, "video": video, "shot": track_id, "track_id": track_id, "cluster_id": cluster}
            common |= {"character": (names or {}).get(cluster)}
            crops = 0 if reason == "too small" else crops_per_track
            track_rows.append(
                common
                | {"first_frame": int(first * 24), "last_frame": int(last * 24), "first_time_s": first}
                | {"last_time_s": last, "faces": int((last - first) * 24) + 1, "crops": crops}
                | {"quality": 0.7 if crops else None, "reason": reason, "confidence": (confidence or {}).get(track_id)}
                | {"status": "unknown" if cluster is None else "clustered"}
            )
            face_rows.append(common | {"frame": int(first * 24), "time_s": first, "x": 1, "y": 1, "w": 9, "h": 9})
            crop_rows += [
                {"track_id": track_id, "video": video, "frame": int(first * 24) + 12 * k, "score": 0.9}
                | {"sharpness": float(k), "jpeg": jpegs[(track_id + k) % 12]}
                for k in range(crops)
            ]
        cluster_rows = []
        for cluster in sorted({t[3] for t in tracks if t[3] is not None}):
            own = [row for row in track_rows if row["cluster_id"] == cluster]
            cluster_rows.append(
                {"title": title, "cluster_id": cluster, "character": (names or {}).get(cluster), "tracks": len(own)}
                | {"faces": sum(r["faces"] for r in own), "best_track_id": own[0]["track_id"]}
                | {"screen_time_s": sum(r["last_time_s"] - r["first_time_s"] for r in own)}
                | {"best_frame": own[0]["first_frame"]}
                | dict(zip(("one_person", "is_person"), (characters or {}).get(cluster, ()), strict=False))
            )
        iteration_rows = [
            {"iteration": k, "clusters": 9 - k, "unknown": 1, "mean_loss": 4.5 - k if k else None, "mean_quality": 0.7}
            for k in range(iterations)
        ]
        return TitleReport(
            **{
                "title": title,
                "videos": [VideoSummary(video, 100.0, 2400, 24.0, 640, 360) for video in videos],
                "faces": _table(face_rows, schemas.FACES),
                "tracks": _table(track_rows, schemas.TRACKS),
                "clusters": _table(cluster_rows, schemas.CLUSTERS),
                "crops": _table(crop_rows, schemas.CROPS),
                "iterations": _table(iteration_rows, schemas.ITERATIONS),
                "method": "robust",
                "pack": "opencv-zoo",
                "licence": "Apache-2.0",
                "options": {"seed": 0, "tracks": {"min_crops": 4}},
                "versions": {"vcn-ray": "0.1.0"},
                "timings_s": {"tracks": 3.0, "adapt": 65.0},
            }
            | more
        )

    return make


def _table(rows, schema):
    return pa.table({name: [row.get(name) for row in rows] for name in schema.names}).cast(schema)


@pytest.fixture(scope="session")
def small_report(make_report):
    """Three characters (one seen once) and two Unknown tracks in two videos."""
    return make_report(
        [
            *[("a.mp4", 10.0 * k, 10.0 * k + 4, 0, None) for k in range(4)],
            *[("b.mp4", 10.0 * k, 10.0 * k + 8, 1, None) for k in range(3)],
            ("b.mp4", 95.0, 96.0, 2, None),
            ("a.mp4", 50.0, 51.0, None, "too small"),
            ("a.mp4", 60.0, 61.0, None, "quality below the limit"),
        ],
        videos=("a.mp4", "b.mp4"),
        names={1: "Zoë"},
    )
