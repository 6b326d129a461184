"""The face models that options name, loaded and verified once in a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from vcn_ray.calibration import Calibration
from vcn_ray.config import ModelOptions, Options, ViewsPrecision
from vcn_ray.errors import ModelError
from vcn_ray.models.catalogue import known_calibration
from vcn_ray.models.onnx.file import attends
from vcn_ray.models.packs import FacePack, load_pack
from vcn_ray.models.user_network import localise, network_digest

if TYPE_CHECKING:  # torch, which a worker that looks for faces does without
    from vcn_ray.models.face_id import FaceIdNetwork


def load_named(models: ModelOptions) -> FacePack:
    """The installed pack of that name, with the user's own network in it where one is given; read and verified."""
    local = localise(models)
    return load_pack(local.pack, local.face_id_onnx, local.face_id_input, local.face_id_vit)


@dataclass(frozen=True)
class FaceModels:
    """What the options' names of face models stand for.

    Holds no model itself, so that it travels to any worker; what is loaded stays in the process for the next call.
    """

    load: Callable[[ModelOptions], FacePack] = load_named  # a function of a module, the same in every process

    def pack(self, options: Options) -> FacePack:
        """Detector and face-ID network; raises `ModelError` where they are not installed or not what they should be."""
        return _loaded(self.load, options.models)

    def base_network(self, options: Options) -> FaceIdNetwork:
        """The base network in the precision of views, converted once in a process; nobody may train it."""
        return _base_network(self.load, options.models, options.adapt.views_precision)

    def calibration(self, options: Options) -> Calibration | None:
        """What is known of the face-ID network; None where nothing is."""
        return options.cluster.calibration or known_calibration(self.pack(options).face_id_digest)

    def face_id_parts(self, options: Options) -> list[str]:
        """Digest of the face-ID network's weights, and what pixels it takes: what embeddings depend on."""
        own = network_digest(options.models)
        return [own or self.pack(options).face_id_digest, options.models.face_id_input]


def check_patch_loss(options: Options, device: str) -> None:
    """Say before any work, and without torch, that the option `patch_loss` cannot be had; nothing where it is 0.

    device: where titles will adapt. Raises `OptionError` where that trains no patch tokens, `ModelError` where the
    network is convolutional. What a transformer's tokens are good for, `Adaptation.on_network` says.
    """
    options.adapt.check_device(device)
    if not options.adapt.patch_loss:
        return
    network = load_named(options.models).face_id_path
    if network.is_file() and not attends(network):
        raise ModelError(
            "option 'patch_loss': the face-ID network is no vision transformer, so that it has no patch tokens; set it "
            "to 0, or name one in face_id_vit or face_id_onnx"
        )


#: What the names stand for where nothing else is said.
INSTALLED = FaceModels()


@lru_cache(maxsize=1)
def _loaded(load: Callable[[ModelOptions], FacePack], models: ModelOptions) -> FacePack:
    return load(models)


@lru_cache(maxsize=1)
def _base_network(
    load: Callable[[ModelOptions], FacePack], models: ModelOptions, precision: ViewsPrecision
) -> FaceIdNetwork:
    return _loaded(load, models).face_id().for_inference(precision)
