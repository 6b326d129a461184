"""The face models that options name, loaded and verified once in a process."""

from __future__ import annotations

from functools import lru_cache

from vcn_ray.calibration import Calibration
from vcn_ray.config import ModelOptions, Options
from vcn_ray.models.catalogue import known_calibration
from vcn_ray.models.face_id import FaceIdNetwork
from vcn_ray.models.packs import FacePack, load_pack
from vcn_ray.models.user_network import localise


@lru_cache(maxsize=1)
def _load_pack(models: ModelOptions) -> FacePack:
    local = localise(models)
    return load_pack(local.pack, local.face_id_onnx, local.face_id_input)


def pack_of(options: Options) -> FacePack:
    """The face models, verified once in a process."""
    return _load_pack(options.models)


def calibration_of(options: Options) -> Calibration | None:
    """What is known of the face-ID network; None where nothing is."""
    return options.cluster.calibration or known_calibration(pack_of(options).face_id_digest)


@lru_cache(maxsize=1)
def _load_network(models: ModelOptions) -> FaceIdNetwork:
    return _load_pack(models).face_id()


def base_network(options: Options) -> FaceIdNetwork:
    """The base network, converted once in a process; nobody may train it."""
    return _load_network(options.models)
