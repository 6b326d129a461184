"""What there is to say about a pack of face models, and the interface of the places that its files come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from vcn_ray.calibration import Calibration


class Origin(Protocol):
    """Where files of packs come from. A frozen dataclass: equal ones are one place, and packs travel to workers."""

    @property
    def description(self) -> str:
        """The place in words, for the listing."""

    def path(self, info: PackInfo, file: ModelFile) -> Path:
        """Where a file of the pack is, or would be."""

    def remedy(self, info: PackInfo) -> str:
        """What a user does about a file that is missing: the end of a sentence."""

    def fetch(self, info: PackInfo) -> None:
        """Download those of the pack's files that come from here; nothing where they come by other means.

        Raises:
            ModelError: no connection, or a download that is not what it should be.
        """


@dataclass(frozen=True)
class ModelFile:
    """One file of a pack."""

    name: str
    sha256: str
    origin: Origin


@dataclass(frozen=True)
class PackInfo:
    """A pack as the catalogue lists it, installed or not."""

    name: str
    description: str
    licence: str
    licence_url: str
    commercial_use: bool
    detector_kind: str  # a name in `detectors.DETECTORS`
    detector: ModelFile
    face_id: ModelFile
    face_id_input: Literal["raw", "centred"]  # see `face_id.load_face_id`
    recognition_threshold: float | None  # cosine from which on its makers call two crops one person
    calibration: Calibration | None = None  # what its similarities are worth; None: nobody has measured it
    verified_here: bool = True  # False: never run here on its real weights
    landmarks: ModelFile | None = None  # CenterFace, which finds the landmarks of crops anew; None: the detector's stay
    mean_face: str | None = None  # file beside this one: what the face-ID network makes of everybody, to be taken off

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """The detector, the face-ID network, and what finds landmarks anew where there is such."""
        return (self.detector, self.face_id, *([self.landmarks] if self.landmarks else []))

    def read_mean_face(self) -> np.ndarray | None:
        """(D,) float32, see `face_id.Neck`; None: nothing is taken off."""
        if self.mean_face is None:
            return None
        return np.load(Path(__file__).with_name(self.mean_face), allow_pickle=False)

    @property
    def face_id_digest(self) -> str:
        """What embeddings are told apart by: SHA-256 of the network's file, or of that and the mean face."""
        mean = self.read_mean_face()
        if mean is None:
            return self.face_id.sha256
        return hashlib.sha256(self.face_id.sha256.encode() + mean.tobytes()).hexdigest()
