"""A vision transformer from timm's folder gives what timm's own gives: embeddings and tokens."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny_vit import demo_crops, make_vit, save_vit, timm, train_vit
from torch import Tensor
from torch.nn import functional as F

from vcn_ray.config import ModelOptions
from vcn_ray.errors import ModelError
from vcn_ray.models.loading import load_named
from vcn_ray.models.vit.network import load_vit


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_vit(make_vit(), tmp_path / "network")


@torch.no_grad()
@pytest.mark.parametrize(
    ("arguments", "prefix", "embedded_by"),
    [
        ({}, 1, "neck"),
        ({"global_pool": "avg"}, 1, "neck"),  # with a normalisation behind the mean
        ({"reg_tokens": 4, "num_classes": 0}, 5, "neck"),  # the class token is the embedding
        ({"class_token": False, "global_pool": "avg"}, 0, "neck"),
        ({"global_pool": "map"}, 1, None),  # pooled by an attention of its own
    ],
)
def test_embeddings_and_tokens_are_timms_own(
    arguments: dict[str, Any], prefix: int, embedded_by: str | None, tmp_path: Path, face_crops: Tensor
) -> None:
    model = make_vit(**arguments)
    network = load_vit(save_vit(model, tmp_path / "network"))
    centred = (face_crops / 255 - 0.5) / 0.5
    expected, tokens = model(centred), model.forward_features(centred)
    _, hidden = network.trunk.with_tokens(face_crops)
    assert (network(face_crops) - expected).abs().max() < 1e-4
    assert (hidden - tokens).abs().max() < 1e-4
    assert expected.abs().max() > 0.1
    assert (network.tokens.prefix, network.tokens.side, network.tokens.patch_px) == (prefix, 7, 16)
    assert network.tokens.embedded_by == embedded_by
    if embedded_by is None:
        with pytest.raises(ValueError, match="no patch tokens"):
            network.with_patches(face_crops)
        return
    embedding, patches = network.with_patches(face_crops)
    assert torch.allclose(embedding, expected, atol=1e-5)
    one = model.head(model.fc_norm(tokens[:, prefix + 10]))  # as if that token stood for the crop
    assert patches.shape == (6, 49, network.embedding_dim)
    assert torch.allclose(patches[:, 10], one, atol=1e-5)


def test_the_pixels_it_takes_are_said_by_its_configuration_or_by_the_user(saved: Path, face_crops: Tensor) -> None:
    model, config = make_vit(), json.loads((saved / "config.json").read_text())
    config["pretrained_cfg"] |= {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    (saved / "config.json").write_text(json.dumps(config))
    mean, std = (torch.tensor(config["pretrained_cfg"][name]).reshape(3, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        expected = model((face_crops / 255 - mean) / std)
        assert torch.allclose(load_vit(saved)(face_crops), expected, atol=1e-4)
        centred = load_vit(saved, "centred")(face_crops)
        assert torch.allclose(centred, model((face_crops - 127.5) / 127.5), atol=1e-4)
        raw = load_vit(saved, "raw")(face_crops)
        assert torch.allclose(raw, model(face_crops), atol=1e-4 * float(raw.abs().max()))


def test_a_flat_configuration_of_older_days_is_read(saved: Path, face_crops: Tensor) -> None:
    config = json.loads((saved / "config.json").read_text())
    before = load_vit(saved)(face_crops)
    flat = config["pretrained_cfg"] | {name: config[name] for name in ("architecture", "num_classes", "model_args")}
    (saved / "config.json").write_text(json.dumps(flat))
    assert torch.equal(load_vit(saved)(face_crops), before)


def test_gradients_reach_all_weights_and_inference_gives_the_same(saved: Path, face_crops: Tensor) -> None:
    network = load_vit(saved)
    expected = network(face_crops)
    assert torch.allclose(network.for_inference()(face_crops), expected, atol=1e-5)
    assert F.cosine_similarity(network.for_inference("bfloat16")(face_crops), expected).min() > 0.998
    weighting = torch.randn(network.embedding_dim, generator=torch.Generator().manual_seed(1))
    (expected * weighting).sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def _config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        if isinstance(changes.get("model_args"), dict):
            config["model_args"] |= changes.pop("model_args")
        (folder / "config.json").write_text(json.dumps(config | changes))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_config(architecture="hf_hub:somebody/vit"), "knows no architecture 'hf_hub:somebody/vit'"),
        (_config(architecture="Überraschung <b>"), "knows no architecture"),
        (_config(model_args={"checkpoint_path": "/etc/passwd"}), "model_args has checkpoint_path"),
        (_config(model_args={"img_size": 224}), "images of 3 colours and 224 x 224 pixels"),
        (_config(model_args={"in_chans": 1}), "images of 1 colours"),
        (_config(model_args={"patch_size": [16, 28]}), "into 7 x 4 patches; as many rows as columns"),
        (_config(model_args=[1]), "model_args is no table"),
        (_config(pretrained_cfg={"mean": [10**400] * 3}), "mean and std of pixels are not three numbers"),
        (_config(model_args={"num_heads": 7}), "cannot build vit_tiny_patch16_224 so"),
        (_config(model_args={"depth": 3}), r"other weights than config\.json says .*blocks\.2"),
        (_config(architecture="resnet18", model_args={}), "cannot build resnet18|no vision transformer"),
        (_config(pretrained_cfg={"mean": [0.5], "std": "<b>"}), "mean and std of pixels are not three numbers"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut off"), "cannot be read as safetensors"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told(saved: Path, change: Callable[[Path], Any], message: str) -> None:
    change(saved)
    with pytest.raises(ModelError, match=message):
        load_vit(saved)


def test_a_distilled_one_embeds_by_two_layers_and_is_refused(tmp_path: Path) -> None:
    folder = save_vit(make_vit("deit_tiny_distilled_patch16_224"), tmp_path / "network")
    with pytest.raises(ModelError, match="by more than one last layer, as distilled networks do; export it to ONNX"):
        load_vit(folder)


@pytest.mark.slow
def test_one_that_was_trained_on_the_demos_people_tells_them_apart(tmp_path: Path) -> None:
    people = demo_crops()
    folder = save_vit(train_vit(people, views=8, steps=30), tmp_path / "network")
    network = load_named(ModelOptions(face_id_vit=str(folder))).face_id()
    with torch.no_grad():
        ours, mirrored = (F.normalize(network(crops.float())) for crops in (people, people.flip(3)))
    similar = ours @ mirrored.T
    others = similar[~torch.eye(len(people), dtype=torch.bool)]
    assert similar.diagonal().mean() > others.mean() + 0.3


def test_without_timm_it_is_said_what_to_install(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timm()
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(ModelError, match=r"pip install 'vcn-ray\[vit\]'"):
        load_vit(saved)
