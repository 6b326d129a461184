"""Packs of face models by name: a face detector with five landmarks and a face-ID network under one licence.

Every file is checked against its SHA-256 each time that a pack is loaded. Nothing is downloaded unless `fetch` is
called.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vcn_ray.config import DetectorChoice, LandmarksChoice
from vcn_ray.errors import ModelError
from vcn_ray.models.alignment import CROP_SIZE_PX
from vcn_ray.models.catalogue import CENTERFACE, PACKS
from vcn_ray.models.detection import FaceDetector
from vcn_ray.models.detectors import SecondLook, open_detector
from vcn_ray.models.landmarks import LandmarkFinder
from vcn_ray.models.onnx.file import onnx_digest, sha256_of
from vcn_ray.models.pack_info import ModelFile, PackInfo
from vcn_ray.models.vit.folder import vit_digest

if TYPE_CHECKING:
    from vcn_ray.models.face_id import FaceIdNetwork, InputRange


@dataclass(frozen=True)
class FacePack:
    """A pack that is installed and verified, ready to be used. Small: it holds paths, not weights."""

    info: PackInfo
    detector_path: Path
    face_id_path: Path
    face_id_input: InputRange
    face_id_digest: str  # SHA-256 of the face-ID network's weights; results depend on it
    recognition_threshold: float | None  # cosine from which on its makers call two crops one person
    input_size: int = CROP_SIZE_PX
    landmarks_path: Path | None = None
    mean_face: np.ndarray | None = field(default=None, compare=False)  # see `face_id.Neck`

    @property
    def name(self) -> str:
        """The pack's name in the catalogue."""
        return self.info.name

    @property
    def licence(self) -> str:
        """Licence of the pack's own files."""
        return self.info.licence

    @property
    def commercial_use(self) -> bool:
        """Whether the pack's licence allows commercial use."""
        return self.info.commercial_use

    def detector(self, min_score: float, kind: DetectorChoice = "pack") -> FaceDetector:
        """A face detector that leaves out faces below a score of 0..1; one for each thread that detects.

        kind: the pack's own, CenterFace, or the pack's own and CenterFace where that sees small faces or none.
        Raises `ModelError` where CenterFace is asked for and not installed.
        """
        if kind == "centerface":
            return open_detector("centerface", _verified(self.info, CENTERFACE), min_score)
        own = open_detector(self.info.detector_kind, self.detector_path, min_score)
        if kind == "pack":
            return own
        return SecondLook(own, self.detector(min_score, "centerface"))

    def landmark_finder(self, kind: LandmarksChoice = "refined") -> LandmarkFinder | None:
        """What finds the landmarks of a face anew; None where those of the detector are wanted, or all there are."""
        if kind == "detector" or self.landmarks_path is None:
            return None
        return LandmarkFinder(open_detector("centerface", self.landmarks_path, LandmarkFinder.MIN_SCORE))

    def face_id(self) -> FaceIdNetwork:
        """The face-ID network: torch, eval mode, float32, on the CPU; a new one at each call."""
        # Here alone: torch, which a worker that looks for faces does without.
        if self.face_id_path.is_dir():
            from vcn_ray.models.vit.network import load_vit

            return load_vit(self.face_id_path, self.face_id_input)
        from vcn_ray.models.face_id import load_face_id

        return load_face_id(self.face_id_path, self.face_id_input, self.mean_face)


def pack_names() -> list[str]:
    """Names of all packs, installed or not; the default first."""
    return list(PACKS)


def load_pack(
    name: str, face_id_onnx: str | None = None, face_id_input: InputRange = "auto", face_id_vit: str | None = None
) -> FacePack:
    """A pack by name, verified.

    Args:
        name: see `pack_names`.
        face_id_onnx: path of an ONNX face-ID network to use in place of the pack's own.
        face_id_input: what range that network takes, see `face_id.load_face_id`; the pack's own is known.
        face_id_vit: folder of a vision transformer to use in place of the pack's own.

    Raises:
        ModelError: no such pack, it is not installed, or a file is not what it should be.
    """
    info = _known(name)
    detector_path = _verified(info, info.detector)
    landmarks_path = _verified(info, info.landmarks) if info.landmarks else None
    if face_id_onnx is None and face_id_vit is None:
        path, digest, threshold = _verified(info, info.face_id), info.face_id_digest, info.recognition_threshold
        face_id_input, mean_face = info.face_id_input, info.read_mean_face()
    else:
        path, threshold, mean_face = Path(face_id_onnx or face_id_vit or "").expanduser(), None, None
        digest = vit_digest(path) if face_id_onnx is None else onnx_digest(path)
    return FacePack(
        info,
        detector_path,
        path,
        face_id_input,
        digest,
        threshold,
        landmarks_path=landmarks_path,
        mean_face=mean_face,
    )


def installed(name: str) -> bool:
    """Whether a pack's files are there; `verify` tells whether they are the right ones."""
    info = _known(name)
    return all(file.origin.path(info, file).is_file() for file in info.files)


def verify(name: str) -> None:
    """Check a pack's files against their SHA-256; `ModelError` names the first that is missing or different."""
    info = _known(name)
    for file in info.files:
        _verified(info, file)


def fetch(name: str) -> PackInfo:
    """Have a pack installed: download it unless its files are there and right; gives what is to be shown of it.

    Who calls this shows the user the licence.

    Raises:
        ModelError: no such pack, no connection, or a download that is not what it should be.
    """
    info = _known(name)
    for file in info.files:
        try:
            _verified(info, file)
        except ModelError:
            file.origin.fetch(info)
            _verified(info, file)
    return info


def describe_packs() -> list[dict[str, Any]]:
    """All packs as plain values for a listing: name, licence, commercial_use, installed, verified, files and so on."""
    rows = []
    for info in PACKS.values():
        problem = None
        try:
            verify(info.name)
        except ModelError as error:
            problem = str(error)
        rows.append(
            {
                "name": info.name,
                "description": info.description,
                "licence": info.licence,
                "licence_url": info.licence_url,
                "commercial_use": info.commercial_use,
                "source": " and ".join(dict.fromkeys(file.origin.description for file in info.files)),
                "installed": installed(info.name),
                "verified": problem is None,
                "problem": problem,
                "files": {file.name: file.sha256 for file in info.files},
                "tested_on_real_weights": info.verified_here,
            }
        )
    return rows


def _known(name: str) -> PackInfo:
    if name not in PACKS:
        near = difflib.get_close_matches(name, PACKS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ModelError(f"no pack of face models is called {name!r}; {hint}There are: {', '.join(PACKS)}")
    return PACKS[name]


def _verified(info: PackInfo, file: ModelFile) -> Path:
    path = file.origin.path(info, file)
    if not path.is_file():
        remedy = file.origin.remedy(info)
        raise ModelError(f"pack {info.name!r} is not installed ({path} is missing): {remedy}")
    found = sha256_of(path)
    if found != file.sha256:
        raise ModelError(
            f"{path} is not the file that pack {info.name!r} should have: its SHA-256 is {found[:16]}…, not "
            f"{file.sha256[:16]}…; delete it and install the pack again"
        )
    return path
