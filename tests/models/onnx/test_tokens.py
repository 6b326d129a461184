"""The last hidden state of a transformer in an ONNX file is found, and what makes an embedding of a token."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.helper import make_node
from torch import Tensor

from vcn_ray.adapt.finetune import Adaptation
from vcn_ray.config import make_options
from vcn_ray.models.face_id import FaceIdNetwork, load_face_id

WIDTH, PATCHES = 12, 49


def _transformer(make_onnx: Callable[..., Path], path: Path, head: str) -> tuple[Path, dict[str, np.ndarray]]:
    """One block of attention over 49 patches, a class token before them, a normalisation, and a head."""
    rng = np.random.default_rng(0)
    weights = {
        "patches": rng.normal(0, 0.0005, (WIDTH, 3, 16, 16)).astype(np.float32),
        "flat": np.array([0, WIDTH, -1]),
        "token": rng.normal(size=(1, 1, WIDTH)).astype(np.float32),
        "query": rng.normal(0, 0.1, (WIDTH, WIDTH)).astype(np.float32),
        "scale": np.ones(WIDTH, np.float32),
        "shift": rng.normal(size=WIDTH).astype(np.float32),
        "first": np.array(0),
        "w": rng.normal(0, 0.3, (WIDTH, 5)).astype(np.float32),
        "b": rng.normal(size=5).astype(np.float32),
        "wide": rng.normal(0, 0.05, ((PATCHES + 1) * WIDTH, WIDTH)).astype(np.float32),
    }
    nodes = [
        make_node("Conv", ["image", "patches"], ["squares"], strides=[16, 16]),
        make_node("Reshape", ["squares", "flat"], ["columns"]),
        make_node("Transpose", ["columns"], ["rows"], perm=[0, 2, 1]),
        make_node("Concat", ["token", "rows"], ["tokens"], axis=1),
        make_node("MatMul", ["tokens", "query"], ["q"]),
        make_node("Transpose", ["tokens"], ["k"], perm=[0, 2, 1]),
        make_node("MatMul", ["q", "k"], ["scores"]),
        make_node("Softmax", ["scores"], ["attention"], axis=-1),
        make_node("MatMul", ["attention", "tokens"], ["mixed"]),
        make_node("Add", ["tokens", "mixed"], ["block"]),
        make_node("LayerNormalization", ["block", "scale", "shift"], ["hidden"], axis=-1),
    ]
    heads = {
        "class token": [make_node("Gather", ["hidden", "first"], ["embedding"], axis=1)],
        "linear": [
            make_node("Gather", ["hidden", "first"], ["class"], axis=1),
            make_node("Gemm", ["class", "w", "b"], ["embedding"]),
        ],
        "mean": [
            make_node("ReduceMean", ["hidden"], ["mean"], axes=[1], keepdims=0),
            make_node("Gemm", ["mean", "w", "b"], ["embedding"]),
        ],
        "all tokens": [
            make_node("Flatten", ["hidden"], ["all"], axis=1),
            make_node("MatMul", ["all", "wide"], ["embedding"]),
        ],
        "each, then the mean": [
            make_node("MatMul", ["hidden", "w"], ["short"]),
            make_node("Add", ["short", "b"], ["each"]),
            make_node("ReduceMean", ["each"], ["embedding"], axes=[1], keepdims=0),
        ],
    }
    used = {name for node in [*nodes, *heads[head]] for name in node.input}
    kept = {name: value for name, value in weights.items() if name in used}
    return make_onnx(path, [*nodes, *heads[head]], kept), weights


def _given(path: Path, *names: str) -> Path:
    """The same file with other outputs."""
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    other = path.with_stem("given")
    onnx.save(model, other)
    return other


@pytest.mark.parametrize("head", ["class token", "linear", "mean", "all tokens", "each, then the mean"])
def test_tokens_equal_onnxruntimes(
    make_onnx: Callable[..., Path], run_onnx: Callable[..., Any], tmp_path: Path, face_crops: Tensor, head: str
) -> None:
    path, weights = _transformer(make_onnx, tmp_path / "vit.onnx", head)
    network = load_face_id(path, "raw")
    hidden_there = run_onnx(_given(path, "hidden"), face_crops.numpy())
    with torch.no_grad():
        _, hidden = network.trunk.with_tokens(face_crops)
        embedding, patches = _with_patches(network, face_crops)
    assert np.abs(hidden.numpy() - hidden_there).max() < 1e-4
    assert np.abs(embedding.numpy() - run_onnx(path, face_crops.numpy())).max() < 1e-4
    tokens = network.tokens
    assert (tokens.prefix, tokens.side, tokens.patch_px) == (1, 7, 16)
    expected = hidden_there[:, 1:]
    if head in ("linear", "mean"):
        expected = expected @ weights["w"] + weights["b"]
    if head == "each, then the mean":
        assert tokens.embedded_by is None
        return
    assert tokens.embedded_by == ("nothing" if head == "all tokens" else "neck")
    assert np.abs(patches.numpy() - expected).max() < 1e-4


def _with_patches(network: FaceIdNetwork, crops: Tensor) -> tuple[Tensor, Tensor | None]:
    if network.tokens is not None and network.tokens.embedded_by is None:
        return network(crops), None
    return network.with_patches(crops)


def test_patch_tokens_train_the_network_of_an_onnx_file(
    make_onnx: Callable[..., Path], tmp_path: Path, face_crops: Tensor
) -> None:
    network = load_face_id(_transformer(make_onnx, tmp_path / "vit.onnx", "linear")[0], "raw")
    short = {"first_epochs": 1, "head_only_epochs": 0, "batch_pairs": 2, "min_batches_per_epoch": 1}
    options = make_options(short | {"depth": "full", "patch_loss": 1.0}).adapt
    crops, keys = face_crops.byte().numpy(), np.arange(6)
    adaptation = Adaptation.on_network(network, crops, keys, keys // 2, options, 0, "cpu", depth="full")
    assert adaptation.finetune(1, np.arange(3)).epochs[0].mean_patch_loss > 0
    trained = adaptation._student.backbone.network
    still = [name for name, weight in trained.named_parameters() if torch.equal(weight, network.get_parameter(name))]
    assert still == []
