from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import skimage.data
import torch
from torch import Tensor, nn

from vcn_ray.models.alignment import align_crop
from vcn_ray.models.packs import FacePack, load_pack


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def pack() -> FacePack:
    return load_pack("opencv-zoo")


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """(512, 512, 3) uint8 BGR, one face."""
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


@pytest.fixture(scope="session")
def group() -> np.ndarray:
    """(886, 1280, 3) uint8 BGR, six faces."""
    return cv2.imread(str(files("insightface").joinpath("data/images/t1.jpg")))


@pytest.fixture(scope="session")
def face_crops(pack: FacePack, group: np.ndarray) -> Tensor:
    """(6, 3, 112, 112) float RGB: the six faces of the group, aligned."""
    found = pack.detector(0.6).detect(group)
    crops = np.stack([align_crop(group[..., ::-1], landmarks) for landmarks in found.landmarks])
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float()


class _Block(nn.Module):
    """Of an IResNet: BatchNorm, convolution, BatchNorm, PReLU, convolution, BatchNorm; and the shortcut."""

    def __init__(self, channels_in: int, channels_out: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(channels_in),
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.PReLU(channels_out),
            nn.Conv2d(channels_out, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = (
            nn.Identity()
            if stride == 1 and channels_in == channels_out
            else nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


class IResNet(nn.Module):
    """As ArcFace has it, with few and narrow blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.PReLU(8),
            _Block(8, 8, 2),
            _Block(8, 16, 2),
            _Block(16, 16, 1),
            _Block(16, 32, 2),
            _Block(32, 32, 2),
            nn.BatchNorm2d(32),
            nn.Dropout(0.4),
            nn.Flatten(),
        )
        self.fc = nn.Linear(32 * 7 * 7, 64)
        self.last = nn.BatchNorm1d(64)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.fc(self.body(x)))


class ViT(nn.Module):
    """A vision transformer with a class token and learnt positions."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, 32))
        self.positions = nn.Parameter(torch.randn(1, 50, 32))
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(32),
                    "qkv": nn.Linear(32, 96),
                    "out": nn.Linear(32, 32),
                    "norm2": nn.LayerNorm(32),
                    "mlp": nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)),
                }
            )
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 48)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        for block in self.blocks:
            n, t, c = x.shape
            q, k, v = block["qkv"](block["norm1"](x)).reshape(n, t, 3, 4, c // 4).permute(2, 0, 3, 1, 4).unbind(0)
            attention = (q @ k.transpose(-2, -1) * (c // 4) ** -0.5).softmax(dim=-1)
            x = x + block["out"]((attention @ v).transpose(1, 2).reshape(n, t, c))
            x = x + block["mlp"](block["norm2"](x))
        return self.head(self.norm(x)[:, 0])


def _random_weights(network: nn.Module) -> nn.Module:
    """Weights and statistics as different from their initial values as a trained network's."""
    generator = torch.Generator().manual_seed(7)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.3, generator=generator)
        elif isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, -0.2, 0.5, generator=generator)
    return network.eval()


@pytest.fixture(scope="session")
def export() -> Callable[..., Path]:
    def run(network: nn.Module, path: Path, *, free_batch: bool = True, folded: bool = True) -> Path:
        """By torch's exporter; `folded` merges BatchNorm into convolutions, as its users mostly get it."""
        example = torch.zeros(2 if free_batch else 1, 3, 112, 112)
        torch.onnx.export(
            network,
            (example,),
            str(path),
            dynamo=True,
            external_data=False,
            optimize=folded,
            verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},) if free_batch else None,
        )
        return path

    return run


@pytest.fixture(scope="session")
def iresnet_onnx(export: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(_random_weights(IResNet()), tmp_path_factory.mktemp("models") / "iresnet.onnx")


@pytest.fixture(scope="session")
def vit_onnx(export: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(_random_weights(ViT()), tmp_path_factory.mktemp("models") / "vit.onnx")


@pytest.fixture(scope="session")
def run_onnx() -> Callable[[Path, np.ndarray], np.ndarray]:
    def run(path: Path, images: np.ndarray) -> np.ndarray:
        """What onnxruntime makes of images, one by one."""
        model = onnx.load(path)
        used = {name for node in model.graph.node for name in node.input}
        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = [i for i in model.graph.input if i.name in used - weights]
        del model.graph.input[:]  # onnxruntime takes weights that are listed as inputs for inputs
        model.graph.input.extend(inputs)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return np.concatenate([session.run(None, {inputs[0].name: image[None]})[0] for image in images])

    return run


@pytest.fixture(scope="session")
def make_onnx() -> Callable[..., Path]:
    def run(
        path: Path,
        nodes: list[onnx.NodeProto],
        weights: dict[str, np.ndarray],
        *,
        shape: tuple[int | str, ...] = ("n", 3, 112, 112),
        inputs: tuple[str, ...] = ("image",),
        outputs: tuple[str, ...] = ("embedding",),
        opset: int = 17,
    ) -> Path:
        """A network from its parts; `inputs` are listed as the graph's inputs in this order, weights among them too."""
        real = onnx.TensorProto.FLOAT
        listed = [
            onnx.helper.make_tensor_value_info(name, real, weights[name].shape if name in weights else shape)
            for name in inputs
        ]
        graph = onnx.helper.make_graph(
            nodes,
            "network",
            listed,
            [onnx.helper.make_tensor_value_info(name, real, None) for name in outputs],
            [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
        onnx.save(model, path)
        return path

    return run
