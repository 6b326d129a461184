from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx.helper import make_node

from vcn_ray.errors import ModelError
from vcn_ray.models.onnx.graph import read_network
from vcn_ray.models.onnx.modules import OnnxModule

_F = onnx.TensorProto.FLOAT


def _floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, 1, shape).astype(np.float32)


def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


IMAGE, TOKENS = (2, 4, 7, 9), (2, 5, 8)

# operator, its attributes, shape of the input, constants (the second input and so on; None: left out), opset
CASES = [
    ("Conv", {"kernel_shape": [3, 3], "pads": [1, 0, 2, 1], "strides": [2, 1]}, IMAGE, [_floats(6, 4, 3, 3)], 17),
    ("Conv", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, IMAGE, [_floats(6, 4, 3, 2), _floats(6)], 17),
    ("Conv", {"auto_pad": "SAME_LOWER", "strides": [2, 3]}, IMAGE, [_floats(6, 4, 2, 3)], 17),
    ("Conv", {"group": 4, "dilations": [2, 2], "pads": [2, 2, 2, 2]}, IMAGE, [_floats(4, 1, 3, 3), _floats(4)], 17),
    ("Conv", {"strides": [2, 2]}, IMAGE, [_floats(8, 4, 1, 1), _floats(8)], 17),
    ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 1]}, IMAGE, [], 17),
    ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, IMAGE, [], 17),
    ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, IMAGE, [], 17),
    (
        "AveragePool",
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1], "count_include_pad": 1},
        IMAGE,
        [],
        17,
    ),
    ("GlobalAveragePool", {}, IMAGE, [], 17),
    (
        "BatchNormalization",
        {"epsilon": 1e-3},
        IMAGE,
        [_floats(4), _floats(4), _floats(4), np.abs(_floats(4)) + 0.1],
        15,
    ),
    ("LayerNormalization", {"axis": -1, "epsilon": 1e-6}, TOKENS, [_floats(8), _floats(8)], 17),
    ("LayerNormalization", {"axis": 1}, TOKENS, [_floats(5, 8)], 17),
    ("PRelu", {}, IMAGE, [_floats(4, 1, 1)], 17),
    ("PRelu", {}, IMAGE, [_floats(1)], 17),
    ("PRelu", {}, TOKENS, [_floats(8)], 17),
    ("LeakyRelu", {"alpha": 0.3}, IMAGE, [], 17),
    ("Relu", {}, IMAGE, [], 17),
    ("Elu", {"alpha": 0.5}, IMAGE, [], 17),
    ("Sigmoid", {}, IMAGE, [], 17),
    ("HardSigmoid", {"alpha": 0.3}, IMAGE, [], 17),
    ("HardSwish", {}, IMAGE, [], 17),
    ("Tanh", {}, IMAGE, [], 17),
    ("Gelu", {}, TOKENS, [], 20),
    ("Gelu", {"approximate": "tanh"}, TOKENS, [], 20),
    ("Erf", {}, TOKENS, [], 17),
    ("Exp", {}, TOKENS, [], 17),
    ("Neg", {}, TOKENS, [], 17),
    ("Softmax", {}, TOKENS, [], 17),
    ("Softmax", {"axis": 1}, TOKENS, [], 17),
    ("Softmax", {"axis": 1}, TOKENS, [], 11),
    ("Add", {}, TOKENS, [_floats(5, 8)], 17),
    ("Sub", {}, TOKENS, [_floats(8)], 17),
    ("Mul", {}, IMAGE, [_floats(4, 1, 1)], 17),
    ("Div", {}, IMAGE, [np.float32(3.5)], 17),
    ("Pow", {}, TOKENS, [np.float32(2)], 17),
    ("MatMul", {}, TOKENS, [_floats(8, 3)], 17),
    ("Gemm", {"transB": 1}, (4, 8), [_floats(3, 8), _floats(3)], 17),
    ("Gemm", {"alpha": 0.5, "beta": 2.0, "transA": 1}, (8, 4), [_floats(8, 3), _floats(4, 1)], 17),
    ("Gemm", {}, (4, 8), [_floats(8, 3)], 17),
    ("Clip", {}, TOKENS, [np.float32(-0.5), np.float32(0.5)], 17),
    ("Clip", {}, TOKENS, [None, np.float32(0.5)], 17),
    ("Clip", {"min": -0.1}, TOKENS, [], 6 + 1),
    ("Dropout", {}, TOKENS, [np.float32(0.4)], 17),
    ("Identity", {}, TOKENS, [], 17),
    ("Flatten", {}, IMAGE, [], 17),
    ("Flatten", {"axis": -1}, IMAGE, [], 17),
    ("Flatten", {"axis": 0}, IMAGE, [], 17),
    ("Reshape", {}, IMAGE, [_ints(0, -1, 3)], 17),
    ("Transpose", {"perm": [0, 2, 3, 1]}, IMAGE, [], 17),
    ("Transpose", {}, TOKENS, [], 17),
    ("ReduceMean", {"axes": [2, 3], "keepdims": 0}, IMAGE, [], 17),
    ("ReduceMean", {}, TOKENS, [_ints(-1)], 18),
    ("ReduceMean", {}, TOKENS, [], 18),
    ("ReduceSum", {"keepdims": 1}, TOKENS, [_ints(1)], 17),
    ("ReduceL2", {"axes": [1], "keepdims": 1}, TOKENS, [], 17),
    ("Concat", {"axis": 1}, TOKENS, [_floats(2, 3, 8)], 17),
    ("Slice", {}, TOKENS, [_ints(1, -3), _ints(4, 2**31), _ints(1, 2)], 17),
    ("Slice", {}, TOKENS, [_ints(0), _ints(100), _ints(1), _ints(2)], 17),
    ("Slice", {}, TOKENS, [_ints(-1), _ints(-(2**31)), _ints(2), _ints(-2)], 17),
    ("Slice", {}, TOKENS, [_ints(4), _ints(1), _ints(1), _ints(-1)], 17),
    ("Slice", {"axes": [1], "starts": [1], "ends": [-1]}, TOKENS, [], 9),
    ("Gather", {"axis": 1}, TOKENS, [np.array(0, np.int64)], 17),
    ("Gather", {"axis": 1}, TOKENS, [np.array(-2, np.int64)], 17),
    ("Gather", {"axis": 2}, TOKENS, [np.array([[1, -1], [0, 3]], np.int64)], 17),
    ("Unsqueeze", {}, TOKENS, [_ints(0, -1)], 17),
    ("Unsqueeze", {"axes": [1, 4]}, TOKENS, [], 11),
    ("Squeeze", {}, (2, 1, 3, 1), [_ints(1, -1)], 17),
    ("Squeeze", {"axes": [3]}, (2, 1, 3, 1), [], 11),
    ("Expand", {}, (2, 1, 3), [_ints(1, 4, 1)], 17),
]


