"""What the loop of a title works on: its crops, cached views, cannot-links and the base network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import pyarrow as pa

from vcn_ray.adapt.cache import CachedViews, concat_views, spread_crops
from vcn_ray.calibration import Calibration
from vcn_ray.cluster.evidence import KNOWN_CALIBRATIONS
from vcn_ray.config import ModelOptions, Options
from vcn_ray.errors import OutputError
from vcn_ray.models.face_id import FaceIdNetwork
from vcn_ray.models.packs import FacePack, load_pack
from vcn_ray.models.user_network import localise, network_digest
from vcn_ray.storage.store import Store, digest

#: Versions of the stored views and iterations (with the splits before them); raise one whenever what they hold changes.
_VIEWS_VERSION = 1
_ITERATIONS_VERSION = 5

#: Crops of one chunk of cached views: some 30 s of one CPU.
_CHUNK_CROPS = 64


@dataclass(frozen=True)
class TitleCrops:
    """The crops of a title that adaptation and clustering use, in the order of the title's crops table."""

    rows: np.ndarray  # (n,) int64 row in the crops table; also the crop's key for random numbers
    track_of_crop: np.ndarray  # (n,) int64 position of the crop's track in `track_id`
    track_id: np.ndarray  # (tracks,) int64, ascending

    def __len__(self) -> int:
        return len(self.rows)


def choose_crops(store: Store, options: Options) -> TitleCrops:
    """At most `max_crops_per_track` crops of each track."""
    track = np.array(store.read_table("tracks/crops.parquet", ["track_id"])["track_id"].to_pylist(), np.int64)
    rows = spread_crops(track, options.adapt.max_crops_per_track)
    track_id, position = np.unique(track[rows], return_inverse=True)
    return TitleCrops(rows, position.astype(np.int64), track_id)


def view_chunks(store: Store, options: Options) -> list[tuple[str, np.ndarray]]:
    """Key of each chunk of cached views, and its rows of the crops table."""
    rows = choose_crops(store, options).rows
    pieces = [rows[i : i + _CHUNK_CROPS] for i in range(0, len(rows), _CHUNK_CROPS)]
    return [(f"views/{number:05d}", piece) for number, piece in enumerate(pieces)]


def load_views(store: Store, options: Options) -> CachedViews:
    """All chunks of cached views, in the order of `choose_crops`."""
    parts = []
    for key, rows in view_chunks(store, options):
        parts.append(CachedViews.from_bytes(store.read_bytes(f"{key}.safetensors")))
        if not np.array_equal(parts[-1].keys, rows):
            raise OutputError(f"{store.where(key)}.safetensors is of other crops; delete {store.where('views')}")
    return concat_views(parts)


def load_pixels(store: Store, rows: np.ndarray) -> np.ndarray:
    """Crops of these rows of the crops table, (n, 3, 112, 112) uint8 RGB."""
    jpegs = store.read_table("tracks/crops.parquet", ["jpeg"], rows)["jpeg"].to_pylist()
    images = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) for jpeg in jpegs]
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))  # type: ignore[arg-type]  # our own JPEGs


def load_cannot_link(store: Store, crops: TitleCrops) -> np.ndarray:
    """`link_matrix` of the tracks as stage 1 found them."""
    return link_matrix(store.read_table("tracks/cannot_link.parquet"), crops)


def link_matrix(pairs: pa.Table, crops: TitleCrops) -> np.ndarray:
    """(tracks, tracks) bool, symmetric, over the tracks that have crops; pairs: `schemas.CANNOT_LINK`."""
    a, b = (np.array(pairs[name].to_pylist(), np.int64) for name in ("track_a", "track_b"))
    known = np.isin(a, crops.track_id) & np.isin(b, crops.track_id)
    matrix = np.zeros((len(crops.track_id), len(crops.track_id)), bool)
    matrix[np.searchsorted(crops.track_id, a[known]), np.searchsorted(crops.track_id, b[known])] = True
    return matrix | matrix.T


def views_digest(store: Store, options: Options, rows: np.ndarray) -> str:
    """What a chunk of cached views depends on."""
    adapt = options.adapt
    return digest(
        _VIEWS_VERSION,
        _tracks_digest(store),
        _model_parts(options),
        [options.seed, adapt.cached_global_views, adapt.cached_local_views],
        [adapt.quality_passes, adapt.quality_dropout],
        rows.tolist(),
    )


def iterations_digest(store: Store, options: Options, device: str, threads: int, workers: int = 1) -> str:
    """What a title's iterations depend on; sums on other devices, threads or workers differ in their last bits."""
    return digest(
        _ITERATIONS_VERSION,
        _tracks_digest(store),
        _model_parts(options),
        # How many iterations there are is no input of any one of them.
        options.adapt.model_dump(exclude={"max_iterations", "min_iterations"}),
        options.cluster.model_dump(),
        options.seed,
        device.partition(":")[0],
        threads,
        workers,
    )


def adaptation_digest(iterations: str, options: Options) -> str:
    """What the number of a title's iterations depends on: they themselves, by their digest, and their limits."""
    return digest(iterations, options.adapt.max_iterations, options.adapt.min_iterations)


def _tracks_digest(store: Store) -> str:
    return store.read_json("tracks.done.json")["digest"]


def _model_parts(options: Options) -> list[str]:
    own = options.models.face_id_onnx
    return [network_digest(own) if own else pack_of(options).face_id_digest, options.models.face_id_input]


@lru_cache(maxsize=1)
def _load_pack(models: ModelOptions) -> FacePack:
    local = localise(models)
    return load_pack(local.pack, local.face_id_onnx, local.face_id_input)


def pack_of(options: Options) -> FacePack:
    """The face models, verified once in a process."""
    return _load_pack(options.models)


def calibration_of(options: Options) -> Calibration | None:
    """What is known of the face-ID network; None where nothing is."""
    return options.cluster.calibration or KNOWN_CALIBRATIONS.get(pack_of(options).face_id_digest)


@lru_cache(maxsize=1)
def _load_network(models: ModelOptions) -> FaceIdNetwork:
    return _load_pack(models).face_id()


def base_network(options: Options) -> FaceIdNetwork:
    """The base network, converted once in a process; nobody may train it."""
    return _load_network(options.models)
