"""A finished season of one small film with sound, written without a run: coloured squares for faces, with names.

The film has two shots of 24 frames that come at no steady rate. Anna is seen on the left of both and tracked some
frames late in the first; Ben on the right of the first; in the second somebody on the right is in an Unknown track for
a while, and seen all the time.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa

from vcn_ray import schemas
from vcn_ray.config import ModelOptions, make_options
from vcn_ray.export.tables import write_season_tables, write_tables
from vcn_ray.inputs.titles import slug
from vcn_ray.models.detection import Detections
from vcn_ray.models.loading import FaceModels
from vcn_ray.storage.store import Store
from vcn_ray.tracks.probe import video_fingerprint

TITLE, ANNA = "Überraschung é 日本 <b>", 'Anna "=1+1" <b>'
WIDTH, HEIGHT, SHOT, FRAMES, FACE = 192, 112, 24, 48, 32
TIME_BASE = Fraction(1, 600)
#: Presentation times, in units of TIME_BASE: 20 to 40 a frame.
PTS = np.cumsum([0, *(20 + 5 * (n % 5) for n in range(FRAMES - 1))])
CHAPTER: Any = {"id": 1, "start": 0, "end": 700, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
#: Of each track: cluster (None: Unknown), shot, whose face, frames with a row in the table of faces.
TRACKS = [
    (0, 0, "left", range(4, 20)),
    (1, 0, "right", range(SHOT)),
    (0, 1, "left", range(SHOT, FRAMES, 2)),
    (None, 1, "right", range(SHOT + 3, SHOT + 10)),
]


def face_box(side: str, frame: int) -> tuple[int, int, int, int]:
    """x, y, w, h of a face: it moves by a pixel a frame."""
    return (20 if side == "left" else 110) + frame % SHOT, 40, FACE, FACE


def film_picture(frame: int) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8 RGB."""
    across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    grey = 120 + 40 * (frame // SHOT) + (across + down) % 64
    picture = np.stack([grey, grey, grey], axis=-1).astype(np.uint8)
    for seed, side in enumerate(("left", "right")):
        x, y, w, h = face_box(side, frame)
        pattern = np.random.default_rng(seed + 2 * (frame // SHOT)).integers(80, 255, (8, 8, 3), np.uint8)
        pattern[..., 1] = 0
        picture[y : y + h, x : x + w] = cv2.resize(pattern, (w, h), interpolation=cv2.INTER_NEAREST)
    return picture


def write_film(path: Path, sounds: tuple[str, ...] = ("aac", "aac"), timecode: str = "") -> Path:
    """Write the film, by its ending's kind, with as many audio streams."""
    with av.open(str(path), "w") as sink:
        video: Any = sink.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt, video.options = WIDTH, HEIGHT, "yuv420p", {"crf": "8", "g": "10"}
        video.codec_context.time_base = video.time_base = TIME_BASE
        audio: list[Any] = [sink.add_stream(codec, rate=48000) for codec in sounds]
        if timecode:
            sink.metadata["timecode"] = timecode
        sink.set_chapters([CHAPTER])
        for frame, pts in enumerate(PTS):
            picture = av.VideoFrame.from_ndarray(film_picture(frame), format="rgb24")
            picture.pts, picture.time_base = int(pts), TIME_BASE
            sink.mux(video.encode(picture))
        sink.mux(video.encode(None))
        seconds = float(PTS[-1] * TIME_BASE)
        for nth, stream in enumerate(audio):
            for start in range(0, int(seconds * 48000), 1024):
                sink.mux(stream.encode(_tone(start, 300.0 * (nth + 1), stream)))
            sink.mux(stream.encode(None))
    return path


def _tone(start: int, hertz: float, stream: Any) -> Any:
    at = (start + np.arange(1024)) / 48000
    # Louder in the second shot, so that a cut can be heard.
    wave = np.sin(2 * np.pi * hertz * at) * np.where(at < PTS[SHOT] * TIME_BASE, 0.05, 0.5)
    kind, scale = ("s16", 32000) if stream.codec_context.format.name.startswith("s16") else ("fltp", 1)
    channels = stream.codec_context.layout.nb_channels
    if kind == "s16":
        samples = np.repeat((wave * scale).astype(np.int16), channels)[None]
    else:
        samples = np.tile(wave.astype(np.float32), (channels, 1))
    frame = av.AudioFrame.from_ndarray(samples, format=kind, layout=stream.codec_context.layout.name)
    frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
    return frame


def write_filmed_season(out: Store, film: Path) -> None:
    """Write the results of the film: Anna, who has a name, and Cast 1."""
    title = out.child("titles", slug(TITLE))
    common = {"title": TITLE, "video": film.name, "quality": 0.8}
    tracks, faces = [], []
    for track_id, (cluster, shot, side, frames) in enumerate(TRACKS):
        name = ANNA if cluster == 0 else None
        own = common | {"track_id": track_id, "shot": shot, "cluster_id": cluster, "character": name}
        tracks.append(
            own
            | {"first_frame": frames[0], "last_frame": frames[-1], "faces": len(frames), "crops": 1}
            | {"first_time_s": float(PTS[frames[0]] * TIME_BASE), "last_time_s": float(PTS[frames[-1]] * TIME_BASE)}
            | {"status": "unknown" if cluster is None else "clustered"}
            | {"confidence": None if cluster is None else 0.97}
        )
        for frame in frames:
            box = dict(zip("xywh", face_box(side, frame), strict=True))
            faces.append(own | box | {"frame": frame, "time_s": float(PTS[frame] * TIME_BASE), "score": 0.9})
    clusters = [
        {"title": TITLE, "cluster_id": cluster, "character": ANNA if cluster == 0 else None, "tracks": 1, "faces": 9}
        | {"screen_time_s": 1.0, "best_track_id": cluster, "best_frame": 5}
        for cluster in (0, 1)
    ]
    rows = {"faces": faces, "tracks": tracks, "clusters": clusters}
    kinds = {"faces": schemas.FACES, "tracks": schemas.TRACKS, "clusters": schemas.CLUSTERS}
    write_tables(title, {name: pa.Table.from_pylist(content, kinds[name]) for name, content in rows.items()})
    shots = [{"video": film.name, "shot": n, "first_frame": n * SHOT, "last_frame": (n + 1) * SHOT - 1} for n in (0, 1)]
    title.write_table("work/tracks/shots.parquet", pa.Table.from_pylist(shots, schemas.SHOTS))
    write_season_tables(out, [(title, {0: 0, 1: 1})])
    cast = [{"cast_id": n, "character": ANNA if n == 0 else None, "first_title": TITLE} for n in (0, 1)]
    out.write_table("cast.parquet", pa.Table.from_pylist(cast, schemas.CAST), schemas.CAST)
    record = {"video": film.name, "path": str(film), "fingerprint": video_fingerprint(str(film))}
    record |= {"frames": FRAMES, "first_frame": 0, "end_frame": FRAMES, "start_timecode": "10:00:00:00"}
    title.write_json("title.json", {"title": TITLE, "videos": [record]})
    entry = {"id": TITLE, "slug": slug(TITLE), "videos": [str(film)], "error": None}
    options = make_options().model_dump(exclude={"run"})
    out.write_json("season.json", {"titles": [entry], "errors": [], "options": options})


class SquareDetector:
    """Finds the squares: where there is hardly any green."""

    def detect(self, image_bgr: np.ndarray) -> Detections:
        _, _, stats, _ = cv2.connectedComponentsWithStats((image_bgr[..., 1] < 70).astype(np.uint8))
        least = 12 * image_bgr.shape[1] // WIDTH
        boxes = np.array([stat[:4] for stat in stats[1:] if min(stat[2:4]) >= least], np.float32).reshape(-1, 4)
        return Detections.ranked(boxes, np.full(len(boxes), 0.9), np.zeros((len(boxes), 5, 2)))


def _square_pack(models: ModelOptions) -> Any:
    return SimpleNamespace(detector=lambda min_score, kind="pack": SquareDetector())


SQUARE_MODELS = FaceModels(_square_pack)