def _both(path: Path, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    network = read_network(path)
    module = OnnxModule(network, network.nodes, network.input_name, network.output_name)
    with torch.no_grad():
        ours = module(torch.from_numpy(image)).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return ours, session.run(None, {session.get_inputs()[0].name: image})[0]


@pytest.mark.parametrize(
    ("operator", "attributes", "shape", "constants", "opset"),
    CASES,
    ids=[f"{k}-{case[0]}" for k, case in enumerate(CASES)],
)
def test_equals_onnxruntime(
    make_onnx: Callable, tmp_path: Path, operator: str, attributes: dict, shape: tuple, constants: list, opset: int
) -> None:
    names = ["" if value is None else f"c{k}" for k, value in enumerate(constants)]
    weights = {name: np.asarray(value) for name, value in zip(names, constants, strict=True) if name}
    nodes = [make_node(operator, ["image", *names], ["embedding"], **attributes)]
    path = make_onnx(tmp_path / "one.onnx", nodes, weights, shape=shape, opset=opset)
    ours, theirs = _both(path, _floats(*shape))
    assert ours.shape == theirs.shape
    assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_shapes_computed_in_the_network_follow_the_batch(make_onnx: Callable, tmp_path: Path) -> None:
    nodes = [
        make_node("Shape", ["image"], ["shape"]),
        make_node("Gather", ["shape", "zero"], ["n"], axis=0),
        make_node("Unsqueeze", ["n", "axes"], ["n1"]),
        make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        make_node("Reshape", ["image", "target"], ["rows"]),
        make_node("ConstantOfShape", ["target1"], ["zeros"], value=onnx.helper.make_tensor("v", _F, [1], [0.5])),
        make_node("Concat", ["n1", "ones"], ["target2"], axis=0),
        make_node("Expand", ["zeros", "target2"], ["more"]),
        make_node("Concat", ["more", "rows"], ["all"], axis=1),
        make_node("Split", ["all", "sizes"], ["first", "second"], axis=1),
        make_node("Sqrt", ["scale"], ["root"]),
        make_node("Cast", ["two"], ["two_real"], to=_F),
        make_node("Div", ["second", "two_real"], ["halved"]),
        make_node("Mul", ["halved", "root"], ["embedding"]),
    ]
    weights = {
        "zero": np.array(0, np.int64),
        "axes": _ints(0),
        "rest": _ints(-1, 4),
        "target1": _ints(1, 3, 4),
        "ones": _ints(1, 1),
        "sizes": _ints(1, 5),
        "scale": np.float32(9).reshape(()),
        "two": _ints(2),
    }
    for batch in (1, 3):
        path = make_onnx(tmp_path / "net.onnx", nodes, weights, shape=("n", 12), opset=17)
        ours, theirs = _both(path, _floats(batch, 12))
        assert np.allclose(ours, theirs, atol=1e-6)


def test_uneven_split_without_sizes_and_where(make_onnx: Callable, tmp_path: Path) -> None:
    nodes = [
        make_node("Split", ["image"], ["a", "b"], axis=1, num_outputs=2),
        make_node("ReduceMean", ["b"], ["mean"]),
        make_node("Equal", ["a", "a"], ["same"]),
        make_node("Where", ["same", "a", "mean"], ["embedding"]),
    ]
    ours, theirs = _both(make_onnx(tmp_path / "net.onnx", nodes, {}, shape=(2, 5), opset=18), _floats(2, 5))
    assert np.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_a_batchnorm_after_a_convolution_with_or_without_bias_or_other_users(
    make_onnx: Callable, tmp_path: Path, bias: bool, shared: bool
) -> None:
    nodes = [
        make_node("Conv", ["image", "w", "b"] if bias else ["image", "w"], ["c"], group=2, pads=[1, 1, 1, 1]),
        make_node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["n"], epsilon=1e-3),
        make_node("Sub", ["n", "c" if shared else "scale1"], ["embedding"]),
    ]
    weights = {
        "w": _floats(6, 2, 3, 3),
        "b": _floats(6),
        "scale": _floats(6),
        "shift": _floats(6),
        "mean": _floats(6),
        "variance": np.abs(_floats(6)) + 0.1,
        "scale1": np.float32(2),
    }
    path = make_onnx(tmp_path / "net.onnx", nodes, weights, shape=IMAGE)
    ours, theirs = _both(path, _floats(*IMAGE))
    assert np.allclose(ours, theirs, atol=1e-4)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(1, 6),
    blocks=st.integers(1, 4),
    block=st.integers(1, 9),
    axis=st.sampled_from([0, 1, -1]),
    kind=st.sampled_from(["blocks", "slices", "one"]),
    signed=st.booleans(),
    zero_points=st.booleans(),
    seed=st.integers(0, 99),
)
def test_dequantised_weights_equal_onnxruntimes(
    make_onnx: Callable,
    tmp_path: Path,
    rows: int,
    blocks: int,
    block: int,
    axis: int,
    kind: str,
    signed: bool,
    zero_points: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    shape = [rows, rows]
    shape[axis] = blocks * block
    scales = {"blocks": [*shape], "slices": [shape[axis]], "one": []}[kind]
    if kind == "blocks":
        scales[axis] = blocks
    low, high = (-128, 128) if signed else (0, 256)
    dtype = np.int8 if signed else np.uint8
    weights = {
        "q": rng.integers(low, high, shape).astype(dtype),
        "s": rng.uniform(0.001, 0.1, scales).astype(np.float32),
        "z": rng.integers(low, high, scales).astype(dtype),
    }
    if not zero_points:
        del weights["z"]
    nodes = [
        make_node(
            "DequantizeLinear",
            ["q", "s", "z"] if zero_points else ["q", "s"],
            ["w"],
            axis=axis,
            **({"block_size": block} if kind == "blocks" else {}),
        ),
        make_node("Mul", ["image", "w"], ["embedding"]),
    ]
    path = make_onnx(tmp_path / "net.onnx", nodes, weights, shape=tuple(shape), opset=21)
    ours, theirs = _both(path, np.ones(shape, np.float32))
    assert np.allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "weights", "what"),
    [
        ([make_node("Conv", ["image", "w"], ["embedding"])], {"w": np.ones((2, 4, 3), np.float32)}, "Conv"),
        ([make_node("MaxPool", ["image"], ["embedding"], kernel_shape=[2, 2], dilations=[2, 2])], {}, "MaxPool"),
        (
            [make_node("BatchNormalization", ["image", "c", "c", "c", "c"], ["embedding", "m", "v"], training_mode=1)],
            {"c": np.ones(4, np.float32)},
            "BatchNormalization",
        ),
        ([make_node("Cast", ["image"], ["embedding"], to=onnx.TensorProto.STRING)], {}, "Cast"),
    ],
)
def test_uses_that_are_not_converted_are_named(
    make_onnx: Callable, tmp_path: Path, nodes: list, weights: dict, what: str
) -> None:
    network = read_network(make_onnx(tmp_path / "net.onnx", nodes, weights, shape=IMAGE))
    module = OnnxModule(network, network.nodes, network.input_name, network.output_name)
    with pytest.raises(ModelError, match=rf"net\.onnx: {what}"):
        module(torch.zeros(IMAGE))
