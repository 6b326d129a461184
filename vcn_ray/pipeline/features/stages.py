"""VideoClusterNet's stages on embeddings that a user gives: they are clustered as those of a base model are.

What takes pictures is left out: crops show a drawing, quality is the same for all, and nothing is adapted, as that
takes views of crops. A title's videos are those that the file names; their file is the file of embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa

from vcn_ray.config import ModelOptions, Options
from vcn_ray.inputs.titles import slug
from vcn_ray.models.loading import FaceModels
from vcn_ray.models.packs import FacePack
from vcn_ray.pipeline.features.drawing import no_picture
from vcn_ray.pipeline.stages import ShardTask
from vcn_ray.pipeline.videoclusternet import VideoClusterNet
from vcn_ray.schemas import CROPS, SHOTS, STAGE1_FACES
from vcn_ray.storage.store import Store, digest
from vcn_ray.track_files.features import FeatureFile, read_features
from vcn_ray.tracks.shards import Shard
from vcn_ray.tracks.video_info import VideoInfo

#: Frames a second where nobody says: what times of tables are counted by.
DEFAULT_FPS = 25.0


def feature_options(options: Options) -> Options:
    """The options of a run on embeddings: iteration 0 alone, on a CPU."""
    return options.model_copy(
        update={
            "adapt": options.adapt.model_copy(update={"max_iterations": 0, "min_iterations": 0, "depth": "head"}),
            "run": options.run.model_copy(update={"device": "cpu"}),
        }
    )


def _features_as_pack(models: ModelOptions) -> FacePack:
    """What pages and tables say of a network that nobody has here."""
    made = SimpleNamespace(
        name="given embeddings", licence="as their makers say", face_id_digest="features", recognition_threshold=None
    )
    return cast(FacePack, made)


class FeatureStages(VideoClusterNet):
    """The stages of titles whose videos are files of embeddings.

    fps: frames a second that their frames count in; None: 25.
    """

    def __init__(self, fps: float | None = None):
        super().__init__(FaceModels(_features_as_pack))
        self._fps = fps

    def check(self, options: Options) -> None:
        """Find the clusterer; see `Stages`."""
        from vcn_ray.cluster.clusterers.table import find_clusterer

        find_clusterer(options.cluster.merging)

    def probe(self, path: str) -> VideoInfo:
        """Read the file; see `Stages`."""
        file = read_features(path)
        corner = (file.boxes[:, :2] + file.boxes[:, 2:]).max(axis=0)
        rate = Fraction(self._fps or DEFAULT_FPS).limit_denominator(1001)
        frames = int(file.frame.max()) + 1
        return VideoInfo(
            path=path,
            name="",
            stream_index=0,
            width_px=max(1, int(np.ceil(corner[0]))),
            height_px=max(1, int(np.ceil(corner[1]))),
            time_base=1 / rate,
            fps=float(rate),
            duration_s=frames / float(rate),
            rotation_deg=0,
            orientation=(False, False, False),
            sample_aspect_ratio=Fraction(1),
            interlaced=False,
            transfer="sdr",
            timed=False,
            fingerprint=file.fingerprint,
            warnings=(self._missing(file),),
            pts=np.arange(frames, dtype=np.int64),
            key_pts=np.zeros(1, np.int64),
        )

    def load_info(self, content: dict[str, Any]) -> VideoInfo:
        """Several videos are of one file: each is known by its name, too. See `Stages`."""
        named = digest(content["fingerprint"], content["name"], str(self._fps))
        return super().load_info(content | {"fingerprint": named})

    def shards(self, info: VideoInfo, window_s: float) -> Sequence[Shard]:
        """One; see `Stages`."""
        return [Shard(0, info.frames)]

    def extract(
        self, store: Store, task: ShardTask, info: VideoInfo, options: Options, on_frames: Callable[[int], None]
    ) -> dict[str, Any]:
        """The crops of the file that are of this video and these frames; see `Stages`."""
        file = read_features(info.path)
        within = (file.frame >= task.first_frame) & (file.frame < task.end_frame)
        rows = np.flatnonzero((file.video == info.name) & within)
        rows = rows[np.lexsort((file.track[rows], file.frame[rows]))]
        of_crop = {
            "track_id": file.track[rows],
            "video": [info.name] * len(rows),
            "frame": file.frame[rows],
            "score": np.ones(len(rows), np.float32),
            "sharpness": file.clarity[rows],
        }
        of_face = {
            **of_crop,
            "time_s": [info.time_s(frame) for frame in file.frame[rows].tolist()],
            "shot": np.zeros(len(rows), np.int32),
            **{side: pa.array(file.boxes[rows, n], pa.float32()) for n, side in enumerate("xywh")},
            "landmarks": pa.nulls(len(rows), STAGE1_FACES.field("landmarks").type),
            "verdict": pa.nulls(len(rows), pa.string()),
        }
        shot = {"video": info.name, "shot": 0, "first_frame": task.first_frame, "last_frame": task.end_frame - 1}
        tables = {
            "faces": pa.table({name: of_face[name] for name in STAGE1_FACES.names}, STAGE1_FACES),
            "crops": pa.table(of_crop | {"jpeg": [no_picture()] * len(rows)}, CROPS),
            "shots": pa.Table.from_pylist([shot | {"transition": "start"}], SHOTS),
        }
        for name, table in tables.items():
            store.write_table(f"{task.step}/{name}.parquet", table)
        store.mark_done(f"given/{slug(info.name)}", file.fingerprint)
        on_frames(task.end_frame - task.first_frame)
        return {"faces": len(rows), "crops": len(rows)}

    def embed_views(self, store: Store, options: Options, key: str) -> dict[str, Any]:
        """The embeddings of the file, in place of a network's; see `Stages`."""
        from vcn_ray.adapt.cache import CachedViews
        from vcn_ray.pipeline.digests import views_digest
        from vcn_ray.pipeline.title_crops import view_chunks

        work = self._work(store, options)
        rows = dict(view_chunks(work))[key]
        crops = store.read_table("tracks/crops.parquet", ["track_id", "frame"], rows)
        path = store.read_json(next(one for one in store.keys("probe/") if not one.endswith(".done.json")))["path"]
        file = read_features(path)
        place = {pair: n for n, pair in enumerate(zip(file.track.tolist(), file.frame.tolist(), strict=True))}
        wanted = zip(crops["track_id"].to_pylist(), crops["frame"].to_pylist(), strict=True)
        plain = file.embeddings[[place[pair] for pair in wanted]]
        adapt = options.adapt

        def times(count: int) -> np.ndarray:
            return np.repeat(plain[:, None], count, axis=1)

        views = CachedViews(
            rows,
            plain,
            plain,
            times(adapt.cached_global_views),
            times(adapt.cached_local_views),
            times(adapt.quality_passes),
        )
        store.begin(key)
        store.write_bytes(f"{key}.safetensors", views.to_bytes())
        store.mark_done(key, views_digest(work, rows))
        return {"crops": len(rows), "seconds": 0.0}

    def _missing(self, file: FeatureFile) -> str:
        """A sentence on what there is not."""
        lacks = {
            "video": "of which video a track is",
            "frame": "when, so that nobody is known to be two people for being seen at once",
            "box": "where in the picture",
        }
        unsaid = "".join(f"; the file does not say {lacks[name]}" for name in file.missing)
        rate = "" if self._fps or "frame" in file.missing else f"; times count {DEFAULT_FPS:g} frames a second"
        return f"made of given embeddings: no pictures, no quality, no adaptation (iteration 0 alone){unsaid}{rate}"
