"""What a user may name as a vision transformer's folder, and what they hear of what is none."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from vcn_ray.errors import ModelError
from vcn_ray.models.vit.folder import read_config, vit_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "Überraschung é 日本 <b>"
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"architecture": "vit_tiny_patch16_224"}))
    (path / "model.safetensors").write_bytes(b"weights")
    return path


def test_both_files_count_and_nothing_else_does(folder: Path, tmp_path: Path) -> None:
    digest = vit_digest(folder)
    (folder / "README.md").write_text("hello")
    assert vit_digest(folder.rename(tmp_path / "moved")) == digest
    folder = tmp_path / "moved"
    for name in ("config.json", "model.safetensors"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content + b" ")
        assert vit_digest(folder) != digest
        (folder / name).write_bytes(content)


def _lose(name: str) -> Callable[[Path], Path]:
    def lose(folder: Path) -> Path:
        (folder / name).unlink()
        return folder

    return lose


def _pickled(folder: Path) -> Path:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: folder / "nowhere", "is not there: face_id_vit takes the folder"),
        (lambda folder: folder / ("x" * 5000), r"cannot be read \(File name too long\): face_id_vit takes"),
        (lambda folder: folder / "config.json", "is a file: face_id_vit takes the folder"),
        (_lose("config.json"), r"has no config\.json; put both files there"),
        (_lose("model.safetensors"), r"has no model\.safetensors; put both files there"),
        (_pickled, r"in pytorch_model\.bin, a pickle, .* is not opened"),
    ],
)
def test_a_folder_that_lacks_something_is_told_what(folder: Path, change: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        vit_digest(change(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "names no 'architecture'"),
        ('{"architecture": 3}', "names no 'architecture'"),
        ('{"model_type": "vit", "architectures": ["ViTModel"]}', "of transformers, .* export the network to ONNX"),
    ],
)
def test_a_configuration_that_is_none_of_timms_is_refused(folder: Path, content: str, message: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError, match=message):
        read_config(folder)
