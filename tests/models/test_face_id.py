from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx.helper import make_node

from vcn_ray.errors import ModelError
from vcn_ray.models.alignment import align_crop
from vcn_ray.models.face_id import FaceIdNetwork, load_face_id


@pytest.fixture(scope="module")
def sface(pack) -> FaceIdNetwork:
    return pack.face_id()


def _small(make_onnx, path: Path, *before: str, shape=("n", 3, 112, 112), reshape=False, **others) -> Path:
    """A linear layer on 8 x 8 averages of the image, after steps of input normalisation."""
    rng = np.random.default_rng(3)
    weights = {
        "mean": np.array([127.5], np.float32),
        "scale": np.array([1 / 128], np.float32),
        "w": rng.normal(0, 1, (5, 3 * 64)).astype(np.float32),
        "b": rng.normal(0, 1, 5).astype(np.float32),
    }
    nodes, name = [], "image"
    for k, operator in enumerate(before):
        nodes.append(make_node(operator, [name, "mean" if operator == "Sub" else "scale"], [f"step{k}"]))
        name = f"step{k}"
    nodes.append(make_node("AveragePool", [name], ["cells"], kernel_shape=[14, 14], strides=[14, 14]))
    if reshape:
        weights["target"] = np.array([1, -1], np.int64)
        nodes.append(make_node("Reshape", ["cells", "target"], ["flat"]))
    else:
        nodes.append(make_node("Flatten", ["cells"], ["flat"]))
    nodes.append(make_node("Gemm", ["flat", "w", "b"], ["embedding"], transB=1))
    return make_onnx(path, nodes, weights, shape=shape, **others)


def test_one_person_is_nearer_than_the_makers_threshold_and_others_are_not(pack, sface, astronaut, face_crops) -> None:
    detector = pack.detector(0.6)
    views = []
    for image in (astronaut, astronaut[:, ::-1], (astronaut * 0.6).astype(np.uint8)):
        image = np.ascontiguousarray(image)
        views.append(align_crop(image[..., ::-1], detector.detect(image).landmarks[0]))
    same = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        embeddings = F.normalize(sface(torch.cat([same, face_crops])))
    cosine = embeddings @ embeddings.T
    assert cosine[:3, :3].min() > pack.recognition_threshold
    others = cosine[2:, 2:] - torch.eye(7)
    assert others.max() < pack.recognition_threshold


def test_trunk_and_neck_make_up_the_network(sface, face_crops) -> None:
    with torch.no_grad():
        features = sface.trunk(face_crops)
        assert features.shape == (6, sface.feature_dim) == (6, 50176)
        assert sface.neck(features).shape == (6, sface.embedding_dim) == (6, 128)
        assert torch.equal(sface(face_crops), sface.neck(features))
    assert sface.input_size == 112
    assert not sface.training


def test_crops_of_a_batch_do_not_influence_each_other(sface, face_crops) -> None:
    with torch.no_grad():
        alone = torch.cat([sface(crop[None]) for crop in face_crops])
        assert torch.allclose(sface(face_crops), alone, atol=1e-4)


def test_training_leaves_the_statistics_of_batchnorm_alone(pack, face_crops) -> None:
    network = pack.face_id()
    before = {name: value.clone() for name, value in network.named_buffers()}
    assert any("moving_mean" in name for name in before)
    with torch.no_grad():
        base = network(face_crops)
    network.train()
    loss = F.normalize(network(face_crops)).square().sum()
    loss = loss + network(face_crops).sum()
    loss.backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())
    with torch.no_grad():
        assert torch.equal(network(face_crops), base)
        for parameter in network.parameters():
            parameter -= 1e-3 * parameter.grad / parameter.grad.norm()
        assert not torch.equal(network(face_crops), base)


