from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.external_data_helper import set_external_data
from onnx.helper import make_node

from vcn_ray.errors import ModelError
from vcn_ray.models.face_id import load_face_id
from vcn_ray.models.onnx.dequantise import dequantised
from vcn_ray.models.onnx.file import onnx_digest, read_onnx, sha256_of

WEIGHT = np.random.default_rng(2).normal(0, 0.01, (5, 3 * 112 * 112)).astype(np.float32)


@pytest.fixture
def external(make_onnx: Callable, tmp_path: Path) -> Callable[[str], Path]:
    def run(location: str) -> Path:
        """A model whose weights lie in another file; that file is to be written by the test."""
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        nodes = [make_node("Flatten", ["image"], ["flat"]), make_node("Gemm", ["flat", "w"], ["embedding"], transB=1)]
        path = make_onnx(folder / "net.onnx", nodes, {"w": WEIGHT})
        model = onnx.load(path)
        set_external_data(model.graph.initializer[0], location)
        model.graph.initializer[0].ClearField("raw_data")
        path.write_bytes(model.SerializeToString())
        return path

    return run


def test_weights_beside_the_model_are_read(external: Callable[[str], Path]) -> None:
    path = external("net.bin")
    (path.parent / "net.bin").write_bytes(WEIGHT.tobytes())
    network = load_face_id(path, "raw")
    crops = torch.rand(2, 3, 112, 112)
    with torch.no_grad():
        assert np.allclose(network(crops).numpy(), crops.flatten(1).numpy() @ WEIGHT.T, atol=1e-4)


def test_the_digest_covers_weights_beside_the_model(external: Callable[[str], Path]) -> None:
    path = external("net.bin")
    (path.parent / "net.bin").write_bytes(WEIGHT.tobytes())
    before, model_alone = onnx_digest(path), sha256_of(path)
    (path.parent / "net.bin").write_bytes((WEIGHT + 1).tobytes())
    assert onnx_digest(path) != before
    assert sha256_of(path) == model_alone


@pytest.mark.parametrize("location", ["../outside.bin", "{outside}", "sub/../../outside.bin", "", ".", "link.bin"])
def test_weights_outside_the_models_folder_are_not_touched(
    external: Callable[[str], Path], tmp_path: Path, location: str
) -> None:
    outside = tmp_path / "outside.bin"
    outside.write_bytes(WEIGHT.tobytes())
    path = external(location.format(outside=outside))
    (path.parent / "link.bin").symlink_to(outside)
    for use in (read_onnx, onnx_digest):
        with pytest.raises(ModelError, match="outside its own folder"):
            use(path)


def test_missing_weights_are_named(external: Callable[[str], Path]) -> None:
    path = external("gone.bin")
    with pytest.raises(ModelError, match=r"gone\.bin"):
        read_onnx(path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 50, None])
def test_files_that_are_no_models_are_refused_in_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"some\.onnx"):
        read_onnx(path)
    with pytest.raises(ModelError, match="cannot be read"):
        read_onnx(tmp_path)


def test_a_model_cut_off_is_refused(pack, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(pack.face_id_path.read_bytes()[:1_000_000])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        read_onnx(path)


def test_dequantised_sface_equals_the_quantised_one(pack, run_onnx: Callable, tmp_path: Path, face_crops) -> None:
    plain = dequantised(pack.face_id_path.read_bytes())
    assert "DequantizeLinear" not in {node.op_type for node in plain.graph.node}
    onnx.save(plain, tmp_path / "plain.onnx")
    images = face_crops[:2].numpy()
    assert np.allclose(run_onnx(tmp_path / "plain.onnx", images), run_onnx(pack.face_id_path, images), atol=1e-4)
