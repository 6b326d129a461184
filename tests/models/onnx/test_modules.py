from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.helper import make_node
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from vcn_ray.errors import ModelError
from vcn_ray.models.face_id import load_face_id
from vcn_ray.models.onnx.graph import read_network


@pytest.fixture(params=["sface", "iresnet", "vit"])
def face_id_onnx(request: pytest.FixtureRequest) -> Path:
    if request.param == "sface":
        return request.getfixturevalue("pack").face_id_path
    return request.getfixturevalue(f"{request.param}_onnx")


def test_equals_onnxruntime_on_random_and_real_crops(
    face_id_onnx: Path, run_onnx: Callable, face_crops: Tensor
) -> None:
    generator = torch.Generator().manual_seed(0)
    crops = torch.cat([face_crops, torch.rand(4, 3, 112, 112, generator=generator) * 255])
    network = load_face_id(face_id_onnx, "raw")
    with torch.no_grad():
        ours = network(crops).numpy()
    theirs = run_onnx(face_id_onnx, crops.numpy())
    assert np.abs(ours - theirs).max() < 1e-4 * max(1.0, np.abs(theirs).max())
    assert np.abs(theirs).max() > 0.1


def test_ready_for_inference_a_network_gives_the_same_embeddings_and_stays_trainable_itself(
    face_id_onnx: Path, face_crops: Tensor
) -> None:
    network = load_face_id(face_id_onnx)
    ready = network.for_inference()
    with torch.no_grad():
        expected, ours = network(face_crops), ready(face_crops)
    assert torch.allclose(ours, expected, atol=1e-5 * float(expected.abs().max()))
    assert not any(parameter.requires_grad for parameter in ready.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert torch.allclose(network(face_crops), expected, atol=1e-5 * float(expected.abs().max()))  # torch's own way


def test_in_bfloat16_embeddings_keep_their_direction(face_id_onnx: Path, face_crops: Tensor) -> None:
    network = load_face_id(face_id_onnx)
    with torch.no_grad():
        expected, ours = network(face_crops), network.for_inference("bfloat16")(face_crops)
    assert ours.dtype == torch.float32
    assert not torch.equal(ours, expected)
    assert torch.nn.functional.cosine_similarity(ours, expected).min() > 0.998


def test_gradients_reach_all_weights(face_id_onnx: Path, face_crops: Tensor) -> None:
    network = load_face_id(face_id_onnx)
    weighting = torch.randn(network.embedding_dim, generator=torch.Generator().manual_seed(1))
    (network(face_crops) * weighting).sum().backward()
    flat = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert flat == []
    assert sum(p.numel() for p in network.parameters()) > 10_000


def test_weights_go_through_safetensors_and_names_are_the_same_every_time(
    face_id_onnx: Path, face_crops: Tensor
) -> None:
    network, other = load_face_id(face_id_onnx), load_face_id(face_id_onnx)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 1.01
        other.load_state_dict(load_safetensors(save_safetensors(network.state_dict())))
        assert torch.equal(network(face_crops), other(face_crops))


def test_sface_has_all_its_weights(pack) -> None:
    network = pack.face_id()
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(9.6e6, rel=0.01)


def _graph(make_onnx: Callable, path: Path, nodes: list, **others: object) -> Path:
    return make_onnx(path, nodes, {"w": np.ones((5, 3 * 112 * 112), np.float32)}, **others)


@pytest.mark.parametrize("domain", ["", "com.example"])
def test_an_unknown_operator_is_named_with_its_file(make_onnx: Callable, tmp_path: Path, domain: str) -> None:
    nodes = [
        make_node("Einsum" if not domain else "FusedThing", ["image"], ["x"], domain=domain),
        make_node("Flatten", ["x"], ["flat"]),
        make_node("Gemm", ["flat", "w"], ["embedding"], transB=1),
    ]
    with pytest.raises(ModelError, match=r"odd\.onnx: operator .*(Einsum|example\.FusedThing)"):
        load_face_id(_graph(make_onnx, tmp_path / "odd.onnx", nodes))


def test_a_second_image_input_is_refused(make_onnx: Callable, tmp_path: Path) -> None:
    nodes = [make_node("Add", ["image", "other"], ["embedding"])]
    with pytest.raises(ModelError, match="image, other"):
        read_network(_graph(make_onnx, tmp_path / "two.onnx", nodes, inputs=("image", "other")))


def test_a_network_without_a_layer_to_cut_at_is_refused(make_onnx: Callable, tmp_path: Path) -> None:
    nodes = [make_node("Flatten", ["image"], ["embedding"])]
    with pytest.raises(ModelError, match="no last linear layer"):
        load_face_id(_graph(make_onnx, tmp_path / "flat.onnx", nodes))


def test_nodes_that_the_output_does_not_need_may_be_anything(make_onnx: Callable, tmp_path: Path) -> None:
    nodes = [
        make_node("Flatten", ["image"], ["flat"]),
        make_node("Gemm", ["flat", "w"], ["embedding"], transB=1),
        make_node("NonZero", ["embedding"], ["unused"]),
    ]
    assert load_face_id(_graph(make_onnx, tmp_path / "extra.onnx", nodes)).embedding_dim == 5


def test_half_precision_weights_become_float32(make_onnx: Callable, tmp_path: Path, face_crops: Tensor) -> None:
    nodes = [
        make_node("Cast", ["image"], ["half"], to=onnx.TensorProto.FLOAT16),
        make_node("Flatten", ["half"], ["flat"]),
        make_node("Gemm", ["flat", "w"], ["out"], transB=1),
        make_node("Cast", ["out"], ["embedding"], to=onnx.TensorProto.FLOAT),
    ]
    weight = np.random.default_rng(0).normal(0, 0.01, (5, 3 * 112 * 112)).astype(np.float16)
    network = load_face_id(make_onnx(tmp_path / "half.onnx", nodes, {"w": weight}), "raw")
    expected = face_crops.flatten(1).numpy() @ weight.astype(np.float32).T
    with torch.no_grad():
        assert np.allclose(network(face_crops).numpy(), expected, rtol=1e-3, atol=1e-2)
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_an_exported_transformer_has_tokens_and_convolutional_networks_have_none(
    vit_onnx: Path, iresnet_onnx: Path, pack: Any, face_crops: Tensor
) -> None:
    exported = load_face_id(vit_onnx, "raw")
    assert exported.tokens is not None
    assert (exported.tokens.prefix, exported.tokens.side, exported.tokens.embedded_by) == (1, 7, "neck")
    with torch.no_grad():
        features, hidden = exported.trunk.with_tokens(face_crops)
        assert torch.equal(hidden[:, 0], features)  # the class token, normalised
        assert torch.allclose(exported.for_inference().trunk.with_tokens(face_crops)[1], hidden, atol=1e-5)
    for convolutional in (load_face_id(iresnet_onnx), pack.face_id()):
        assert convolutional.tokens is None