@pytest.mark.parametrize(
    ("before", "input_range", "centred"),
    [
        ((), "auto", True),
        (("Sub", "Mul"), "auto", False),
        (("Mul",), "auto", False),
        ((), "raw", False),
        (("Sub", "Mul"), "centred", True),
    ],
)
def test_input_range_is_told_from_the_network_or_by_the_user(
    make_onnx, run_onnx, tmp_path, face_crops, before, input_range, centred
) -> None:
    path = _small(make_onnx, tmp_path / "net.onnx", *before)
    images = ((face_crops - 127.5) / 127.5 if centred else face_crops).numpy()
    with torch.no_grad():
        ours = load_face_id(path, input_range)(face_crops).numpy()
    assert np.allclose(ours, run_onnx(path, images), rtol=1e-4, atol=1e-4)


def test_input_normalisation_is_not_trained(make_onnx, tmp_path) -> None:
    network = load_face_id(_small(make_onnx, tmp_path / "net.onnx", "Sub", "Mul"))
    assert sorted(p.numel() for p in network.parameters()) == [5, 5 * 192]


def test_weights_listed_as_inputs_do_not_count_as_inputs(make_onnx, run_onnx, tmp_path, face_crops) -> None:
    path = _small(make_onnx, tmp_path / "net.onnx", "Sub", inputs=("w", "image", "b", "mean"))
    with torch.no_grad():
        assert np.allclose(load_face_id(path)(face_crops), run_onnx(path, face_crops.numpy()), rtol=1e-4, atol=1e-4)


def test_a_network_exported_for_one_image_takes_batches(make_onnx, run_onnx, tmp_path, face_crops) -> None:
    path = _small(make_onnx, tmp_path / "net.onnx", "Sub", shape=(1, 3, 112, 112), reshape=True)
    with torch.no_grad():
        ours = load_face_id(path)(face_crops).numpy()
    assert np.allclose(ours, run_onnx(path, face_crops.numpy()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [("n", 3, 160, 160), ("n", 112, 112, 3), ("n", 1, 112, 112), ("n", 10)])
def test_networks_for_other_images_are_refused(make_onnx, tmp_path, shape) -> None:
    path = _small(make_onnx, tmp_path / "net.onnx", shape=shape)
    with pytest.raises(ModelError, match=r"net\.onnx.*112"):
        load_face_id(path)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_file_is_converted_or_refused_in_one_line(make_onnx, tmp_path, changes) -> None:
    path = _small(make_onnx, tmp_path / "net.onnx", "Sub", "Mul", shape=(1, 3, 112, 112), reshape=True)
    content = bytearray(path.read_bytes())
    for position, value in changes:
        content[position if position < 500 else position - 1000] = value  # the graph, not the weights in between
    path.write_bytes(content)
    try:
        load_face_id(path)
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_a_network_that_mixes_its_batch_is_refused(make_onnx, tmp_path) -> None:
    nodes = [
        make_node("ReduceMean", ["image"], ["mean"], axes=[0], keepdims=1),
        make_node("Sub", ["image", "mean"], ["centred"]),
        make_node("AveragePool", ["centred"], ["cells"], kernel_shape=[14, 14], strides=[14, 14]),
        make_node("Flatten", ["cells"], ["flat"]),
        make_node("Gemm", ["flat", "w"], ["embedding"], transB=1),
    ]
    weights = {"w": np.ones((5, 192), np.float32)}
    with pytest.raises(ModelError, match="mixes up"):
        load_face_id(make_onnx(tmp_path / "net.onnx", nodes, weights))


def test_without_its_mean_face_an_embedding_keeps_its_length_and_loses_what_all_share(pack, face_crops) -> None:
    raw = load_face_id(pack.face_id_path, pack.face_id_input)
    with torch.no_grad():
        before, after = raw(face_crops), pack.face_id()(face_crops)
    mean = torch.from_numpy(pack.info.read_mean_face())
    assert torch.allclose(before.norm(dim=1), after.norm(dim=1), rtol=1e-5)
    assert torch.allclose(F.normalize(after), F.normalize(F.normalize(before) - mean), atol=1e-5)
